// The people: they submit, and they pause, resume, cancel and signal what they have submitted.

import Engine
import WorkflowModel

/// A client that wants some runs done.
final class Client {
    private let process: Process
    private var world: World { process.world }
    private var server: Server { world.server }
    private var random: SeededGenerator
    /// The workflows to run, and their inputs.
    private let wanted: [(name: String, input: JSONText)]
    private(set) var runs: [RunID?]
    /// The runs that somebody has paused and wants to go on.
    private var paused: Set<RunID> = []
    private var signals = 0
    private(set) var isDone = false

    init(_ process: Process, wanted: [(name: String, input: JSONText)]) {
        self.process = process
        self.wanted = wanted
        random = process.world.random.fork()
        runs = Array(repeating: nil, count: wanted.count)
        process.run("submit") { [self] fiber throws(ModelError) in try await submitAll(fiber) }
        for number in 1...2 { process.run("operate \(number)") { [self] fiber throws(ModelError) in try await operate(fiber) } }
    }

    private func opened(_ link: inout Link?, _ fiber: Fiber) throws(ModelError) -> Link {
        if let link, link.isOpen { return link }
        guard world.isServerUp, !process.isCut else { throw .connectionLost }
        let open = Link(of: process, fiber)
        link = open
        return open
    }

    // MARK: Submit

    private func submitAll(_ fiber: Fiber) async throws(ModelError) {
        var link: Link?
        for place in wanted.indices {
            try await fiber.sleep(until: world.now + .milliseconds(random.below(400)))
            var isAgain = false
            while runs[place] == nil || isAgain {
                do throws(ModelError) {
                    let open = try opened(&link, fiber)
                    let run = try await submit(place, on: open)
                    world.note("client has run \(run) for \(wanted[place].name)")
                    world.observer.wasAccepted(key(place), run)
                    runs[place] = run
                    world.notify([.tasks, .folds, .matches])
                    // Now and then somebody sends it again.
                    isAgain = !isAgain && random.chance(25)
                } catch {
                    if error == .killed { throw error }
                    if error != .connectionLost { world.report("I3", "submit: \(error)") }
                    link?.cut()
                    link = nil
                    try await fiber.sleep(until: world.now + .milliseconds(100))
                }
            }
        }
        isDone = true
        world.hasAnswered = true
    }

    private func key(_ place: Int) -> String { "key \(place)" }

    private func submit(_ place: Int, on link: Link) async throws(ModelError) -> RunID {
        guard let version = world.tables.liveVersion(wanted[place].name) else { throw .raised("SK004") }
        var ids = random
        let id = RunID(.version7(unixMilliseconds: world.now.microseconds / 1000, random: &ids))
        random = ids
        let row = RunKeyRow(key: key(place), request: wanted[place].name, run: id)
        let (now, owner) = try await link.begin("submit: key") { transaction throws(ModelError) in
            (self.world.now, try await self.take(row, transaction))
        }
        if let owner {
            try await link.commit("submit: known")
            return owner
        }
        if random.chance(20) {
            // As an application does it, inside its own transaction: the run begins with its first fold.
            try await link.commit("submit: insert") { transaction throws(ModelError) in
                var callees: [String: VersionID] = [:]
                for name in version.program.callees { callees[name] = self.world.tables.liveVersion(name)?.id }
                if self.server.mutant == .foldInMemory { transaction.isDurable = false }
                try await self.server.statement(transaction) { statement throws(ModelError) in
                    try await self.world.tables.runs.insert(
                        statement,
                        RunRow(
                            id: id, version: version.id, isBegun: false, submittedAt: now, trigger: "sql", callees: callees,
                            input: self.wanted[place].input))
                }
                try await self.server.statement(transaction) { statement throws(ModelError) in try await self.server.tell(statement, id, .start) }
            }
            return id
        }
        let fold = Fold(Coordinator.forSubmit(process), on: link, random: random.fork())
        try await fold.start([NewRun(id: id, version: version, input: wanted[place].input, trigger: "api")], at: now)
        for (run, reason) in fold.report.refused { world.report("refusals", "\(run): \(reason)") }
        return id
    }

    // The run that has the key, if it is another one.
    private func take(_ row: RunKeyRow, _ transaction: Transaction) async throws(ModelError) -> RunID? {
        let keys = world.tables.runKeys
        if server.mutant == .keyCheckedFirst {
            let known = try await server.statement(transaction) { statement throws(ModelError) in keys.find(statement, key: row.key).rows.first }
            if let known { return known.run }
            try await transaction.fiber.turn()
            let other = RunKeyRow(key: "\(row.key) \(row.run)", request: row.request, run: row.run)
            try await server.statement(transaction) { statement throws(ModelError) in try await keys.insert(statement, other) }
            return nil
        }
        let isNew = try await server.statement(transaction) { statement throws(ModelError) in
            if case .new = try await keys.insert(statement, row, .nothing) { true } else { false }
        }
        guard !isNew else { return nil }
        let known = try await server.statement(transaction) { statement throws(ModelError) in keys.find(statement, key: row.key).rows.first }
        guard let known else { throw .connectionLost }
        guard known.request == row.request else { throw .raised("SK003") }
        return known.run
    }

