// Orders, events, definitions: what clients ask for, and ask for again when they were told nothing. And the chores.

#if DEBUG
import Faults
import PostgresTestKit
import Testing
import WorkflowModel

extension CrashStage {
    func orderAct(_ point: CrashPoint) -> CrashAct {
        let key = "\(point)-\(nextNumber())"
        let run = Shared("")
        var act = CrashAct(victim: coordinator)
        let begin: @Sendable (String) async throws -> Void = { workflow in
            run.value = try await self.start(workflow, key: key)
            try await waitUntil("\(workflow) waits") {
                try await self.cluster.count("select count(*) from skein.wait where run_id = '\(run.value)'") > 0
            }
        }
        let expect: @Sendable (String) async throws -> Void = { status in
            let ending = try await self.ended(run.value)
            #expect(ending.status == status, "\(point)")
        }
        let tick: JSONValue = ["name": "tick", "data": ["n": 1], "id": .string(key)]
        func ask(_ verb: String, _ body: JSONValue = [:]) {
            act.trigger = { _ = await self.attempt("POST", "/api/v1/runs/\(run.value):\(verb)", body.compactText) }
        }
        act.prepare = { try await begin("listener") }
        switch point.boundary {
        case .cancel:
            ask("cancel")
            act.finish = {
                try await self.order(run.value, "cancel")
                try await expect("cancelled")
            }
        case .pause:
            ask("pause")
            act.finish = {
                try await self.order(run.value, "pause")
                try await self.order(run.value, "resume")
                try await self.order(run.value, "signal", tick)
                try await expect("succeeded")
            }
        case .resume:
            act.prepare = {
                try await begin("listener")
                try await self.order(run.value, "pause")
            }
            ask("resume")
            act.finish = {
                try await self.order(run.value, "resume")
                try await self.order(run.value, "signal", tick)
                try await expect("succeeded")
            }
        case .adjust:
            act.prepare = {
                run.value = try await self.start("loop", key: key)
                try await waitUntil("the loop is under way") {
                    try await self.cluster.count("select count(*) from skein.live_step where run_id = '\(run.value)' and kind = 'loop'") > 0
                }
            }
            act.trigger = {
                _ = await self.attempt("POST", "/api/v1/runs/\(run.value)/steps/rows:adjust", #"{"max_parallel": 0}"#)
            }
            act.finish = {
                let answer = try await self.answered("POST", "/api/v1/runs/\(run.value)/steps/rows:adjust", #"{"max_parallel": 0}"#)
                // All iterations wait by now, or have been answered.
                if answer.status < 300 {
                    try await waitUntil("all iterations wait") {
                        try await self.cluster.count("select count(*) from skein.wait where run_id = '\(run.value)'") == 3
                    }
                }
                for place in 0..<3 {
                    try await self.order(run.value, "signal", ["name": "tick", "data": ["n": 1], "id": .string("\(key)-\(place)")])
                }
                try await expect("succeeded")
            }
        case .emit:
            let body: JSONValue = ["name": "news", "key": .string(key), "data": ["n": 1], "source": "test", "id": .string(key)]
            act.prepare = { try await begin("subscriber") }
            act.trigger = { _ = await self.attempt("POST", "/api/v1/events", body.compactText) }
            act.finish = {
                try await self.answered("POST", "/api/v1/events", body.compactText)
                try await expect("succeeded")
                let events = try await self.cluster.count("select count(*) from skein.event where source_id = '\(key)'")
                #expect(events == 1, "\(point)")
            }
        case .apply:
            let name = "fresh-\(nextNumber())"
            let source = "workflow: \(name)\nsteps: [ { id: a, set: 1 } ]\n"
            act.prepare = {}
            act.trigger = { _ = await self.attempt("PUT", "/api/v1/workflows/\(name)", source, type: "application/yaml") }
            act.finish = {
                try await self.answered("PUT", "/api/v1/workflows/\(name)", source, type: "application/yaml")
                let versions = try await self.cluster.count("select count(*) from skein.workflow_version where name = '\(name)'")
                #expect(versions == 1, "\(point)")
                run.value = try await self.start(name, key: key)
                try await expect("succeeded")
            }
        default:
            ask("signal", tick)
            act.finish = {
                try await self.order(run.value, "signal", tick)
                try await expect("succeeded")
                let events = try await self.cluster.count("select count(*) from skein.event where run_id = '\(run.value)'")
                #expect(events == 1, "\(point)")
            }
        }
        return act
    }

    /// The chores begin when a coordinator starts. Each finds something to do.
    func choreAct(_ point: CrashPoint) -> CrashAct {
        let number = nextNumber()
        let (waste, isGone) = Self.waste(of: point.boundary, number)
        var act = CrashAct(victim: coordinator)
        act.isStart = true
        act.prepare = {
            await self.coordinator.process.crash()
            try await self.script(waste)
        }
        act.finish = {
            try await waitUntil("the chore of \(point) is done", deadline: .seconds(15)) { try await self.cluster.text("select (\(isGone))::text") == "true" }
            let run = try await self.start("pair", key: "\(point)-\(number)")
            let ending = try await self.ended(run)
            #expect(ending.status == "succeeded", "\(point)")
        }
        return act
    }

    private static func waste(of boundary: Boundary, _ number: Int) -> (script: String, isGone: String) {
        let id = "00000000-0000-7000-8000-\(String(number + 1_000_000_000_000).dropFirst())"
        return switch boundary {
        case .partitions:
            (
                """
                do $$ declare v_week text; v_parent text; begin
                  select max(right(c.relname, 7)) into v_week from pg_inherits i join pg_class c on c.oid = i.inhrelid
                   where i.inhparent = 'skein.ended_run'::regclass and c.relname ~ '\\d{4}w\\d{2}$';
                  foreach v_parent in array array['ended_run', 'step', 'attempt', 'run_event'] loop
                    execute format('drop table skein.%I', v_parent || '_' || v_week);
                  end loop;
                end $$
                """,
                "select count(*) = 20 from pg_inherits i join pg_class c on c.oid = i.inhrelid where c.relname ~ '^(ended_run|step|attempt|run_event)_\\d{4}w\\d{2}$'"
            )
        case .keys:
            (
                """
                insert into skein.run_key (namespace_id, key_hash, request_hash, run_id, expires_at)
                values (1, '\\x\(String(number + 10_000_000))', '\\x00', '\(id)', clock_timestamp() - interval '1 hour')
                """, "select not exists (select from skein.run_key where run_id = '\(id)')"
            )
        case .leftovers:
            (
                "insert into skein.loop_slice (run_id, path, slice, namespace_id, items) values ('\(id)', 'rows', 0, 1, '[]')",
                "select not exists (select from skein.loop_slice where run_id = '\(id)')"
            )
        case .expiry:
            (
                "select skein.emit('nobody.waits', p_source => 'test', p_id => '\(id)', p_lifetime => '1 microsecond')",
                "select state = 'expired' from skein.event where source_id = '\(id)'"
            )
        case .week:
            (
                """
                create table skein.ended_run_2020w10 partition of skein.ended_run
                  for values from ('01709f5b-0000-0000-0000-000000000000') to ('0170c365-0000-0000-0000-000000000000')
                """, "select to_regclass('skein.ended_run_2020w10') is null"
            )
        case .unfiled:
            (
                """
                insert into skein.ended_run (run_id, namespace_id, version_id, status, revision, history_length, submitted_at, ended_at, trigger, input)
                values ('\(id)', 1, 1, 'cancelled', 1, 0, '2020-01-01', '2020-01-01', 'api', '{}')
                """, "select not exists (select from skein.ended_run where run_id = '\(id)')"
            )
        default:
            (
                """
                insert into skein.worker_session (namespace_id, worker, host, pid, version, queue_ids, slots, lease_milliseconds, lease_until, dead_at, reaped_at)
                values (1, 'old-\(number)', 'h', 1, '0', '{}', 1, 1000, '2020-01-01', '2020-01-01', '2020-01-01')
                """, "select not exists (select from skein.worker_session where worker = 'old-\(number)')"
            )
        }
    }
}
#endif
