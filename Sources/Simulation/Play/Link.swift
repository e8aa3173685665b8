// A connection from a process to the database. Every round trip has a boundary before it and one after it.

import WorkflowModel

/// A connection.
final class Link {
    let process: Process
    private let life: Int
    private let fiber: Fiber
    private var world: World { process.world }
    private var transaction: Transaction?
    private(set) var isOpen = true
    // How long the server keeps what a client has begun that it does not hear from.
    private static let patience: Duration = .seconds(10)
    // How long a client waits for an answer.
    private static let timeout: Duration = .seconds(2)

    init(of process: Process, _ fiber: Fiber) {
        self.process = process
        life = process.life
        self.fiber = fiber
        process.links.append(self)
    }

    private var database: ModelDatabase { world.tables.database }

    /// The connection breaks. The server takes back what was not committed, unless it is at it at this moment.
    func cut() {
        isOpen = false
        abandon()
    }

    /// The server learns that the client is gone.
    func abandon() {
        isOpen = false
        if !fiber.isInServer, let transaction { database.rollBack(transaction) }
    }

    // MARK: Round trips

    private func roundTrip<R>(_ label: String, _ body: () async throws(ModelError) -> R) async throws(ModelError) -> R {
        try await world.boundary(fiber, self, label, .before)
        try await reach()
        fiber.isInServer = true
        let answer: Result<R, ModelError>
        do throws(ModelError) { answer = .success(try await body()) } catch { answer = .failure(error) }
        fiber.isInServer = false
        fiber.linger = nil
        if process.isDead || process.life != life {
            abandon()
            throw .killed
        }
        if !isOpen { abandon() }
        try await world.boundary(fiber, self, label, .after)
        try await reach()
        if case .failure(.connectionLost) = answer { cut() }
        return try answer.get()
    }

    private func reach() async throws(ModelError) {
        if process.isCut {
            // Nobody says no: the client gives up by itself, and the server some time after.
            isOpen = false
            if let transaction, transaction.isActive { world.after(Self.patience) { [database] in database.terminate(transaction) } }
            try await fiber.sleep(until: world.now + Self.timeout)
        }
        guard isOpen, world.isServerUp else {
            abandon()
            throw .connectionLost
        }
    }

    /// One transaction in one round trip.
    func call<R>(_ label: String, _ body: (Transaction) async throws(ModelError) -> R) async throws(ModelError) -> R {
        try await roundTrip(label) { () async throws(ModelError) -> R in
            let transaction = database.begin(fiber)
            self.transaction = transaction
            defer { self.transaction = nil }
            do throws(ModelError) {
                let result = try await body(transaction)
                if let time = transaction.pauseIsDue(beforeCommit: true) { try await transaction.pause(for: time) }
                guard transaction.isActive else { throw .connectionLost }
                database.commit(transaction)
                return result
            } catch {
                database.rollBack(transaction)
                throw error
            }
        }
    }

    /// The first round trip of a transaction, and the only one when there is nothing more to do.
    func begin<R>(
        _ label: String, endsIf isOver: (R) -> Bool = { _ in false }, _ body: (Transaction) async throws(ModelError) -> R
    ) async throws(ModelError) -> R {
        try await roundTrip(label) { () async throws(ModelError) -> R in
            let transaction = database.begin(fiber)
            self.transaction = transaction
            let answer = try await body(transaction)
            if isOver(answer) {
                self.transaction = nil
                database.commit(transaction)
            }
            return answer
        }
    }

    /// Another one.
    func query<R>(_ label: String, _ body: (Transaction) async throws(ModelError) -> R) async throws(ModelError) -> R {
        try await roundTrip(label) { () async throws(ModelError) -> R in
            guard let transaction, transaction.isActive else { throw .connectionLost }
            return try await body(transaction)
        }
    }

    /// The last one: what there is to write, and the commit.
    func commit(
        _ label: String, _ body: (Transaction) async throws(ModelError) -> Void = { _ in }
    ) async throws(ModelError) {
        try await roundTrip(label) { () async throws(ModelError) in
            guard let transaction, transaction.isActive else { throw .connectionLost }
            do throws(ModelError) {
                try await body(transaction)
                if let time = transaction.pauseIsDue(beforeCommit: true) { try await transaction.pause(for: time) }
            } catch {
                database.rollBack(transaction)
                throw error
            }
            guard transaction.isActive else { throw .connectionLost }
            self.transaction = nil
            database.commit(transaction)
        }
    }

    /// Takes back what has been begun.
    func rollBack() {
        if let transaction { database.rollBack(transaction) }
        transaction = nil
    }
}
