// What has to be done now and then: timers that fall due, leases that run out, partitions, keys that expire.

import Logging
import Postgres
import Telemetry
import WorkflowModel

extension Coordinator {
    // Wakes the fold when the next timer falls due. A timer that is set meanwhile is due later than the look that follows it.
    func fireTimers() async {
        var failures = 0
        while !Task.isCancelled {
            var pause = configuration.pollInterval
            do {
                let next = try await pool.withConnection { connection in
                    try await connection.query(
                        """
                        select extract(epoch from min(due_at) - skein.now())::double precision from
                               (select t.due_at
                                  from skein.timer t
                                       cross join lateral (
                                         select from skein.run k
                                          where k.run_id = t.run_id and k.quarantined_at is null and k.paused_at is null offset 0) as r
                                 where not t.held
                                 order by t.due_at
                                 limit 1) as first
                        """)[0].doubleOrNull(0)
                }
                failures = 0
                if let next {
                    if next <= 0 {
                        wakeFolds()
                        pause = .milliseconds(20)
                    } else {
                        pause = min(pause, .seconds(next))
                    }
                }
            } catch {
                failures += 1
                pause = BackOffDelay.after(failures)
            }
            await timerWakeup.wait(upTo: pause)
        }
    }

    private static let mostNamesAtOnce: Int32 = 500

    // Brings events and waits together. Whoever writes one of them wakes its own coordinator; for the others' it is a matter of the poll.
    func matchWaits() async {
        var failures = 0
        while !Task.isCancelled {
            do {
                let (handed, looked) = try await pool.withConnection { connection in
                    let row = try await connection.query("select handed, looked_at from skein.match_waits_v1($1)", [.int32(Self.mostNamesAtOnce)])[0]
                    return (row.int32(0), row.int32(1))
                }
                failures = 0
                if handed > 0 { wakeFolds() }
                if looked > 0 { continue }
            } catch {
                failures += 1
                if !Task.isCancelled, failures == 1 || failures % 20 == 0 {
                    log.warning("Events could not be matched; trying again", metadata: [.error: "\(error)", .count: "\(failures)"])
                }
            }
            await matchWakeup.wait(upTo: failures > 0 ? BackOffDelay.after(failures) : configuration.pollInterval * Double.random(in: 0.75...1))
        }
    }

    private static let mostReapedAtOnce: Int32 = 500

    private static let markDead: SQL = """
        select case when extract(epoch from clock_timestamp() - pg_postmaster_start_time()) > $1 then skein.mark_dead_sessions_v1() else 0 end
        """

    // When the next lease may run out, whether there is a mark and one whose time has come, and whether the database is on a timeline that nobody has seen.
    private static let nextReaping: SQL = """
        select extract(epoch from min(lease_until) - clock_timestamp())::double precision,
               exists (select from skein.low_water), exists (select from skein.low_water where look_at <= clock_timestamp()),
               not exists (
                 select from skein.cluster_epoch
                  where timeline = skein.timeline() and system_identifier = (select system_identifier from pg_control_system()))
          from skein.worker_session where dead_at is null
        """

