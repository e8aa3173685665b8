// What is done so that a process reaches a point, and what must have come of it in the end.

#if DEBUG
import Faults
import Foundation
import Postgres
import PostgresTestKit
import Synchronization
import Testing
import WorkflowModel

/// What becomes of a result after its lease.
enum LateResult {
    /// The worker reports it before it knows, and the database refuses it.
    case refused
    /// As well, or the worker learns of its lease first and drops it by itself.
    case dropped
}

/// What is done so that a process reaches a point.
struct CrashAct {
    let victim: ArmedProcess
    /// The point is reached at the start: the process is ended before, and started when it is armed.
    var isStart = false
    /// The worker is told to stop, and is started again afterwards.
    var endsWorker = false
    /// Before the process is armed.
    var prepare: @Sendable () async throws -> Void = {}
    /// Makes the process reach the point. Whatever is asked for here may be lost.
    var trigger: @Sendable () async throws -> Void = {}
    /// Repeats what may have been lost, and expects that all has come out as it must. May be called twice.
    var finish: @Sendable () async throws -> Void = {}
    /// The runs that the worker works on.
    var runs: @Sendable () -> [String] = { [] }
    /// What becomes of the result that a worker has which is stopped at the point beyond its lease; nil when it has none.
    var late: LateResult?
}

extension CrashStage {
    /// The act for a point.
    func act(for point: CrashPoint) throws -> CrashAct {
        switch point.boundary {
        case .register, .heartbeat, .claim, .exchange, .settle, .strays, .close, .agent, .drain, .listen, .notify: workerAct(point)
        case .submit, .fold, .quarantine, .reap, .marks, .epoch: coreAct(point)
        case .match, .cancel, .pause, .resume, .adjust, .signal, .emit, .apply: orderAct(point)
        case .partitions, .keys, .leftovers, .expiry, .week, .unfiled, .sessions: choreAct(point)
        case .migrate: throw HarnessError("migrations have a stage of their own")
        }
    }

    private func workerAct(_ point: CrashPoint) -> CrashAct {
        let key = "\(point)-\(nextNumber())"
        let runs = Shared<[String]>([])
        let submit: @Sendable () async throws -> Void = {
            // When nobody is told of what has settled, nothing else is to tell of it.
            for part in 0..<(point.boundary == .notify ? 1 : 2) { runs.value.append(try await self.start("pair", key: "\(key)-\(part)")) }
        }
        let beginCalls: @Sendable () async throws -> Void = {
            try await submit()
            let begun = runs.value
            try await waitUntil("calls are under way") { self.agent.calls.contains { begun.contains($0.run) && $0.answered == nil } }
        }
        var act = CrashAct(victim: worker)
        act.runs = { runs.value }
        act.trigger = submit
        act.finish = {
            for run in runs.value {
                let ending = try await self.ended(run)
                #expect(ending.status == "succeeded", "\(point)")
                try await self.expectLastFences(run, point)
            }
        }
        switch point.boundary {
        case .register, .listen:
            act.isStart = true
            act.prepare = { await self.worker.process.crash() }
        case .heartbeat:
            act.prepare = beginCalls
            act.trigger = {}
        case .exchange: act.late = Self.late(point.phase)
        case .agent: act.late = point.phase == .committed ? .dropped : nil
        case .settle:
            act.endsWorker = true
            act.prepare = beginCalls
            act.trigger = { self.worker.process.send(SIGTERM) }
            act.late = Self.late(point.phase)
        case .drain:
            act.endsWorker = true
            act.prepare = beginCalls
            act.trigger = { self.worker.process.send(SIGTERM) }
        case .close:
            act.endsWorker = true
            act.trigger = { self.worker.process.send(SIGTERM) }
        case .strays:
            // A claim was carried out, and the worker does not know.
            act.prepare = {
                let claim = CrashPoint(.claim, .sent)
                try self.worker.arm(CrashPlan(claim, .lose))
                try await submit()
                try await self.worker.waitUntilReached(claim)
            }
            act.trigger = {}
        default: break
        }
        return act
    }

    private static func late(_ phase: CrashPhase) -> LateResult? {
        switch phase {
        // Its lease was looked at, and the report is the next thing that happens.
        case .before: .refused
        // The server has undone it meanwhile.
        case .executed: .dropped
        case .begun, .decided, .sent, .committed: nil
        }
    }

