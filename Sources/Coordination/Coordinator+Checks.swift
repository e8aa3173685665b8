// The probe: now and then every invariant is looked at in a part of the runs, so that what is broken is known before somebody asks.

import Logging
import Postgres
import Schema
import Telemetry
import WorkflowModel

extension Coordinator {
    // Together the checks of a round take this long at most; what is left has its turn in the next one.
    private static let longestRound: Duration = .seconds(10)
    private static let longestCheck: Duration = .seconds(2)

    /// Which runs were looked at, and where the next round begins.
    struct ProbeWalk {
        /// The first run of the next part; nil begins at the oldest.
        var next: String?
        /// The check that comes first, so that none is always the one for which there is no time.
        var firstCheck = 0
        /// What the database was like in the last round, and how many rounds have found it so.
        var mark: String?
        var idleRounds = 0
    }

    // An idle cluster is looked at that seldom.
    private static let idleRoundsLeftOut = 10

    // Looks at the newest runs, and at the next ones of a walk through all that there are. One coordinator at a time: who finds another one
    // probing leaves the round to it.
    func probeInvariants() async {
        guard configuration.checkInterval > .zero else { return }
        var walk = ProbeWalk()
        while !Task.isCancelled {
            try? await Task.sleep(for: configuration.checkInterval * Double.random(in: 0.75...1.25))
            if Task.isCancelled { return }
            do {
                walk = try await probe(walk)
            } catch {
                if !Task.isCancelled { log.debug("The invariants could not be looked at", metadata: [.error: "\(error)"]) }
            }
        }
    }

    /// One round.
    func probe(_ walk: ProbeWalk) async throws -> ProbeWalk {
        let begun = ContinuousClock.now
        let count = configuration.checkedRuns
        var walk = walk
        let from = walk.next
        let (newest, end, last, mark) = try await pool.withConnection { connection in
            let row = try await connection.query(
                """
                select skein.newest_runs_v1($1)::text, greatest(skein.newest_runs_v1(1), skein.first_run_id(clock_timestamp()))::text,
                       skein.checked_runs_v1($2::uuid, $1)::text,
                       -- Nothing is under way, nothing was claimed since, and no run was added.
                       case when not exists (select from skein.run)
                            then (select last_value from skein.fence_sequence) || ' ' || coalesce(skein.newest_runs_v1(1)::text, '') end
                """, [.int32(Int32(clamping: count)), .text(from ?? "00000000-0000-0000-0000-000000000000")])[0]
            return (row.textOrNull(0), row.textOrNull(1), row.textOrNull(2), row.textOrNull(3))
        }
        walk.idleRounds = mark != nil && mark == walk.mark ? walk.idleRounds + 1 : 0
        walk.mark = mark
        guard walk.idleRounds % Self.idleRoundsLeftOut == 0 else { return walk }
        walk.next = last
        func sample(_ first: String?, _ last: String?) -> CheckSample {
            CheckSample(first: first, last: last, rows: count, timeout: Self.longestCheck)
        }
        // When all runs are among the newest, there is nothing to walk through. What is submitted from now on has its turn in a later round: it may be a
        // million runs.
        let samples = newest == nil ? [sample(nil, end)] : [sample(newest, end), sample(from, last ?? end)]
        let all = EmbeddedSQL.checks
        let checks = Array(all[walk.firstCheck...] + all[..<walk.firstCheck])
        var done = 0
        while done < checks.count {
            if Task.isCancelled { return walk }
            guard ContinuousClock.now - begun < Self.longestRound else {
                walk.firstCheck = (walk.firstCheck + done) % all.count
                break
            }
            guard let results = try await probe(Array(checks[done...]), samples) else { return walk }
            for result in results { note(result) }
            done += results.count
        }
        metrics.observe(.checkRoundDuration, duration: ContinuousClock.now - begun)
        return walk
    }

    // The results of the first few of the checks, one for each sample; nil when somebody else is probing.
    private func probe(_ checks: [SQLFile], _ samples: [CheckSample]) async throws -> [[CheckResult]]? {
        var results: [[CheckResult]] = []
        for (place, sample) in samples.enumerated() {
            let wanted = place == 0 ? checks : Array(checks.prefix(results.count))
            var done = 0
            repeat {
                let rest = Array(wanted[done...])
                guard let more = try await pool.withConnection({ try await Checks.probe($0, checks: rest, of: sample) }) else { return nil }
                if place == 0 { results = more.map { [$0] } } else { for (index, result) in more.enumerated() { results[done + index].append(result) } }
                done += more.count
            } while place > 0 && done < wanted.count
        }
        return results
    }

    // What one check has found in all samples.
    private func note(_ results: [CheckResult]) {
        guard let id = results.first?.id else { return }
        let broken = results.filter { !$0.rows.isEmpty }
        let rows = Set(broken.flatMap(\.rows)).count
        let failure = results.compactMap(\.failure).first
        metrics.set(.invariantViolations, id, to: Double(rows))
        metrics.count(
            .invariantChecks, id, rows > 0 ? "violated" : results.contains(where: \.isUnfinished) ? "unfinished" : failure == nil ? "good" : "failed")
        if let first = broken.first {
            log.error(
                "An invariant is broken: skein doctor shows all rows",
                metadata: [
                    .invariant: "\(id) \(first.name)", .count: "\(rows)\(broken.contains(where: \.hasMore) ? " or more" : "")",
                    .row: "\(first.rows[0])", .remedy: "\(first.remedy)",
                ])
        } else if let failure, !results.contains(where: \.isUnfinished) {
            log.warning("An invariant could not be looked at", metadata: [.invariant: "\(id)", .error: "\(failure)"])
        }
    }
}