    // Nobody is declared dead before one full lease has passed since the server began and since this coordinator could look. The timeline is
    // looked at each time: a pool replaces broken connections without a word, so a promotion need not show as an error.
    func reap() async {
        let clock = ContinuousClock()
        var since = clock.now
        var pause = configuration.reapInterval
        while !Task.isCancelled {
            try? await Task.sleep(for: pause)
            pause = configuration.reapInterval
            do {
                let grace = clock.now - since < configuration.lease
                let (dead, lost, next) = try await pool.withConnection { connection in
                    let answers = try await connection.pipeline([
                        (Self.markDead, [.double(grace ? .infinity : self.configuration.lease.seconds)]),
                        ("select skein.reap_tasks_v1($1)", [.int32(Self.mostReapedAtOnce)]),
                        (Self.nextReaping, []),
                    ])
                    return (answers[0][0].int32(0), answers[1][0].int32(0), answers[2][0])
                }
                if dead > 0 {
                    metrics.count(.sessionsExpired, by: Int(dead))
                    log.notice("Worker sessions are dead: their leases ran out", metadata: [.count: "\(dead)"])
                }
                if lost > 0 {
                    metrics.count(.tasksExpired, by: Int(lost))
                    wakeFolds()
                }
                if next.bool(3) {
                    let voided = try await pool.withConnection { try await $0.query("select skein.check_epoch_v1()")[0].int32(0) }
                    if voided > 0 { log.warning("The timeline changed: every lease is void", metadata: [.count: "\(voided)"]) }
                    pause = .zero
                    continue
                }
                if next.bool(1) { nearMarksWakeup.signal() }
                if next.bool(2) { marksWakeup.signal() }
                // No lease runs out before it says so; a worker that comes meanwhile may have a short one.
                if lost == 0, !next.bool(1), !grace {
                    pause = max(pause, min(next.doubleOrNull(0).map { .seconds($0) } ?? .zero, configuration.pollInterval))
                }
            } catch {
                // After an outage everybody gets a full lease to come back.
                since = clock.now
                if !Task.isCancelled { log.debug("Leases could not be looked at", metadata: [.error: "\(error)"]) }
            }
        }
    }

    // Chores that may wait: partitions for the weeks to come and for those that are over, keys whose time is over.
    func doChores() async {
        while !Task.isCancelled {
            do {
                try await pool.withConnection { connection in
                    _ = try await connection.query("select skein.prepare_weeks_v1($1)", [.int32(4)])
                    let removed = try await connection.query(
                        """
                        delete from skein.run_key where (namespace_id, key_hash) in
                               (select namespace_id, key_hash from skein.run_key where expires_at < skein.now()
                                 order by expires_at limit 1000 for update skip locked)
                        """).affected
                    if removed > 0 { self.metrics.count(.rowsRemoved, "run_key", by: removed) }
                    for (statement, kind) in [
                        ("select skein.remove_leftovers_v1($1)" as SQL, "leftover"),
                        ("select skein.expire_events_v1(interval '7 days', $1)", "event"),
                    ] {
                        let removed = try await connection.query(statement, [.int32(Self.mostRowsAtOnce)])[0].int32(0)
                        if removed > 0 { self.metrics.count(.rowsRemoved, kind, by: Int(removed)) }
                    }
                    try await self.dropHistory(connection)
                }
                try? await Task.sleep(for: .seconds(600))
            } catch {
                if !Task.isCancelled { log.debug("Chores could not be done", metadata: [.error: "\(error)"]) }
                try? await Task.sleep(for: .seconds(10))
            }
        }
    }

    private static let mostWeeksAtOnce = 60
    private static let mostRowsAtOnce: Int32 = 1000

    // Each week in a transaction of its own: as long as it lasts, nobody else can use the history.
    private func dropHistory(_ connection: PostgresConnection) async throws(PostgresError) {
        guard configuration.historyRetention > .zero else { return }
        let seconds = Parameter.double(configuration.historyRetention.seconds)
        for _ in 0..<Self.mostWeeksAtOnce {
            let dropped = try await connection.query("select skein.drop_history_week_v1($1 * interval '1 second')", [seconds])
            guard let week = dropped[0].textOrNull(0) else { break }
            metrics.count(.historyWeeksDropped)
            log.notice("A week of history was older than is kept, and is gone", metadata: [.week: "\(week)"])
        }
        for (statement, kind) in [
            ("select skein.remove_unfiled_history_v1($1 * interval '1 second', $2)" as SQL, "ended_run"),
            ("select skein.remove_dead_sessions_v1($1 * interval '1 second', $2)", "worker_session"),
        ] {
            let removed = try await connection.query(statement, [seconds, .int32(Self.mostRowsAtOnce)])[0].int32(0)
            if removed > 0 { metrics.count(.rowsRemoved, kind, by: Int(removed)) }
        }
    }
}
