// What a run looks like at one moment, as lines for a terminal, and what changed between two moments.

import Foundation
package import WorkflowModel

/// A run and its steps as the coordinator showed them.
package struct RunBoard: Sendable {
    /// The run.
    package let run: JSONValue
    /// The steps that have started or settled.
    package let steps: [JSONValue]

    package init(run: JSONValue, steps: [JSONValue]) {
        self.run = run
        self.steps = StepTree.ordered(steps)
    }

    /// The run's id.
    package var id: String { run["run_id"]?.stringValue ?? "" }
    /// The run's status.
    package var status: String { run["status"]?.stringValue ?? "unknown" }
    /// What it is called among others: the end of its id, and its labels.
    package var name: String {
        let labels = (run["labels"]?.objectValue?.values ?? []).compactMap(\.stringValue)
        return ([RunReference.short(id)] + labels).map(Console.printable).joined(separator: "  ")
    }
    /// Whether nothing happens any more.
    package var hasEnded: Bool { RunStatus(rawValue: status)?.isEnding ?? false }
    /// What following it ends with.
    package var exitStatus: CommandStatus { RunStatus(rawValue: status).map { CommandStatus($0) } ?? .unexpected }
    /// `name@version`.
    package var workflow: String { "\(run["workflow"]?.stringValue ?? "?")@\(run["version"]?.intValue.map(String.init) ?? "?")" }

    /// What the run is to other runs: who started it, and what it followed.
    package var relatives: [String] {
        var lines: [String] = []
        if let parent = run["parent_run_id"]?.stringValue {
            lines.append("started by step \(Console.printable(run["parent_step"]?.stringValue ?? "")) of run \(parent)")
        }
        if let source = run["source_run_id"]?.stringValue {
            lines.append("\(Console.printable(run["trigger"]?.stringValue ?? "follows")) of run \(source)")
        }
        if let reason = run["pause_reason"]?.stringValue { lines.append("paused: \(Console.printable(reason))") }
        if let draining = run["draining"]?.intValue, draining > 0 {
            lines.append("draining: \(draining) \(draining == 1 ? "attempt" : "attempts") still running")
        }
        for triggered in run["triggered"]?.arrayValue ?? [] {
            lines.append(
                "started \(Console.printable(triggered["workflow"]?.stringValue ?? "")) (\(Console.printable(triggered["trigger"]?.stringValue ?? ""))): run \(triggered["run_id"]?.stringValue ?? ""), \(triggered["status"]?.stringValue ?? "")"
            )
        }
        for letter in run["letters"]?.arrayValue ?? [] {
            lines.append(
                "could not start \(Console.printable(letter["workflow"]?.stringValue ?? "")) (\(Console.printable(letter["step"]?.stringValue ?? ""))): \(Self.failure(letter["error"]) ?? "")"
            )
        }
        return lines
    }

    // MARK: As lines

    /// One line for each step.
    package func stepLines(on console: Console) -> [String] {
        let names = steps.map { Console.printable($0["step"]?.stringValue ?? "?") }
        let width = max(14, names.map(TextTable.width).max() ?? 0)
        return zip(steps, names).map { step, name in
            let padding = String(repeating: " ", count: max(0, width - TextTable.width(name)))
            let verb = step["verb"]?.stringValue ?? ""
            let took = step["started_at"]?.stringValue == nil ? "" : HumanTime.duration(step["duration_seconds"]?.doubleValue ?? 0)
            let columns =
                "\(verb.padding(toLength: 8, withPad: " ", startingAt: 0))  \(String(repeating: " ", count: max(0, 6 - took.count)))\(took)"
            let status = step["status"]?.stringValue ?? "?"
            let note = Self.note(step)
            return
                "  \(console.glyph(status)) \(name)\(padding)  \(console.styled(columns, .dim))  \(status)\(note.isEmpty ? "" : "  " + console.styled(note, .dim))"
        }
    }

    // What is worth knowing beside the status.
    private static func note(_ step: JSONValue) -> String {
        var parts: [String] = []
        if let attempt = step["attempt"]?.intValue, attempt > 1 { parts.append("attempt \(attempt)") }
        if let losses = step["losses"]?.intValue, losses > 0 { parts.append("lost \(losses) ×") }
        if let reason = step["wait_reason"]?.stringValue { parts.append(reason) }
        if let error = failure(step["error"]) { parts.append(error) }
        return parts.joined(separator: " · ")
    }

    /// `type: message`, on one line.
    package static func failure(_ error: JSONValue?) -> String? {
        guard let error, error != .null else { return nil }
        let kind = [error["type"]?.stringValue, error["code"]?.stringValue].compactMap { $0 }.joined(separator: "/")
        let place = error["path"]?.stringValue.map { " at \($0)" } ?? ""
        return Console.printable("\(kind)\(place): \(error["message"]?.stringValue ?? "")")
    }

    // How many steps have settled, also where not all of them are here.
    private var settledSteps: Int {
        let seen = steps.count { StepStatus(rawValue: $0["status"]?.stringValue ?? "")?.isSettled ?? false }
        return max(seen, run["steps_settled"]?.intValue.map { Int(clamping: $0) } ?? 0)
    }

    /// How many steps are shown of how many; nil when all are.
    package var hidden: String? {
        let settled = settledSteps
        return settled > steps.count ? "these are \(steps.count) of \(settled) steps" : nil
    }

    /// The run's own line.
    package func summary(on console: Console) -> String {
        let seconds = run["duration_seconds"]?.doubleValue ?? 0
        let settled = settledSteps
        var text = "\(console.status(status)) after \(HumanTime.duration(seconds)), \(settled == 1 ? "1 step" : "\(settled) steps") settled"
        if run["is_cancelling"]?.boolValue ?? false { text += ", cancelling" }
        if run["is_quarantined"]?.boolValue ?? false { text += ", quarantined: \(Console.printable(run["reason"]?.stringValue ?? ""))" }
        if let error = Self.failure(run["error"]) { text += "\n  \(console.styled(error, .red))" }
        return text
    }

    /// One line for the run among others.
    package func line(on console: Console, name: String) -> String {
        let statuses = steps.map { StepStatus(rawValue: $0["status"]?.stringValue ?? "") }
        let settled = settledSteps
        let live = zip(steps, statuses).filter { $1 == .running || $1 == .waiting || $1 == .ready }.compactMap { $0.0["step"]?.stringValue }
        var text = "\(console.glyph(status)) \(name)  \(status.padding(toLength: 9, withPad: " ", startingAt: 0))"
        text +=
            "  \(HumanTime.duration(run["duration_seconds"]?.doubleValue ?? 0).leftPadded(to: 6))  \(String(settled).leftPadded(to: 3)) settled"
        if !live.isEmpty { text += console.styled("  now: " + Console.printable(live.prefix(4).joined(separator: ", ")), .dim) }
        if let error = Self.failure(run["error"]) { text += "  \(console.styled(error, .red))" }
        return text
    }

    // MARK: Changes

    /// What is new against an earlier look, one line each, for logs and scripts.
    package func changes(since earlier: RunBoard?, at moment: String) -> [String] {
        var before: [String: (status: String, attempt: Int64)] = [:]
        for step in earlier?.steps ?? [] {
            before[step["step"]?.stringValue ?? ""] = (step["status"]?.stringValue ?? "", step["attempt"]?.intValue ?? 0)
        }
        let run = "\(moment) run=\(RunReference.short(id))"
        var lines: [String] = []
        for step in steps {
            let name = step["step"]?.stringValue ?? ""
            let now = (status: step["status"]?.stringValue ?? "", attempt: step["attempt"]?.intValue ?? 0)
            let was = before[name]
            if let was, was == now { continue }
            var line = "\(run) step=\(Console.printable(name)) attempt=\(now.attempt) status=\(now.status)"
            if let was { line += " prev=\(was.status)" }
            if let reason = step["wait_reason"]?.stringValue { line += " wait=\(reason)" }
            if let kind = step["error"]?["type"]?.stringValue { line += " error=\(Console.printable(kind))" }
            lines.append(line)
        }
        if earlier?.status != status {
            var line = "\(run) status=\(status)"
            if let earlier { line += " prev=\(earlier.status)" }
            if let kind = self.run["error"]?["type"]?.stringValue { line += " error=\(Console.printable(kind))" }
            // The run's ending comes after its last step's, its beginning before the first.
            if hasEnded { lines.append(line) } else { lines.insert(line, at: 0) }
        }
        return lines
    }
}

extension String {
    func leftPadded(to width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }
}
