// For each planted fault the story in which it shows: the healthy functions tell it well, the mutant does not.

import Postgres
import PostgresTestKit

extension Story {
    /// Whether the promise that the mutant breaks is kept in its story.
    func holds(_ mutant: Mutant) async throws -> Bool {
        switch mutant {
        case .noFence, .noFenceNoSession, .fenceWithoutTimeline, .sessionWithoutTimeline: try await fences(mutant)
        case .claimLeased, .claimHeld, .deadMayClaim, .noClaimLock: try await claims(mutant)
        case .heartbeatRevives, .nowInLease, .reaperKillsLiving, .noReaper, .reaperFreesTasks, .epochIgnored, .epochPassesClaims:
            try await leases(mutant)
        case .straysKept, .strayKnown: try await strays(mutant)
        case .foldWithoutRunLock, .timersFireEarly: try await folds(mutant)
        case .pauseHoldsNothing, .resumeLeavesHeld, .pauseShiftsNothing, .cancelHoldsNothing: try await orders(mutant)
        case .keyIgnored, .keyOfAnyRequest: try await keys(mutant)
        case .eventCountsTwice, .matcherWithoutKeyLock, .matcherWithoutRunLock: try await events(mutant)
        }
    }

    private func fences(_ mutant: Mutant) async throws -> Bool {
        let session = try await register()
        switch mutant {
        case .noFence:
            // The same session is given the task again after it gave it back; then the first call ends after all.
            let stale = try await claim(session)
            try await connection.script("select skein.release_strays_v1(\(session), '{}')")
            try await makeReadyAgain()
            return try await takesOnly(claim(session), from: session, after: stale, from: session)
        case .noFenceNoSession:
            let other = try await register()
            let stale = try await claim(session)
            try await lose(session)
            try await makeReadyAgain()
            return try await takesOnly(claim(other), from: other, after: stale, from: session)
        case .fenceWithoutTimeline:
            let fence = try await claim(session).first ?? 0
            return try await isTrue("\(fence) >> 40 = skein.timeline()")
        default: return try await isTrue("\(session) >> 40 = skein.timeline()")
        }
    }

    private func claims(_ mutant: Mutant) async throws -> Bool {
        let session = try await register()
        switch mutant {
        case .claimLeased:
            let other = try await register()
            let mine = try await claim(session)
            let yours = try await claim(other)
            return mine.count == 1 && yours.isEmpty
        case .claimHeld:
            try await connection.script("select skein.pause('\(Self.run)')")
            return try await claim(session).isEmpty
        case .deadMayClaim:
            try await connection.script("select skein.close_session_v1(\(session))")
            return try await refusal(of: "select skein.claim_tasks_v1(\(session), 10)") == "SK001"
        default:
            // The lease runs out between the claim's statement and its commit: whoever looks then must not close the books on the session.
            let worker = try await database.connect()
            try await worker.script("begin; select skein.claim_tasks_v1(\(session), 1)")
            try await lose(session)
            try await worker.script("commit")
            await worker.close()
            try await lose(session)
            return try await taskState() == "settled lost"
        }
    }

    private func leases(_ mutant: Mutant) async throws -> Bool {
        let session = try await register()
        switch mutant {
        case .heartbeatRevives:
            try await lose(session)
            let renewed = try await connection.query(SQL("select from skein.heartbeat_v1(\(session), false)")).count
            let isDead = try await isTrue("(select dead_at is not null from skein.worker_session)")
            return renewed == 0 && isDead
        case .nowInLease:
            // A renewal at the end of a transaction that has lasted.
            try await connection.script("begin; select pg_sleep(0.05)")
            let isWhole = try await isTrue(
                "(select lease_until >= now() + interval '60.05 seconds' from skein.heartbeat_v1(\(session), false))")
            try await connection.script("commit")
            return isWhole
        case .reaperKillsLiving:
            try await connection.script("select skein.mark_dead_sessions_v1()")
            return try await refusal(of: "select skein.claim_tasks_v1(\(session), 10)") == nil
        case .noReaper:
            _ = try await claim(session)
            try await lose(session)
            return try await taskState() == "settled lost"
        case .reaperFreesTasks:
            // What was lost starts again when a fold, which holds the run's lock, has said so: the run may be paused by then.
            _ = try await claim(session)
            try await lose(session)
            return try await claim(register()).isEmpty
        case .epochIgnored:
            try await connection.script("delete from skein.cluster_epoch; select skein.check_epoch_v1()")
            return try await isTrue("(select dead_at is not null from skein.worker_session)")
        default:
            try await connection.script("delete from skein.cluster_epoch")
            try await meet { worker in
                _ = try await worker.query(SQL("select skein.claim_tasks_v1(\(session), 1)"))
            } second: { coordinator in
                _ = try await coordinator.query("select skein.check_epoch_v1()")
            } between: {
                // The reaper looks, and closes the books on the session.
                try await connection.script("select skein.reap_tasks_v1(100)")
            }
            try await connection.script("select skein.reap_tasks_v1(100)")
            return try await taskState() == "settled lost"
        }
    }

