// Cancelling statements, and only those.

import Postgres
import PostgresTestKit
import Testing

@Suite("Cancellation", .timeLimit(.minutes(2)))
struct CancellationTests {
    let connection: PostgresConnection

    init() async throws {
        connection = try await PostgresConnection.connect(try TestServer.shared().configuration)
    }

    @Test("a cancelled task's statement ends soon, and the connection goes on")
    func cancelled() async throws {
        let connection = connection
        let task = Task { await failure { try await connection.execute("select pg_sleep(30)") } }
        let process = try await processID()
        let observer = try await PostgresConnection.connect(try TestServer.shared().configuration)
        try await waitUntil("the statement runs") {
            try await observer.query("select 1 from pg_stat_activity where pid = $1 and wait_event = 'PgSleep'", [.int32(process)]).count
                == 1
        }
        let elapsed = await ContinuousClock().measure {
            task.cancel()
            let error = await task.value
            #expect(error?.code == .cancelled && error?.sqlState == .queryCancelled)
        }
        #expect(elapsed < .seconds(10))
        let rows = try await connection.query("select 1")
        #expect(rows.count == 1)
    }

    /// The backend is known before the statement occupies the connection only if it was asked before; ask the server instead.
    private func processID() async throws -> Int32 {
        let observer = try await PostgresConnection.connect(try TestServer.shared().configuration)
        var found: Int32 = 0
        try await waitUntil("a statement sleeps") {
            let rows = try await observer.query(
                "select pid from pg_stat_activity where query = 'select pg_sleep(30)' and state = 'active' limit 1")
            found = rows.first?.int32(0) ?? 0
            return found != 0
        }
        return found
    }

    @Test("a statement of a task that was cancelled before is not sent")
    func cancelledBefore() async throws {
        let connection = connection
        let error = await withTaskGroup(of: PostgresError?.self) { group in
            group.cancelAll()
            group.addTask { await failure { try await connection.execute("select pg_sleep(30)") } }
            return await group.next() ?? nil
        }
        #expect(error?.code == .cancelled && error?.sqlState == nil)
    }

    @Test("a statement_timeout is not taken for a cancellation")
    func timeout() async throws {
        try await connection.script("set statement_timeout = '20ms'")
        let error = await failure { try await connection.execute("select pg_sleep(30)") }
        #expect(error?.code == .server && error?.sqlState == .queryCancelled && error?.isTransient == true)
    }

    @Test("of 300 cancellations near a statement's end none hits the next statement")
    func fenced() async throws {
        let connection = connection
        var hits = 0
        for round in 0..<300 {
            // Around the statement's end, so that requests come before, during and after it.
            let task = Task { await failure { try await connection.execute("select pg_sleep(0.003)") } }
            try await Task.sleep(for: .microseconds(1500 + (round % 30) * 100))
            task.cancel()
            let error = await task.value
            if error?.code == .cancelled { hits += 1 }
            let next = await failure { try await connection.query("select pg_sleep(0.001)") }
            #expect(next == nil, "round \(round)")
        }
        print("300 rounds: \(hits) statements were cancelled as meant")
        #expect(hits > 0)
    }
}
