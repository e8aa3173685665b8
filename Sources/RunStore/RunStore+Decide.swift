// Decides for all runs of a batch. Facts that the engine asks for are loaded for all of them at once, until none asks any more.

import Engine
import Postgres
import WorkflowModel

extension RunStore {
    // More rounds than any definition needs: one for the frame, and one for each time that a decision leads into unknown blocks.
    private static let roundLimit = 10_000
    // So many steps that have settled are on their way to the server while the next ones are decided.
    private static let stepsAhead = 256

    func decideAll(
        _ folds: inout [RunFold], _ changes: inout ChangeSet, _ report: inout FoldReport, now: Timestamp,
        on db: isolated PostgresConnection
    ) throws(PostgresError) {
        try loadSmallRuns(&folds, on: db)
        for _ in 0..<Self.roundLimit {
            var missing: [(Int, MissingFacts)] = []
            for index in folds.indices {
                if let facts = try Self.decide(&folds[index], &changes, &report, now: now, on: db) { missing.append((index, facts)) }
            }
            if missing.isEmpty { return }
            try load(missing, into: &folds, &changes, on: db)
        }
        throw PostgresError(code: .protocolViolation, message: "a decision asked for facts more than \(Self.roundLimit) times")
    }

    // Takes the inputs that are left; answers with what is missing for the next one.
    private static func decide(
        _ fold: inout RunFold, _ changes: inout ChangeSet, _ report: inout FoldReport, now: Timestamp, on db: isolated PostgresConnection
    ) throws(PostgresError) -> MissingFacts? {
        while fold.next < fold.inputs.count {
            let input = fold.inputs[fold.next]
            guard !fold.isSuperseded(input) else {
                fold.next += 1
                continue
            }
            do throws(Rejection) {
                let commands = try fold.isSuspended ? Engine.proceed(&fold.frame) : Engine.decide(&fold.frame, input, at: now)
                take(commands, of: input, &fold, &changes)
                fold.isSuspended = false
                report.inputs += 1
            } catch {
                switch error {
                case .incomplete(let missing): return missing
                case .suspended(let commands, let missing):
                    take(commands, of: input, &fold, &changes)
                    fold.isSuspended = true
                    return missing
                case .unknownStep(let path) where input.isOutcome:
                    // Dropped, it would leave the run without anything that moves it.
                    throw .unreadable("A result cannot be taken: the workflow has no agent step \"\(path.text)\".")
                case .wrongPhase, .alreadyEnded, .unknownStep, .alreadySettled, .staleTask:
                    note(refused: input, error, of: fold, &changes, &report)
                    fold.isSuspended = false
                }
            }
            fold.next += 1
            if changes.steps.count >= stepsAhead { try db.sendAhead(changes.takeHistory()) }
        }
        return nil
    }

    private static func take(_ commands: [Command], of input: Input, _ fold: inout RunFold, _ changes: inout ChangeSet) {
        if !fold.isSuspended {
            switch input {
            case .start: fold.change.starts = true
            // Left, until a command says otherwise.
            case .event(let path, let event): changes.events[EventKey(event.id, fold.change.id, path)] = EventDecision()
            case .outcome, .timer, .cancel, .childEnded, .adjust: break
            }
        }
        for command in commands { fold.change.merge(command, into: &changes) }
        fold.change.facts = fold.frame.run
    }

    // Refused for good. What came too late is no fault: a timer or a child's ending that crossed the step's own.
    private static func note(
        refused input: Input, _ error: Rejection, of fold: RunFold, _ changes: inout ChangeSet, _ report: inout FoldReport
    ) {
        let id = fold.change.id
        switch input {
        // The outcome's row must go, or it would come back for ever.
        case .outcome(let outcome): changes.refused.append((id, outcome.path))
        // The event is not taken, and another wait may have it.
        case .event(let path, let event):
            changes.events[EventKey(event.id, id, path)] = EventDecision()
            return
        case .timer, .childEnded, .adjust: return
        case .start, .cancel: break
        }
        if !fold.frame.run.isEnded { report.refused.append((id, "\(error)")) }
    }
}

extension Input {
    fileprivate var isOutcome: Bool { if case .outcome = self { true } else { false } }
}
