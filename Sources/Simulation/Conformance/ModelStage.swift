// Acts a script out in the model.

import WorkflowModel

/// The sessions of a script, and what they have said so far.
package final class ModelActors {
    private let stage = Stage()
    private let database = ModelDatabase()
    private let items: Table<Item>
    private let numbers: Sequence
    private var sessions: [String: Session] = [:]

    private final class Session {
        let fiber: Fiber
        var transaction: Transaction?
        var move: Move?
        var answer: String?

        init(_ fiber: Fiber) { self.fiber = fiber }
    }

    private init(_ script: Script) {
        items = Table("item", in: database)
        numbers = Sequence(in: database)
        let loader = stage.start("loader") { [database, items] fiber throws(ModelError) in
            let transaction = database.begin(fiber)
            try await database.statement(transaction) { statement throws(ModelError) in
                for (id, number) in script.items { try await items.insert(statement, Item(id: id, n: number)) }
            }
            database.commit(transaction)
        }
        stage.resume(loader)
        for name in script.sessions { sessions[name] = start(name) }
    }

    private func start(_ name: String) -> Session {
        final class Place { weak var session: Session? }
        let place = Place()
        let fiber = stage.start(name) { [self] fiber throws(ModelError) in
            while true {
                guard let session = place.session, let move = session.move else {
                    try await fiber.sleep(until: .distantFuture)
                    continue
                }
                let answer = await perform(move, session, fiber)
                session.move = nil
                session.answer = answer
            }
        }
        let session = Session(fiber)
        place.session = session
        stage.resume(fiber)
        return session
    }

    /// What the sessions answer, step by step, and what is there at the end.
    package static func play(_ script: Script) -> [String] {
        let actors = ModelActors(script)
        defer { actors.stage.clear() }
        var lines: [String] = []
        for (number, step) in script.steps.enumerated() {
            guard let session = actors.sessions[step.session] else { continue }
            if case .terminate(let victim) = step.move {
                if let victim = actors.sessions[victim], let transaction = victim.transaction { actors.database.terminate(transaction) }
                session.answer = "ok"
            } else {
                session.move = step.move
                session.fiber.wake()
            }
            actors.settle()
            lines.append("\(number + 1)" + actors.answers(to: step.session))
        }
        lines.append("end " + actors.items.committedRows.sorted { $0.id < $1.id }.map { "\($0.id):\($0.n)" }.joined(separator: " "))
        return lines
    }

    // Until everybody waits.
    private func settle() {
        while let fiber = stage.fibers.first(where: \.isReady) { stage.resume(fiber) }
    }

    private func answers(to name: String) -> String {
        var text = ""
        for (name, session) in sessions.sorted(by: { $0.key < $1.key }) {
            if let answer = session.answer { text += " \(name): \(answer)" }
            session.answer = nil
        }
        if sessions[name]?.move != nil { text += " \(name) waits" }
        return text
    }

    // MARK: Moves

    private func perform(_ move: Move, _ session: Session, _ fiber: Fiber) async -> String {
        do throws(ModelError) {
            switch move {
            case .begin:
                session.transaction = database.begin(fiber)
                return "ok"
            case .commit:
                guard let transaction = session.transaction else { return "ok" }
                session.transaction = nil
                guard transaction.isActive || transaction.hasFailed else { throw .connectionLost }
                database.commit(transaction)
                return "ok"
            case .rollback:
                guard let transaction = session.transaction else { return "ok" }
                session.transaction = nil
                guard transaction.isActive || transaction.hasFailed else { throw .connectionLost }
                database.rollBack(transaction)
                return "ok"
            case .terminate: return "ok"
            case .read, .lock, .update, .lockAndUpdate, .take, .insert, .delete, .insertCount, .advisory, .tryAdvisory, .nextNumber:
                if let transaction = session.transaction { return try await answer(move, transaction) }
                let transaction = database.begin(fiber)
                // So that it can be terminated in the middle.
                session.transaction = transaction
                defer { session.transaction = nil }
                do throws(ModelError) {
                    let text = try await answer(move, transaction)
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

    private func answer(_ move: Move, _ transaction: Transaction) async throws(ModelError) -> String {
        try await database.statement(transaction) { statement throws(ModelError) in
            switch move {
            case .read(let filter): return list(find(filter, statement).rows)
            case .lock(let filter, let mode, let wait, let limit):
                return list(try await items.lock(statement, find(filter, statement), mode, wait, limit: limit ?? .max).rows, sorts: false)
            case .update(let filter, let change):
                return list(try await items.update(statement, find(filter, statement)) { change.apply(to: &$0) })
            case .lockAndUpdate(let filter, let change):
                let locked = try await items.lock(statement, find(filter, statement), .update)
                return list(try await items.update(statement, locked) { change.apply(to: &$0) })
            case .take(let filter, let limit, let change):
                let locked = try await items.lock(statement, find(filter, statement), .update, .skip, limit: limit)
                return list(try await items.update(statement, locked.inPlace(for: statement)) { change.apply(to: &$0) })
            case .insert(let id, let number, let collision):
                let item = Item(id: id, n: number)
                switch try await items.insert(statement, item, collision.model) {
                case .new: return list([item])
                case .left: return list([])
                case .changed(let row): return list([row])
                }
            case .delete(let filter): return list(try await items.delete(statement, find(filter, statement)))
            case .insertCount(let id):
                let item = Item(id: id, n: items.find(statement).rows.count)
                try await items.insert(statement, item)
                return list([item])
            case .advisory(let key):
                _ = try await database.lockAdvisory(key, for: transaction)
                return "1"
            case .tryAdvisory(let key): return try await database.lockAdvisory(key, for: transaction, .skip) ? "1" : "0"
            case .nextNumber: return "\(numbers.next())"
            case .begin, .commit, .rollback, .terminate: return "ok"
            }
        }
    }

    private func find(_ filter: Filter, _ statement: Statement) -> Table<Item>.Selection {
        items.find(statement) { filter.holds($0) }.sorted { $0.id < $1.id }
    }

    private func list(_ rows: [Item], sorts: Bool = true) -> String {
        let rows = sorts ? rows.sorted { $0.id < $1.id } : rows
        return rows.isEmpty ? "nothing" : rows.map { "\($0.id):\($0.n)" }.joined(separator: " ")
    }
}

extension Collision {
    fileprivate var model: OnConflict<Item> {
        switch self {
        case .fail: .fail
        case .nothing: .nothing
        case .add:
            .update { row, given in
                row.n += given.n
                return true
            }
        case .addBelow(let bound):
            .update { row, given in
                guard row.n < bound else { return false }
                row.n += given.n
                return true
            }
        }
    }
}

extension ModelError {
    /// The SQLSTATE, or a word where there is none that can be relied on.
    package var scriptCode: String {
        switch self {
        case .uniqueViolation: "23505"
        case .lockNotAvailable: "55P03"
        case .deadlock: "40P01"
        case .inFailedTransaction: "25P02"
        case .raised(let code): code
        case .connectionLost: "lost"
        case .killed: "killed"
        }
    }
}

extension Timestamp {
    static let distantFuture = Timestamp(microseconds: .max)
}