    private func strays(_ mutant: Mutant) async throws -> Bool {
        let session = try await register()
        let fence = try await claim(session).first ?? 0
        let known = mutant == .strayKnown ? "{\(fence)}" : "{}"
        try await connection.script("select skein.release_strays_v1(\(session), '\(known)')")
        return try await taskState() == (mutant == .strayKnown ? "leased" : "settled released")
    }

    private func folds(_ mutant: Mutant) async throws -> Bool {
        switch mutant {
        case .foldWithoutRunLock:
            let session = try await register()
            let fence = try await claim(session).first ?? 0
            _ = try await settle(session, fence)
            let (one, other) = (try await database.connect(), try await database.connect())
            let mine = try await lockDueRuns(on: one)
            let yours = try await lockDueRuns(on: other)
            await one.close()
            await other.close()
            return mine == 1 && yours == 0
        default:
            try await connection.script(
                """
                insert into skein.timer (run_id, path, kind, namespace_id, due_at)
                values ('\(Self.run)', 'nap', 'sleep', 1, skein.now() + interval '1 hour')
                """)
            let coordinator = try await database.connect()
            let due = try await lockDueRuns(on: coordinator)
            await coordinator.close()
            return due == 0
        }
    }

    private func orders(_ mutant: Mutant) async throws -> Bool {
        let session = try await register()
        switch mutant {
        case .pauseHoldsNothing:
            try await connection.script("select skein.pause('\(Self.run)')")
            return try await claim(session).isEmpty
        case .resumeLeavesHeld:
            try await connection.script("select skein.pause('\(Self.run)'); select skein.resume('\(Self.run)')")
            return try await claim(session).count == 1
        case .pauseShiftsNothing:
            // Paused at noon for an hour, a minute before a timer was due.
            try await connection.script(
                """
                insert into skein.timer (run_id, path, kind, namespace_id, due_at) values ('\(Self.run)', 'nap', 'sleep', 1, '2030-01-01 12:01+00');
                set skein.fake_now = '2030-01-01 12:00+00';
                select skein.pause('\(Self.run)');
                set skein.fake_now = '2030-01-01 13:00+00';
                select skein.resume('\(Self.run)');
                """)
            return try await isTrue("(select due_at = '2030-01-01 13:01+00' from skein.timer)")
        default:
            try await connection.script("select skein.cancel('\(Self.run)')")
            return try await claim(session).isEmpty
        }
    }

    private func keys(_ mutant: Mutant) async throws -> Bool {
        let first = try await connection.query("select skein.submit('w', '{}', 'key')::text")[0].text(0)
        if mutant == .keyOfAnyRequest { return try await refusal(of: "select skein.submit('w', '{\"other\": 1}', 'key')") == "SK003" }
        return try await connection.query("select skein.submit('w', '{}', 'key')::text")[0].text(0) == first
    }

    private func events(_ mutant: Mutant) async throws -> Bool {
        let signal = "select skein.signal('\(Self.run)', 'tick', '{}', 'once')"
        let wait = """
            insert into skein.wait (run_id, path, namespace_id, names, since) values ('\(Self.run)', 'heard', 1, '{tick}', clock_timestamp());
            insert into skein.match (namespace_id, run_id) values (1, '\(Self.run)')
            """
        switch mutant {
        case .eventCountsTwice:
            try await connection.script("\(signal); \(signal)")
            return try await number("select count(*) from skein.event") == 1
        case .matcherWithoutKeyLock:
            // The event's row and the wait's are taken by two matchers at the same time.
            try await connection.script(wait)
            try await connection.script(signal)
            try await meet { matcher in
                _ = try await matcher.query("select skein.match_waits_v1(1)")
            } second: { matcher in
                // Whoever hands out what another one has handed out already may also fail: then its row is left.
                _ = try? await matcher.query("select skein.match_waits_v1(1)")
            }
            let handed = try await number("select count(*) from skein.inbox")
            let left = try await number("select count(*) from skein.match")
            return handed == 1 && left == 0
        default:
            try await connection.script(wait)
            try await connection.script(signal)
            try await meet { operator_ in
                _ = try await operator_.query(SQL("select skein.pause('\(Self.run)')"))
            } second: { matcher in
                _ = try await matcher.query("select skein.match_waits_v1(100)")
            }
            return try await isTrue("(select held from skein.inbox)")
        }
    }
}
