// What a fold writes about events and waits (ChangeSet+Events).

import Engine
import WorkflowModel

extension Server {
    func writeEvents(_ transaction: Transaction, _ runs: [RunChange], _ changes: Changes) async throws(ModelError) {
        var ends: [StepKey] = []
        var sets: [(RunChange, WaitOrder)] = []
        for run in runs {
            for path in run.waitOrder {
                guard let change = run.waits[path] else { continue }
                if let order = change, run.ending == nil { sets.append((run, order)) } else { ends.append(StepKey(run: run.id, path: path)) }
            }
        }
        if !changes.events.isEmpty { try await decideEvents(transaction, changes) }
        if !ends.isEmpty { try await endWaits(transaction, ends) }
        if !sets.isEmpty { try await setWaits(transaction, sets) }
        for (run, order) in changes.emits {
            try await publish(transaction, name: order.name, run: order.runID, key: order.key, data: order.data, id: "run/\(run)/\(order.path)")
        }
    }

    private func decideEvents(_ transaction: Transaction, _ changes: Changes) async throws(ModelError) {
        let decisions = changes.events.sorted { ($0.event, $0.run, $0.path) < ($1.event, $1.run, $1.path) }
        try await statement(transaction) { statement throws(ModelError) in
            var again: [EventRow] = []
            for decision in decisions {
                let offered = tables.events.find(statement, key: decision.event) { event in
                    event.state == .offered && (self.mutant == .anyWaitDecides || event.takenBy == decision.run && event.takenPath == decision.path)
                }
                again += try await tables.events.update(statement, offered) { event in
                    event.state = decision.state
                    event.takenBy = decision.state == .buffered ? nil : decision.run
                    event.takenPath = decision.state == .buffered ? nil : decision.path
                }
            }
            for event in again {
                try await tables.matches.insert(
                    statement, MatchRow(id: tables.matchNumbers.next(), correlation: event.correlation, run: event.run))
            }
            for decision in decisions where decision.state != .consumed && mutant != .waitLooksOnce {
                let step = StepKey(run: decision.run, path: decision.path)
                guard !tables.waits.find(statement, key: step).isEmpty else { continue }
                for row in tables.waitKeys.find(statement, of: step.run, where: { $0.key.step == step }).rows {
                    try await tables.matches.insert(
                        statement, MatchRow(id: tables.matchNumbers.next(), correlation: row.key.correlation, run: nil))
                }
                try await tables.matches.insert(statement, MatchRow(id: tables.matchNumbers.next(), correlation: nil, run: step.run))
            }
            for decision in decisions where decision.state == .consumed {
                let key = DeliveryRow.Key(event: decision.event, run: decision.run, path: decision.path)
                try await tables.deliveries.update(statement, tables.deliveries.find(statement, key: key)) { $0.isConsumed = true }
            }
        }
    }

    private func endWaits(_ transaction: Transaction, _ steps: [StepKey]) async throws(ModelError) {
        try await statement(transaction) { statement throws(ModelError) in
            try await tables.waits.delete(statement, tables.waits.find(statement, keys: steps))
            for step in steps {
                try await tables.waitKeys.delete(statement, tables.waitKeys.find(statement, of: step.run) { $0.key.step == step })
            }
        }
    }

    private func setWaits(_ transaction: Transaction, _ sets: [(RunChange, WaitOrder)]) async throws(ModelError) {
        let old = sets.filter { !$0.0.isNew }.map { StepKey(run: $0.0.id, path: $0.1.path) }
        if !old.isEmpty {
            try await endWaits(transaction, old)
            try await statement(transaction) { statement throws(ModelError) in
                for step in old {
                    var told: Set<Int64> = []
                    for order in tables.inbox.find(statement, of: step.run).rows {
                        if case .event(_, let event) = order.kind { told.insert(event) }
                    }
                    let unread = tables.deliveries.find(statement, of: step.run) { row in
                        row.key.path == step.path && !row.isConsumed && !told.contains(row.key.event)
                    }
                    try await tables.deliveries.delete(statement, unread)
                }
            }
        }
        try await statement(transaction) { statement throws(ModelError) in
            for (run, order) in sets {
                try await tables.waits.insert(
                    statement,
                    WaitRow(
                        run: run.id, path: order.path, names: order.names,
                        since: run.facts.submittedAt + (Duration.zero - (order.lookback ?? .zero)), isBroadcast: !order.isExclusive,
                        createdAt: now),
                    .update { old, new in
                        old.names = new.names
                        old.since = new.since
                        old.isBroadcast = new.isBroadcast
                        return true
                    })
                for name in order.names ?? [] {
                    let key = WaitKeyRow.Key(
                        correlation: Correlation(name: name, key: order.key), step: StepKey(run: run.id, path: order.path))
                    try await tables.waitKeys.insert(statement, WaitKeyRow(key: key), .nothing)
                }
            }
        }
        try await statement(transaction) { statement throws(ModelError) in
            for (run, order) in sets {
                if mutant == .eventLooksForWait {
                    // Only where an event is seen to be there.
                    let isThere = !tables.events.find(statement) { event in
                        event.state == .buffered && (event.run == run.id || event.correlation?.key == order.key && event.run == nil)
                    }.isEmpty
                    guard isThere else { continue }
                }
                for name in order.names ?? [] {
                    let correlation = Correlation(name: name, key: order.key)
                    try await tables.matches.insert(
                        statement, MatchRow(id: tables.matchNumbers.next(), correlation: correlation, run: nil))
                }
                try await tables.matches.insert(statement, MatchRow(id: tables.matchNumbers.next(), correlation: nil, run: run.id))
            }
        }
    }
}