    // MARK: Operate

    private func operate(_ fiber: Fiber) async throws(ModelError) {
        var link: Link?
        while true {
            try await fiber.sleep(until: world.now + .milliseconds(50 + random.below(world.isHealing ? 2000 : world.settings.haste)))
            let known = runs.compactMap { $0 } + world.observer.liveRuns.filter { !runs.contains($0) }
            guard !known.isEmpty else { continue }
            do throws(ModelError) {
                let open = try opened(&link, fiber)
                if world.isHealing { try await help(known, on: open) } else { try await act(random.pick(known), on: open) }
            } catch {
                switch error {
                case .killed: throw error
                case .raised: break
                case .connectionLost:
                    link?.cut()
                    link = nil
                case .deadlock, .lockNotAvailable, .inFailedTransaction, .uniqueViolation:
                    world.report(error == .deadlock ? "deadlock" : "errors", "an operator's order: \(error)")
                }
            }
        }
    }

    private func act(_ run: RunID, on link: Link) async throws(ModelError) {
        let temper = world.settings.temper
        let draw = random.below(100)
        if draw < temper.pause {
            if paused.contains(run) { try await resume(run, on: link) } else { try await pause(run, on: link) }
        } else if draw < temper.pause + temper.signal {
            if random.chance(40) { try await publish(on: link) } else { try await signal(run, on: link) }
        } else if draw < temper.pause + temper.signal + temper.cancel {
            try await cancel(run, on: link)
        }
    }

    private func pause(_ run: RunID, on link: Link) async throws(ModelError) {
        paused.insert(run)
        try await link.call("pause") { transaction throws(ModelError) in try await self.server.pause(transaction, run) }
        world.note("paused \(run)")
    }

    private func resume(_ run: RunID, on link: Link) async throws(ModelError) {
        do throws(ModelError) {
            try await link.call("resume") { transaction throws(ModelError) in try await self.server.resume(transaction, run) }
        } catch {
            // Refused: it is not paused, or not any more.
            if case .raised = error { paused.remove(run) }
            throw error
        }
        paused.remove(run)
        world.note("resumed \(run)")
        world.notify([.tasks, .folds])
    }

    private func cancel(_ run: RunID, on link: Link) async throws(ModelError) {
        _ = try await link.call("cancel") { transaction throws(ModelError) in try await self.server.cancel(transaction, run, reason: "enough") }
        world.note("cancelled \(run)")
        world.notify(.folds)
    }

    private func signal(_ run: RunID, on link: Link) async throws(ModelError) {
        signals += 1
        let name = random.pick(["go", "go", "stop", "noise"])
        let data = JSONText(["n": .int(Int64(random.below(4)))])
        let id = "signal \(signals)"
        // Sent again when the answer is lost, and now and then without a reason.
        let number = try await link.call("signal") { transaction throws(ModelError) in
            try await self.server.signal(transaction, run, name: name, data: data, id: id)
        }
        if let number, random.chance(20) {
            let again = try await link.call("signal") { transaction throws(ModelError) in
                try await self.server.signal(transaction, run, name: name, data: data, id: id)
            }
            if let again, again != number { world.report("I20", "an event that was sent twice counts twice: \(number), \(again)") }
        }
        world.notify(.matches)
    }

    // For whoever waits for it, under a key.
    private func publish(on link: Link) async throws(ModelError) {
        signals += 1
        let id = "event \(signals)"
        let (name, key) = (random.pick(["go", "go", "stop"]), random.pick(DefinitionGenerator.keys))
        let data = JSONText(["n": .int(Int64(random.below(4)))])
        try await link.call("publish") { transaction throws(ModelError) in
            _ = try await self.server.publish(transaction, name: name, key: key, data: data, id: id)
        }
        world.notify(.matches)
    }

    // Everybody gets what he waits for; what has not ended after a while is cancelled.
    private func help(_ known: [RunID], on link: Link) async throws(ModelError) {
        helped += 1
        for run in known {
            guard let row = world.tables.runs.committedRow(run) else { continue }
            if row.pausedAt != nil, let owner = row.pausedBy {
                do throws(ModelError) { try await resume(owner, on: link) } catch {
                    guard case .raised = error else { throw error }
                }
            } else if helped > Self.patience, row.cancelRequestedAt == nil, world.settings.flavour == .any {
                try await cancel(run, on: link)
            } else if !world.tables.waits.committedRows(of: run).isEmpty {
                try await signal(run, on: link)
            }
        }
    }

    private var helped = 0
    private static let patience = 40
}

extension Coordinator {
    // A submit remembers nothing of the runs that it begins.
    static func forSubmit(_ process: Process) -> Coordinator { Coordinator(remembering: process) }
}
