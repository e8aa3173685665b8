// The coordinator's look at leases, against a real database.

import Coordination
import Logging
import Postgres
import PostgresTestKit
import Telemetry
import Testing
import WorkflowModel

@Suite("The reaper", .timeLimit(.minutes(1)))
struct ReaperTests {
    // Its connections come from a pool, which replaces broken ones without a word: it cannot rely on an error to tell it of a promotion.
    @Test("voids every lease on a timeline that is new to it, though nothing has failed on the way")
    func voidsLeases() async throws {
        let database = try await TestDatabase.create()
        let connection = try await database.connect()
        try await connection.script("delete from skein.cluster_epoch")
        let log = LogBootstrap.logger(label: "test", level: .critical, format: .text) { _ in }
        let pool = PostgresPool(database.configuration, size: 2)
        defer { pool.close() }
        let coordinator = Coordinator(
            CoordinatorConfiguration(database: database.configuration, reapInterval: .milliseconds(20)), pool: pool, log: log)
        let service = Task { try await coordinator.run() }
        defer { service.cancel() }
        try await waitUntil("the coordinator has looked at the timeline") {
            try await connection.query("select 1 from skein.cluster_epoch").count == 1
        }
        let session = try await connection.query(
            "select skein.register_session_v1('default', 'test', 'localhost', 1, 'test', array['default'], 1, 600000)")[0].int64(0)
        // As a standby that was promoted would be: on a timeline that nobody has seen.
        try await connection.script("delete from skein.cluster_epoch")
        try await waitUntil("the session is void") {
            let reasons = try await connection.query("select dead_reason from skein.worker_session where session_id = $1", [.int64(session)])
            return reasons.first?.textOrNull(0) == "timeline changed"
        }
        await connection.close()
    }
}