    // What the coordinator does by itself, and the submit.
    private func coreAct(_ point: CrashPoint) -> CrashAct {
        let key = "\(point)-\(nextNumber())"
        let run = Shared("")
        var act = CrashAct(victim: coordinator)
        switch point.boundary {
        case .submit:
            act.trigger = { _ = await self.attempt("POST", "/api/v1/runs", Self.startBody("pair", key)) }
            act.finish = {
                let first = try await self.start("pair", key: key)
                let second = try await self.start("pair", key: key)
                #expect(first == second, "\(point)")
                try await self.ended(first)
                // However often it was asked for, there is one.
                let count = try await self.cluster.count("select count(*) from skein.ended_run where input::json ->> 'key' = '\(key)'")
                #expect(count == 1, "\(point)")
                try await self.expectLastFences(first, point)
            }
        case .quarantine:
            // A run whose fold the database refuses, whenever it is tried.
            act.prepare = {
                try await self.script(
                    """
                    create or replace function public.refuse() returns trigger language plpgsql as
                    $$ begin raise exception 'it cannot be stored' using errcode = '23514'; end $$;
                    create trigger poison before insert on skein.step for each row when (new.path = 'poison') execute function public.refuse();
                    """)
            }
            act.trigger = { run.value = try await self.start("poison", key: key) }
            act.finish = {
                run.value = try await self.start("poison", key: key)
                try await waitUntil("the run is set aside, or was") {
                    try await self.cluster.count("select count(*) from skein.run where run_id = '\(run.value)' and quarantined_at is null") == 0
                }
                try await self.script("drop trigger if exists poison on skein.step")
                try await self.order(run.value, "cancel")
                let ending = try await self.ended(run.value)
                #expect(ending.status == "cancelled", "\(point)")
            }
        case .reap, .epoch: return lossAct(point, key)
        case .marks:
            act.prepare = {
                try await self.script(
                    """
                    delete from skein.low_water;
                    insert into skein.low_water (kind, queue_id, priority, since, look_at, valid_until)
                    values ('ready', 1, 0, clock_timestamp() - interval '1 minute', clock_timestamp() + interval '1 second', clock_timestamp() + interval '1 minute')
                    """)
            }
            act.finish = {
                try await waitUntil("the mark is gone") { try await self.cluster.count("select count(*) from skein.low_water") == 0 }
                run.value = try await self.start("pair", key: key)
                let ending = try await self.ended(run.value)
                #expect(ending.status == "succeeded", "\(point)")
            }
        default:
            act.trigger = { _ = await self.attempt("POST", "/api/v1/runs", Self.startBody("medley", key)) }
            act.finish = {
                let run = try await self.start("medley", key: key)
                let ending = try await self.ended(run)
                #expect(ending.status == "succeeded" && ending.output == Self.medleyOutput, "\(point): \(ending)")
            }
        }
        return act
    }

    // A worker is lost, or all are.
    private func lossAct(_ point: CrashPoint, _ key: String) -> CrashAct {
        let run = Shared("")
        var act = CrashAct(victim: coordinator)
        let begin: @Sendable () async throws -> Void = {
            run.value = try await self.start("pair", key: key)
            try await waitUntil("a call is under way") { self.agent.calls.contains { $0.run == run.value && $0.answered == nil } }
        }
        act.finish = {
            if !self.worker.process.isRunning { try await self.worker.startReady() }
            let ending = try await self.ended(run.value)
            #expect(ending.status == "succeeded", "\(point)")
            try await self.expectLastFences(run.value, point)
        }
        if point.boundary == .reap {
            // Nobody looks at the session before the point is set.
            let holder = Shared<PostgresConnection?>(nil)
            act.prepare = {
                try await begin()
                let connection = try await self.cluster.connect()
                holder.value = connection
                try await connection.script("begin; select from skein.worker_session where dead_at is null for update")
                await self.worker.process.crash()
                try await waitUntil("the lease has run out") {
                    try await self.cluster.count(
                        "select count(*) from skein.worker_session where dead_at is null and lease_until > clock_timestamp()") == 0
                }
            }
            act.trigger = { await holder.value?.close() }
        } else {
            act.isStart = true
            act.prepare = {
                try await begin()
                await self.coordinator.process.crash()
                try await self.script("delete from skein.cluster_epoch")
            }
        }
        return act
    }

    /// Statements that answer nothing.
    func script(_ text: String) async throws {
        let connection = try await cluster.connect()
        try await connection.script(text)
        await connection.close()
    }
}

/// A value that closures share.
final class Shared<Value: Sendable>: Sendable {
    private let current: Mutex<Value>
    init(_ value: Value) { current = Mutex(value) }
    var value: Value {
        get { current.withLock { $0 } }
        set { current.withLock { $0 = newValue } }
    }
}
#endif
