// What waits below low-water marks is looked for: nobody else comes by there. The reaper says when there is something to do.

import Logging
import Postgres
import Telemetry

extension Coordinator {
    // Under a snapshot that is held for long there are millions of dead entries to look through: that takes longer than other statements may.
    private static let lookBelow: [(SQL, [Parameter])] = [
        ("select set_config('statement_timeout', '30min', true)", []), ("select skein.look_below_marks_v1()", []),
    ]

    // Which part of the time may go into looks just below the marks.
    private static let lookingShare = 0.05
    private static let shortestRest: Duration = .seconds(1)

    // Everything below each mark whose time has come, one after the other, each in a transaction of its own.
    func lookBelowMarks() async {
        while !Task.isCancelled {
            await marksWakeup.wait()
            do {
                while try await pool.withConnection({ try await $0.pipeline(Self.lookBelow)[1][0].int32(0) }) > 0 {}
            } catch {
                if !Task.isCancelled { log.debug("What waits below a mark could not be looked for", metadata: [.error: "\(error)"]) }
            }
        }
    }

    // What was committed late does not have to wait for a look at everything.
    func lookJustBelowMarks() async {
        let clock = ContinuousClock()
        while !Task.isCancelled {
            await nearMarksWakeup.wait()
            let begun = clock.now
            do {
                let pulled = try await pool.withConnection { try await $0.query("select skein.look_just_below_marks_v1()")[0].int32(0) }
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
