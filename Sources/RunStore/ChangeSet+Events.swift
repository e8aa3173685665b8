// Waits, events and the collections of loops.

import Engine
import OrderedCollections
import Postgres
import WorkflowModel

extension ChangeSet {
    private static let endWaits: SQL = """
        with gone as (
          delete from skein.wait w using unnest($1, $2) as g (run_id, path)
           where w.run_id = g.run_id and w.path = g.path)
        delete from skein.wait_key k using unnest($1, $2) as g (run_id, path)
         where k.run_id = g.run_id and k.path = g.path
        """

    // A new wait of the same step sees everything again that it has not taken, and is not told of already.
    private static let forgetDeliveries: SQL = """
        delete from skein.event_delivery d using unnest($1, $2) as g (run_id, path)
         where d.run_id = g.run_id and d.path = g.path and not d.is_consumed
           and not exists (select from skein.inbox i where i.run_id = d.run_id and i.event_id = d.event_id)
        """

    private static let setWaits: SQL = """
        insert into skein.wait (run_id, path, namespace_id, names, key, since, is_broadcast)
        select g.run_id, g.path, g.namespace_id, (select array_agg(n) from json_array_elements_text(g.names::json) as n), g.key, g.since,
               g.is_broadcast
          from unnest($1, $2, $3, $4, $5, $6, $7) as g (run_id, path, namespace_id, names, key, since, is_broadcast)
        on conflict (run_id, path) do update
           set names = excluded.names, key = excluded.key, since = excluded.since, is_broadcast = excluded.is_broadcast
        """

    private static let setWaitKeys: SQL = """
        insert into skein.wait_key (correlation, run_id, path, namespace_id)
        select skein.correlation_v1(g.namespace_id, g.name, g.key), g.run_id, g.path, g.namespace_id
          from unnest($1, $2, $3, $4, $5) as g (run_id, path, namespace_id, name, key)
        on conflict do nothing
        """

    private static let askMatcher: SQL = """
        insert into skein.match (namespace_id, correlation, run_id)
        select distinct w.namespace_id, k.correlation, case when k.correlation is null then w.run_id end
          from unnest($1, $2) as g (run_id, path)
          join skein.wait w on w.run_id = g.run_id and w.path = g.path
          left join skein.wait_key k on k.run_id = w.run_id and k.path = w.path
        union
        select w.namespace_id, null, w.run_id
          from unnest($1, $2) as g (run_id, path)
          join skein.wait w on w.run_id = g.run_id and w.path = g.path
        """

    // An event is decided by the wait that it was offered to; what a broadcast wait says of it is about its delivery only.
    // A wait that did not take what it was given is still to be given what came meanwhile, under whichever of its names.
    private static let decideEvents: SQL = """
        with decided as (
          update skein.event e
             set state = g.state::skein.event_state, decided_at = case when g.state <> 'buffered' then clock_timestamp() end,
                 reason = g.reason, taken_by = case when g.state <> 'buffered' then g.run_id end,
                 taken_path = case when g.state <> 'buffered' then g.path end
            from unnest($1, $2, $3, $4, $5) as g (event_id, state, run_id, path, reason)
           where e.event_id = g.event_id and e.state = 'offered' and e.taken_by = g.run_id and e.taken_path = g.path
          returning e.namespace_id, e.correlation, e.run_id),
        again as (
          insert into skein.match (namespace_id, correlation, run_id)
          select namespace_id, correlation, run_id from decided
          union
          select k.namespace_id, k.correlation, null
            from unnest($2, $3, $4) as g (state, run_id, path)
            join skein.wait_key k on k.run_id = g.run_id and k.path = g.path
           where g.state <> 'consumed'
          union
          select w.namespace_id, null, w.run_id
            from unnest($2, $3, $4) as g (state, run_id, path)
            join skein.wait w on w.run_id = g.run_id and w.path = g.path
           where g.state <> 'consumed')
        update skein.event_delivery d set is_consumed = true
          from unnest($1, $2, $3, $4) as g (event_id, state, run_id, path)
         where g.state = 'consumed' and d.event_id = g.event_id and d.run_id = g.run_id and d.path = g.path
        """

    private static let emitEvents: SQL = """
        select (skein.publish_v1(g.namespace_id, g.name, g.target, g.key, g.data, 'run', g.run_id || '/' || g.path, 'run ' || g.run_id,
                                 case when g.target is null then interval '7 days' else interval '10 years' end)).event_id
          from unnest($1, $2, $3, $4, $5, $6, $7) as g (run_id, path, namespace_id, name, key, data, target)
        """

