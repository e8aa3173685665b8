// The functions of sql/functions, statement by statement, in the model database.

import WorkflowModel

/// The database as a server: its tables, its clock, and what it does for its clients.
package final class Server {
    package let tables: Tables
    package let stage: Stage
    /// The planted fault.
    package let mutant: Mutant?
    let leaseLength: Duration
    /// Whether a look at the queue takes long: what is dead lies in front of what waits.
    var looksAreSlow: () -> Bool = { false }

    package init(tables: Tables, stage: Stage, mutant: Mutant? = nil, lease: Duration = .seconds(10)) {
        self.tables = tables
        self.stage = stage
        self.mutant = mutant
        leaseLength = lease
    }

    var database: ModelDatabase { tables.database }
    var now: Timestamp { stage.now }

    @discardableResult
    func statement<R>(
        _ transaction: Transaction, _ body: (Statement) async throws(ModelError) -> R
    ) async throws(ModelError) -> R {
        try await database.statement(transaction, body)
    }

    func fence(_ number: Int64) -> Fence {
        mutant == .fenceWithoutTimeline ? Fence(number) : Fence(Int64(database.timeline) << 40 + number)
    }
}
