// Commands as text: short for stories, complete for comparing decisions.

import Engine
import WorkflowModel

extension Command {
    /// What the command does, in a few words.
    var line: String {
        switch self {
        case .enqueue(let path, _, _): "enqueue \(path)"
        case .requeue(let path, _): "requeue \(path)"
        case .backOff(let path, _, _): "back off \(path)"
        case .wake(let path): "wake \(path)"
        case .dequeue(let path, _): "dequeue \(path)"
        case .tellWorker(let path): "tell \(path)"
        case .keep(let path, _, .pending(let pending)): "keep \(path) \(pending.unmet)/\(pending.met)"
        case .keep(let path, _, .block): "keep \(path)"
        case .drop(let path): "drop \(path)"
        case .recordStep(let record): "\(record.settled.status.rawValue) \(record.path)"
        case .recordAttempt(let record): "attempt \(record.path) \(record.outcome.status.rawValue)\(record.discarded ? " discarded" : "")"
        case .recordEvent(let record): "event \(record.kind)"
        case .end(let ending): "end \(ending.status.rawValue)"
        }
    }

    /// Everything that the command says.
    var fingerprint: String {
        switch self {
        case .enqueue(_, let node, let input): "\(line) \(node) \(input)"
        case .requeue(_, let task): "\(line) \(task.fingerprint)"
        case .backOff(_, let task, let dueAt): "\(line) \(task.fingerprint) until \(dueAt)"
        case .wake, .tellWorker, .drop: line
        case .dequeue(_, let hasTimer): "\(line) \(hasTimer)"
        case .keep(_, let node, let facts): "\(line) \(node) \(facts.fingerprint)"
        case .recordStep(let record):
            "\(line) \(record.node) #\(record.sequence) \(record.settled.fingerprint) losses \(record.losses) "
                + (record.attempt.map { "\($0.fence) \($0.session) \($0.claimedAt)" } ?? "no attempt")
        case .recordAttempt(let record):
            "\(line) #\(record.sequence) \(record.outcome.fence) \(record.outcome.failure.text) \(record.outcome.output?.text ?? "-")"
        case .recordEvent(let record): "\(line) #\(record.sequence) \(record.at) \(record.body?.compactText ?? "-")"
        case .end(let ending): "\(line) \(ending.output?.text ?? "-") \(ending.failure.text) \(ending.at)"
        }
    }
}

extension Failure? {
    var text: String { self?.json.compactText ?? "-" }
}

extension SettledFacts {
    /// Everything but the output, which a frame need not have.
    var withoutOutput: SettledFacts {
        var copy = self
        copy.output = nil
        return copy
    }

    var fingerprint: String {
        "\(status) \(output?.text ?? "-") \(failure.text) \(attempts) \(startedAt?.description ?? "-") \(finishedAt)"
    }
}

extension TaskFacts {
    /// Everything but the phase, which only the row knows.
    var fingerprint: String { "\(attempt) \(losses) \(retryCounts) \(lastDelay) \(startedAt?.description ?? "-")" }
}

extension LiveStepFacts {
    var fingerprint: String {
        switch self {
        case .pending(let pending): "\(pending.unmet) \(pending.met)"
        case .block(let block): block.fingerprint
        }
    }
}

extension BlockFacts {
    var fingerprint: String {
        "\(unsettled) \(live) \(ending.map(\.json.compactText) ?? "-") \(startedAt?.description ?? "-")"
    }
}