    func appendEvents(_ runs: [RunChange], to statements: inout [(SQL, [Parameter])]) {
        var ends: [(RunID, StepPath)] = []
        var sets: [(RunChange, WaitOrder)] = []
        for run in runs {
            for (path, change) in run.waits {
                switch change {
                case .set(let order):
                    if run.ending == nil { sets.append((run, order)) } else { ends.append((run.id, path)) }
                case .end: ends.append((run.id, path))
                }
            }
        }
        // What was decided about an event comes first: its wait may be replaced in the same decision, and is then to see what was left.
        if !events.isEmpty {
            let decisions = events.sorted { $0.key < $1.key }
            statements.append(
                (
                    Self.decideEvents,
                    [
                        .int64Array(decisions.map(\.key.event)), .textArray(decisions.map(\.value.state.rawValue)),
                        .uuidArray(decisions.map(\.key.run.pair)), .textArray(decisions.map(\.key.path.text)),
                        .textArray(decisions.map(\.value.reason)),
                    ]
                ))
        }
        if !ends.isEmpty {
            statements.append((Self.endWaits, [.uuidArray(ends.map(\.0.pair)), .textArray(ends.map(\.1.text))]))
        }
        if !sets.isEmpty { appendWaits(sets, to: &statements) }
        if !emits.isEmpty {
            statements.append(
                (
                    Self.emitEvents,
                    [
                        .uuidArray(emits.map(\.0.pair)), .textArray(emits.map(\.2.path.text)), .int32Array(emits.map(\.1)),
                        .textArray(emits.map(\.2.name)), .textArray(emits.map(\.2.key)), .textArray(emits.map(\.2.data.text)),
                        .uuidArray(emits.map { $0.2.runID?.pair }),
                    ]
                ))
        }
    }

    private func appendWaits(_ sets: [(RunChange, WaitOrder)], to statements: inout [(SQL, [Parameter])]) {
        let keys: [Parameter] = [.uuidArray(sets.map(\.0.id.pair)), .textArray(sets.map(\.1.path.text))]
        let old = sets.filter { !$0.0.isNew }
        if !old.isEmpty {
            let oldKeys: [Parameter] = [.uuidArray(old.map(\.0.id.pair)), .textArray(old.map(\.1.path.text))]
            statements.append((Self.endWaits, oldKeys))
            statements.append((Self.forgetDeliveries, oldKeys))
        }
        statements.append(
            (
                Self.setWaits,
                [
                    keys[0], keys[1], .int32Array(sets.map(\.0.version.namespaceID)),
                    .textArray(sets.map { $0.1.names.map { JSONValue.array($0.map { .string($0) }).compactText } }),
                    .textArray(sets.map(\.1.key)),
                    .timestampArray(sets.map { ($0.0.facts.submittedAt + (Duration.zero - ($0.1.lookback ?? .zero))).microseconds }),
                    .boolArray(sets.map { !$0.1.isExclusive }),
                ]
            ))
        // Signals find a wait by its run, everything else by names and key.
        let named = sets.flatMap { run, order in (order.names ?? []).map { (run, order, $0) } }
        if !named.isEmpty {
            statements.append(
                (
                    Self.setWaitKeys,
                    [
                        .uuidArray(named.map(\.0.id.pair)), .textArray(named.map(\.1.path.text)),
                        .int32Array(named.map(\.0.version.namespaceID)), .textArray(named.map(\.2)), .textArray(named.map(\.1.key)),
                    ]
                ))
        }
        statements.append((Self.askMatcher, keys))
    }

    // MARK: Collections of loops

    private static let insertItems: SQL = """
        insert into skein.loop_slice (run_id, path, slice, namespace_id, items) select * from unnest($1, $2, $3, $4, $5)
        """

    func appendItems(to statements: inout [(SQL, [Parameter])]) {
        var slices: [(RunID, StepPath, Int, Int32, String)] = []
        for (run, namespaceID, path, all) in items {
            for (slice, start) in stride(from: 0, to: all.count, by: LoopItems.sliceSize).enumerated() {
                let part = all[start..<min(start + LoopItems.sliceSize, all.count)]
                slices.append((run, path, slice, namespaceID, "[" + part.map(\.text).joined(separator: ",") + "]"))
            }
        }
        guard !slices.isEmpty else { return }
        statements.append(
            (
                Self.insertItems,
                [
                    .uuidArray(slices.map(\.0.pair)), .textArray(slices.map(\.1.text)), .int32Array(slices.map { Int32(clamping: $0.2) }),
                    .int32Array(slices.map(\.3)), .textArray(slices.map(\.4)),
                ]
            ))
    }
}
