// Acts a script of the protocol out in the model.

import Engine
import WorkflowModel

/// The sessions of a script, and what they have said so far.
package final class ProtocolActors {
    private let stage = Stage()
    private let server: Server
    private var actors: [String: Actor] = [:]
    private static let runs = (1...2).map { RunID(UUIDBytes(high: 0x0189_0000_0000_7000, low: 0x8000_0000_0000_0000 + UInt64($0))) }

    private final class Actor {
        let fiber: Fiber
        var id = SessionID(0)
        var transaction: Transaction?
        var move: ProtocolMove?
        var answer: String?
        var claimed: [TaskRow] = []

        init(_ fiber: Fiber) { self.fiber = fiber }
    }

    private init(_ script: ProtocolScript) {
        let tables = Tables()
        server = Server(tables: tables, stage: stage)
        let steps = ["a", "b"].map { Step(id: $0, verb: .agent(.inline(AgentDefinition(kind: .noop)))) }
        do throws(ProgramError) { try tables.add(WorkflowDefinition(name: "two", body: .graph(steps))) } catch {
            preconditionFailure("The workflow of the scripts does not compile: \(error)")
        }
        let loader = stage.start("loader") { [self] fiber throws(ModelError) in
            let transaction = tables.database.begin(fiber)
            try await server.statement(transaction) { statement throws(ModelError) in
                for run in Self.runs {
                    try await tables.runs.insert(
                        statement, RunRow(id: run, version: VersionID(1), submittedAt: stage.now, trigger: "api", input: .null))
                    for (node, path) in ["a", "b"].enumerated() {
                        stage.now = stage.now + .milliseconds(1)
                        try await tables.tasks.insert(
                            statement,
                            TaskRow(
                                run: run, path: StepPath(path), version: VersionID(1), node: node, priority: 0, readyAt: stage.now, input: .null))
                    }
                }
            }
            tables.database.commit(transaction)
        }
        stage.resume(loader)
        for name in script.sessions { start(name) }
    }

    private func start(_ name: String) {
        final class Place { weak var actor: Actor? }
        let place = Place()
        let fiber = stage.start(name) { [self] fiber throws(ModelError) in
            guard let actor = place.actor else { return }
            let transaction = server.database.begin(fiber)
            actor.id = try await server.register(transaction)
            server.database.commit(transaction)
            while true {
                guard let move = actor.move else {
                    try await fiber.sleep(until: .distantFuture)
                    continue
                }
                actor.answer = await perform(move, actor, fiber)
                actor.move = nil
            }
        }
        let actor = Actor(fiber)
        place.actor = actor
        actors[name] = actor
        stage.resume(fiber)
    }

    /// What the sessions answer, step by step, and what is there at the end.
    package static func play(_ script: ProtocolScript) -> [String] {
        let stage = ProtocolActors(script)
        defer { stage.stage.clear() }
        var lines: [String] = []
        for (number, step) in script.steps.enumerated() {
            guard let actor = stage.actors[step.session] else { continue }
            stage.stage.now = stage.stage.now + .milliseconds(1)
            actor.move = step.move
            actor.fiber.wake()
            while let fiber = stage.stage.fibers.first(where: \.isReady) { stage.stage.resume(fiber) }
            lines.append("\(number + 1)" + stage.said(by: step.session))
        }
        return lines + ["end " + stage.end]
    }

    private func said(by name: String) -> String {
        var text = ""
        for (name, actor) in actors.sorted(by: { $0.key < $1.key }) {
            if let answer = actor.answer { text += " \(name): \(answer)" }
            actor.answer = nil
        }
        if actors[name]?.move != nil { text += " \(name) waits" }
        return text
    }

    private static func number(_ run: RunID) -> Int { Int(run.uuid.low & 0xF) }

    private var end: String {
        let tasks = server.tables.tasks.committedRows.sorted { $0.key < $1.key }
            .map { "\(Self.number($0.run))/\($0.path) \($0.state)\($0.held ? " held" : "")\($0.outcome.map { " \($0.rawValue)" } ?? "")" }
        let runs = server.tables.runs.committedRows.sorted { $0.id < $1.id }
            .map { "\(Self.number($0.id))\($0.pausedAt != nil ? " paused" : "")\($0.cancelRequestedAt != nil ? " cancelled" : "") \($0.historyLength)" }
        return (tasks + runs).joined(separator: ", ")
    }

    private func perform(_ move: ProtocolMove, _ actor: Actor, _ fiber: Fiber) async -> String {
        let database = server.database
        do throws(ModelError) {
            switch move {
            case .begin:
                actor.transaction = database.begin(fiber)
                return "ok"
            case .commit:
                if let transaction = actor.transaction { database.commit(transaction) }
                actor.transaction = nil
                return "ok"
            case .rollback:
                if let transaction = actor.transaction { database.rollBack(transaction) }
                actor.transaction = nil
                return "ok"
            case .claim, .settle, .heartbeat, .expire, .markDead, .reap, .pause, .resume, .cancel, .lockDue, .leaveMark, .register, .forgetTimeline,
                .checkEpoch, .adopt, .wait, .signal, .match:
                if let transaction = actor.transaction { return try await answer(move, actor, transaction) }
                let transaction = database.begin(fiber)
                do throws(ModelError) {
                    let text = try await answer(move, actor, transaction)
                    database.commit(transaction)
                    return text
                } catch {
                    database.rollBack(transaction)
                    throw error
                }
            }
        } catch {
            return "error \(error.scriptCode)"
        }
    }

    private func answer(_ move: ProtocolMove, _ actor: Actor, _ transaction: Transaction) async throws(ModelError) -> String {
        switch move {
        case .claim(let limit):
            actor.claimed = try await server.claim(transaction, actor.id, limit: limit)
            return list(actor.claimed.map(\.key))
        case .settle:
            let settlements = actor.claimed.map { Settlement(key: $0.key, fence: $0.fence ?? Fence(0), status: .succeeded, output: .null) }
            let kept = try await server.settle(transaction, actor.id, settlements)
            return list(zip(settlements, kept).filter(\.1).map(\.0.key))
        case .heartbeat: return try await server.heartbeat(transaction, actor.id) == nil ? "dead" : "alive"
        case .expire(let name):
            let id = actors[name]?.id ?? SessionID(0)
            try await server.statement(transaction) { statement throws(ModelError) in
                let found = server.tables.sessions.find(statement, key: id)
                try await server.tables.sessions.update(statement, found) { $0.leaseUntil = .distantPast }
            }
            return "ok"
        case .markDead: return "\(try await server.markDead(transaction))"
        case .reap: return "\(try await server.reap(transaction, limit: 100))"
        case .pause(let run):
            try await server.pause(transaction, Self.runs[run - 1])
            return "paused"
        case .resume(let run):
            try await server.resume(transaction, Self.runs[run - 1])
            return "resumed"
        case .cancel(let run): return try await server.cancel(transaction, Self.runs[run - 1], reason: nil) ? "cancelling" : "ended"
        case .lockDue:
            return "\(try await server.lockDueRuns(transaction, limit: 100).reduce(0) { $0 + $1.settled.count + $1.orders.count + $1.timers.count })"
        case .leaveMark:
            try await server.raise(transaction, .ready, isSure: true)
            return "ok"
        case .register:
            actor.id = try await server.register(transaction)
            return "ok"
        case .checkEpoch: return "\(try await server.checkEpoch(transaction))"
        case .forgetTimeline:
            try await server.statement(transaction) { statement throws(ModelError) in
                try await server.tables.epochs.delete(statement, server.tables.epochs.find(statement))
            }
            return "ok"
        case .adopt:
            try await server.statement(transaction) { statement throws(ModelError) in
                try await server.tables.runs.update(statement, server.tables.runs.find(statement, key: Self.runs[0])) { row in
                    row.relatives.parent = Self.runs[1]
                    row.relatives.followsParent = true
                    row.depth = 1
                }
            }
            return "ok"
        case .wait(let run):
            try await server.statement(transaction) { statement throws(ModelError) in
                let row = WaitRow(
                    run: Self.runs[run - 1], path: StepPath("w"), names: nil, since: .distantPast, isBroadcast: false, createdAt: stage.now)
                try await server.tables.waits.insert(statement, row)
            }
            return "ok"
        case .signal(let run):
            _ = try await server.signal(transaction, Self.runs[run - 1], name: "go", data: .null, id: "signal \(run)")
            return "ok"
        case .match:
            let found = try await server.match(transaction, limit: 100)
            return "\(found.handed) of \(found.looked)"
        case .begin, .commit, .rollback: return "ok"
        }
    }

    private func list(_ steps: [StepKey]) -> String {
        steps.isEmpty ? "nothing" : steps.sorted().map { "\(Self.number($0.run))/\($0.path)" }.joined(separator: " ")
    }
}
