// What waits below low-water marks is looked for: nobody else comes by there. The reaper says when there is something to do.

import Logging
import Postgres
import Telemetry
import WorkflowModel

extension Coordinator {
    // Under a snapshot that is held for long there are millions of dead entries to look through.
    private static let longestLook: Duration = .seconds(1800)

    // Which part of a coordinator's time may go into looks just below the marks.
    private static let lookingShare = 0.1
    private static let shortestRest: Duration = .seconds(2)

    // How late a commit may be to be found by a look just below the marks, and how far that looks at most.
    private static let lateness: Duration = .seconds(2)
    private static let longestReach: Duration = .seconds(30)

    // Everything below each mark whose time has come, one after the other, each in a transaction of its own. On a connection of its own, too: it may
    // wait for its answer longer than others.
    func lookBelowMarks() async {
        var database = configuration.database
        database.statementTimeout = Self.longestLook
        database.answerTimeout = nil
        var kept: PostgresConnection?
        while !Task.isCancelled {
            await marksWakeup.wait()
            do {
                let connection = if let kept, kept.isUsable { kept } else { try await PostgresConnection.connect(database) }
                kept = connection
                while try await connection.execute("select skein.look_below_marks_v1()")[0].int32(0) > 0 {}
            } catch {
                if !Task.isCancelled { log.debug("What waits below a mark could not be looked for", metadata: [.error: "\(error)"]) }
            }
        }
        await kept?.close()
    }

    // What was committed late does not have to wait for a look at everything. Each look reaches back to the one before.
    func lookJustBelowMarks() async {
        let clock = ContinuousClock()
        var last = clock.now
        while !Task.isCancelled {
            await nearMarksWakeup.wait()
            let begun = clock.now
            let reach = min(begun - last + Self.lateness, Self.longestReach)
            do {
                let pulled = try await pool.withConnection { connection in
                    try await connection.query("select skein.look_just_below_marks_v1($1 * interval '1 second')", [.double(reach.seconds)])[0].int32(0)
                }
                last = begun
                if pulled > 0 {
                    wakeFolds()
                    wakeWorkers()
                }
            } catch {
                if !Task.isCancelled { log.debug("What waits just below the marks could not be looked for", metadata: [.error: "\(error)"]) }
            }
            try? await Task.sleep(for: max(Self.shortestRest, (clock.now - begun) / Self.lookingShare))
        }
    }
}
