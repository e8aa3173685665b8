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
        case .setTimer(let path, let kind, _, _): "set \(kind.rawValue) \(path?.text ?? "run")"
        case .removeTimer(let path, let kind): "remove \(kind.rawValue) \(path?.text ?? "run")"
        case .keepItems(let path, let items): "items \(path) \(items.count)"
        case .startChild(let start): "child \(start.path) \(start.workflow) \(start.attempt)"
        case .cancelChild(let path): "cancel child \(path)"
        case .wait(let order): "wait \(order.path)"
        case .endWait(let path): "end wait \(path)"
        case .consume(let id, let path): "consume \(id) \(path)"
        case .refuse(let id, _, _): "refuse \(id)"
        case .dropEvent(let id, _): "ignore \(id)"
        case .emit(let order): "emit \(order.name)"
        case .chain(let start): "chain \(start.workflow)"
        case .keep(let path, _, .pending(let pending)): "keep \(path) \(pending.unmet)/\(pending.met)"
        case .keep(let path, _, _): "keep \(path)"
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
        case .wake, .tellWorker, .drop, .removeTimer, .cancelChild, .endWait, .consume, .dropEvent: line
        case .setTimer(_, _, let dueAt, let isAbsolute): "\(line) \(dueAt) \(isAbsolute)"
        case .keepItems(_, let items): "\(line) \(items)"
        case .startChild(let start): "\(start)"
        case .wait(let order): "\(order)"
        case .refuse(_, _, let reason): "\(line) \(reason)"
        case .emit(let order): "\(order)"
        case .chain(let start): "\(start)"
        case .dequeue(_, let hasTimer): "\(line) \(hasTimer)"
        case .keep(_, let node, let facts): "\(line) \(node) \(facts.stored)"
        case .recordStep(let record):
            "\(line) \(record.node) #\(record.sequence) \(record.settled.fingerprint) losses \(record.losses) "
                + (record.attempt.map { "\($0.fence) \($0.session) \($0.claimedAt)" } ?? "no attempt")
        case .recordAttempt(let record):
            "\(line) #\(record.sequence) \(record.outcome.fence) \(record.outcome.failure.text) \(record.outcome.output?.text ?? "-")"
        case .recordEvent(let record):
            "\(line) \(record.path?.text ?? "-") #\(record.sequence) \(record.at) \(record.body?.compactText ?? "-")"
        case .end(let ending):
            "\(line) \(ending.output?.text ?? "-") \(ending.outputFrom?.text ?? "-") \(ending.failure.text) \(ending.at)"
        }
    }
}

extension Failure? {
    var text: String { self?.json.compactText ?? "-" }
}

extension SettledFacts {
    /// Everything but the output, which a frame need not have, and how it is put together, which only the command says.
    var withoutOutput: SettledFacts {
        var copy = self
        copy.output = nil
        copy.collected = nil
        copy.failure = failure.map { Failure(json: $0.json) }
        return copy
    }

    var fingerprint: String {
        "\(status) \(output?.text ?? "-") \(collected.map { "\($0)" } ?? "-") \(failure.text) \(attempts) \(startedAt?.description ?? "-") \(finishedAt)"
    }
}

extension TaskFacts {
    /// Everything but the phase, which only the row knows.
    var fingerprint: String { "\(attempt) \(losses) \(retryCounts) \(lastDelay) \(startedAt?.description ?? "-")" }
}
