// Follows runs until they have ended.

import Foundation
import WorkflowModel

/// Follows one run or several.
package struct RunFollower: Sendable {
    /// No terminal is painted more often.
    private static let shortestPause: Duration = .milliseconds(200)
    private static let longestPause: Duration = .seconds(1)
    /// The pause grows to this part of the time that has passed: who waits for an hour does not need to know within a second.
    private static let pauseShare = 0.01
    /// How long an unreachable coordinator is asked again before the follower gives up.
    private static let outagePatience: Duration = .seconds(60)
    /// The most steps of a run that are shown.
    private static let mostSteps = 500

    private let client: APIClient
    private let console: Console

    package init(client: APIClient, console: Console) {
        self.client = client
        self.console = console
    }

    /// How following ended.
    package struct Ending: Sendable {
        /// What the program exits with.
        package let status: CommandStatus
        /// The runs as they were seen last.
        package let boards: [RunBoard]
    }

    /// Follows runs until all have ended, or until the time is over.
    ///
    /// - Parameters:
    ///   - ids: the runs.
    ///   - timeout: when to stop following; nil follows for as long as it takes.
    ///   - isQuiet: writes nothing on standard output.
    package func follow(_ ids: [String], timeout: Duration?, isQuiet: Bool) async throws -> Ending {
        let begun = ContinuousClock.now
        var boards: [String: RunBoard] = [:]
        var live: LiveLines? = console.isTerminal && !isQuiet ? LiveLines(console: console) : nil
        var outageSince: ContinuousClock.Instant?
        do {
            while true {
                do {
                    for id in ids where !(boards[id]?.hasEnded ?? false) {
                        let board = try await look(at: id, withSteps: !isQuiet)
                        if live == nil, !isQuiet {
                            for line in board.changes(since: boards[id], at: Self.moment()) { console.print(line) }
                        }
                        boards[id] = board
                    }
                    if outageSince != nil { console.note("the coordinator answers again") }
                    outageSince = nil
                } catch let failure as CommandFailure where failure.status == .unreachable && !boards.isEmpty {
                    // The run goes on without us; a coordinator that is started again answers in seconds.
                    if outageSince == nil { console.note("\(failure.message); still asking") }
                    outageSince = outageSince ?? .now
                    if let outageSince, ContinuousClock.now - outageSince > Self.outagePatience { throw failure }
                }
                let seen = ids.compactMap { boards[$0] }
                let isOver = seen.count == ids.count && seen.allSatisfy(\.hasEnded)
                let isLate = timeout.map { ContinuousClock.now - begun >= $0 } ?? false
                if isOver || isLate {
                    live?.finish(lines(seen, isLast: true))
                    live = nil
                    return Ending(status: CommandStatus.worst(of: seen.map(\.exitStatus)), boards: seen)
                }
                live?.paint(lines(seen, isLast: false))
                let passed = ContinuousClock.now - begun
                try await Task.sleep(for: min(Self.longestPause, max(Self.shortestPause, passed * Self.pauseShare)))
            }
        } catch {
            live?.leave()
            throw error
        }
    }

    /// Follows runs until the first Ctrl-C, which detaches: the runs go on, and standard error says how to find them again.
    ///
    /// - Returns: how following ended; nil when it was interrupted.
    package func followUntilInterrupted(_ ids: [String], timeout: Duration?, isQuiet: Bool) async throws -> Ending? {
        let outcome = try await Interrupts.until(Interrupts.stream()) { try await follow(ids, timeout: timeout, isQuiet: isQuiet) }
        if let ending = outcome.result {
            if ending.status == .stillRunning { tellHowToReturn(ids, "still running") }
            return ending
        }
        tellHowToReturn(ids, "\ndetached; nothing was stopped")
        return nil
    }

    private func tellHowToReturn(_ ids: [String], _ what: String) {
        let names = ids.count == 1 ? ids[0] : "RUN"
        console.note("\(what). Follow again: skein run watch \(names)   cancel: skein run cancel \(names)")
    }

    /// A run as it is now.
    ///
    /// - Parameters:
    ///   - withSteps: false looks at the run only.
    ///   - isWhole: with the inputs, outputs and details of its steps.
    package func look(at id: String, withSteps: Bool = true, isWhole: Bool = false) async throws -> RunBoard {
        let path = "/api/v1/runs/\(id)"
        // The run first: when it is seen to have ended, the steps that are read after it are all there.
        let run = try await client.get(path).json
        guard withSteps else { return RunBoard(run: run, steps: []) }
        return RunBoard(
            run: run, steps: try await client.items(path + "/steps", [("brief", isWhole ? nil : "true")], limit: isWhole ? .max : Self.mostSteps))
    }

    private func lines(_ boards: [RunBoard], isLast: Bool) -> [String] {
        if boards.count == 1 {
            let summary = boards[0].summary(on: console)
            let footer = isLast ? summary : "\(summary) · Ctrl-C detaches"
            return boards[0].stepLines(on: console) + "  \(footer)".split(separator: "\n").map(String.init)
        }
        let names = boards.map(\.name)
        let width = min(64, names.map(TextTable.width).max() ?? 0)
        var lines = zip(boards, names).map { board, name in
            "  " + board.line(on: console, name: name + String(repeating: " ", count: max(0, width - TextTable.width(name))))
        }
        let ended = boards.count(where: \.hasEnded)
        if !isLast { lines.append("  \(ended) of \(boards.count) ended · Ctrl-C detaches") }
        return lines
    }

    private static func moment() -> String {
        Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1000) * 1000).description
    }
}
