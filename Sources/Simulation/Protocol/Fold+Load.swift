// What a fold reads of its runs beyond what was due.

import Engine
import WorkflowModel

extension Fold {
    func loadSmallRuns() async throws(ModelError) {
        let indices = folds.indices.filter { !folds[$0].isKnown && folds[$0].change.version.isLoadedWhole }
        guard !indices.isEmpty else { return }
        let ids = indices.map { folds[$0].change.id }
        let found = try await link.query("fold: load") { transaction throws(ModelError) in
            var facts: [RunID: [StepPath: StepFacts]] = [:]
            try await self.server.statement(transaction) { statement throws(ModelError) in
                for row in self.tables.steps.find(statement, of: ids).rows { facts[row.run, default: [:]][row.record.path] = row.facts }
            }
            try await self.server.statement(transaction) { statement throws(ModelError) in
                for row in self.tables.tasks.find(statement, of: ids).rows {
                    facts[row.run, default: [:]][row.path] = .task(row.facts(isLocked: false))
                }
            }
            try await self.server.statement(transaction) { statement throws(ModelError) in
                for row in self.tables.liveSteps.find(statement, of: ids).rows { facts[row.run, default: [:]][row.path] = .live(row.facts) }
            }
            let inputs = try await self.server.statement(transaction) { statement throws(ModelError) in
                self.tables.runs.find(statement, keys: ids).rows.map { ($0.id, $0.input) }
            }
            return (facts, inputs)
        }
        for (id, input) in found.1 {
            guard let index = folds.firstIndex(where: { $0.change.id == id }) else { continue }
            var run = folds[index].frame.run
            run.input = input
            folds[index].frame = Frame(program: folds[index].frame.program, run: run, steps: found.0[id] ?? [:], isComplete: true)
            folds[index].isKnown = true
        }
    }

    func load(_ missing: [(Int, MissingFacts)]) async throws(ModelError) {
        let asked = missing.map { (folds[$0.0].change.id, $0.1) }
        // What was decided is read by later questions.
        let isRead = missing.contains { !$0.1.results.isEmpty }
        let written = isRead ? changes : Changes()
        let found = try await link.query("fold: ask") { transaction throws(ModelError) in
            var answers: [Answer] = []
            if isRead { try await self.server.writeHistory(transaction, written) }
            let waits = self.lockWaits
            for (run, facts) in asked { answers.append(try await self.answer(transaction, run, facts, waits)) }
            let waitsUnder = self.lockWaits
            for (index, (run, facts)) in asked.enumerated() {
                for loop in facts.liveUnder.sorted() {
                    answers[index].under[loop] = try await self.live(transaction, run, under: loop, waitsUnder)
                }
            }
            return answers
        }
        if isRead { changes.forgetWritten() }
        for ((index, facts), answer) in zip(missing, found) {
            folds[index].frame.add(answer.steps)
            if let input = answer.input { folds[index].frame.add(input: input) }
            for (loop, number, items) in answer.items { folds[index].frame.add(items: items, ofSlice: number, at: loop) }
            for (loop, results) in answer.results { folds[index].frame.add(results: results, of: loop) }
            for loop in facts.liveUnder.sorted() { folds[index].frame.add(live: answer.under[loop] ?? [], under: loop) }
        }
    }

    private struct Answer {
        var steps: [(StepPath, StepFacts)] = []
        var input: JSONText?
        var items: [(StepPath, Int, [JSONText])] = []
        var results: [(StepPath, LoopResults)] = []
        var under: [StepPath: [(StepPath, StepFacts)]] = [:]
    }

    /// Locks the tasks that a worker believes to have, and has no longer: it may be about to settle many of them, in the order of their keys.
    func lockStrayed(_ outcomes: [TaskRow]) async throws(ModelError) {
        let keys = outcomes.filter { $0.taskOutcome?.hasStrayed ?? false }.map(\.key).sorted()
        guard !keys.isEmpty, server.mutant != .strayedInAnyOrder else { return }
        try await link.query("fold: ask") { transaction throws(ModelError) in
            let waits = self.lockWaits
            try await self.server.statement(transaction) { statement throws(ModelError) in
                _ = try await self.tables.tasks.lock(statement, self.tables.tasks.find(statement, keys: keys), .update, waits)
            }
        }
        holdsTasks = true
    }

    // What a lock of tasks that somebody else has means.
    private var lockWaits: LockWait { holdsTasks && server.mutant != .foldWaitsWithTasks ? .fail : .wait }

    private func answer(_ transaction: Transaction, _ run: RunID, _ missing: MissingFacts, _ waits: LockWait) async throws(ModelError) -> Answer {
        var answer = Answer()
        let unlocked = missing.steps.sorted().map { StepKey(run: run, path: $0) }
        let locked = missing.lockedTasks.sorted().map { StepKey(run: run, path: $0) }
        let all = unlocked + locked
        if !all.isEmpty {
            var found: [StepPath: StepFacts] = [:]
            for key in all { found[key.path] = .notStarted }
            try await server.statement(transaction) { statement throws(ModelError) in
                for row in tables.steps.find(statement, keys: all).rows { found[row.record.path] = row.facts }
            }
            try await server.statement(transaction) { statement throws(ModelError) in
                for row in tables.liveSteps.find(statement, keys: all).rows { found[row.path] = .live(row.facts) }
            }
            try await server.statement(transaction) { statement throws(ModelError) in
                for row in tables.tasks.find(statement, keys: unlocked).rows { found[row.path] = .task(row.facts(isLocked: false)) }
            }
            try await server.statement(transaction) { statement throws(ModelError) in
                let rows = try await tables.tasks.lock(statement, tables.tasks.find(statement, keys: locked), .update, waits).rows
                for row in rows { found[row.path] = .task(row.facts(isLocked: true)) }
            }
            if !locked.isEmpty { holdsTasks = true }
            answer.steps = found.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        }
        if missing.input {
            answer.input = try await server.statement(transaction) { statement throws(ModelError) in
                tables.runs.find(statement, key: run).rows.first?.input
            }
        }
        try await server.statement(transaction) { statement throws(ModelError) in
            for (loop, numbers) in missing.items.sorted(by: { $0.key < $1.key }) {
                let all = tables.items.find(statement, key: StepKey(run: run, path: loop)).rows.first?.items ?? []
                for number in numbers.sorted() {
                    let start = number * LoopItems.sliceSize
                    guard start < all.count else { continue }
                    answer.items.append((loop, number, Array(all[start..<min(start + LoopItems.sliceSize, all.count)])))
                }
            }
            for loop in missing.results.sorted() {
                answer.results.append((loop, server.results(statement, of: StepKey(run: run, path: loop))))
            }
        }
        return answer
    }

    private func live(
        _ transaction: Transaction, _ run: RunID, under loop: StepPath, _ waits: LockWait
    ) async throws(ModelError) -> [(StepPath, StepFacts)] {
        let prefix = loop.text + "["
        let tasks = try await server.statement(transaction) { statement throws(ModelError) in
            let found = tables.tasks.find(statement, of: run) { $0.path.text.hasPrefix(prefix) }.sorted { $0.path < $1.path }
            return try await tables.tasks.lock(statement, found, .update, waits).rows
        }
        holdsTasks = true
        let live = try await server.statement(transaction) { statement throws(ModelError) in
            tables.liveSteps.find(statement, of: run) { $0.path.text.hasPrefix(prefix) }.rows
        }
        return tasks.map { ($0.path, .task($0.facts(isLocked: true))) } + live.map { ($0.path, .live($0.facts)) }
    }
}
