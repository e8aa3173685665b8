// Decides for all runs of a batch. Facts that the engine asks for are loaded for all of them at once, until none asks any more.

import Engine
import Postgres
import WorkflowModel

extension RunStore {
    // More rounds than any definition needs: one for the frame, and one for each time that a decision leads into unknown blocks.
    private static let roundLimit = 10_000

    func decideAll(
        _ folds: inout [RunFold], _ changes: inout ChangeSet, _ report: inout FoldReport, now: Timestamp,
        on db: isolated PostgresConnection
    ) throws(PostgresError) {
        try loadSmallRuns(&folds, on: db)
        for _ in 0..<Self.roundLimit {
            var missing: [(Int, MissingFacts)] = []
            for index in folds.indices {
                if let facts = Self.decide(&folds[index], &changes, &report, now: now) { missing.append((index, facts)) }
            }
            if missing.isEmpty { return }
            try load(missing, into: &folds, on: db)
        }
        throw PostgresError(code: .protocolViolation, message: "a decision asked for facts more than \(Self.roundLimit) times")
    }

    // Takes the inputs that are left; answers with what is missing for the next one.
    private static func decide(
        _ fold: inout RunFold, _ changes: inout ChangeSet, _ report: inout FoldReport, now: Timestamp
    ) -> MissingFacts? {
        while fold.next < fold.inputs.count {
            let input = fold.inputs[fold.next]
            do throws(Rejection) {
                let commands = try Engine.decide(&fold.frame, input, at: now)
                if case .start = input { fold.change.starts = true }
                for command in commands { fold.change.merge(command, into: &changes) }
                fold.change.facts = fold.frame.run
                report.inputs += 1
            } catch {
                switch error {
                case .incomplete(let missing): return missing
                case .wrongPhase, .alreadyEnded, .unknownStep, .alreadySettled, .staleTask:
                    // Refused for good. An outcome's row must go, or it would come back for ever.
                    if case .outcome(let outcome) = input { changes.refused.append((fold.change.id, outcome.path)) }
                    if !fold.frame.run.isEnded { report.refused.append((fold.change.id, "\(error)")) }
                }
            }
            fold.next += 1
        }
        return nil
    }
}
