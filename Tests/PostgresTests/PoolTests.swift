// The pool: bounds, waiting, and getting over a server that went away.

import Postgres
import PostgresTestKit
import Synchronization
import Testing

@Suite("Pool", .timeLimit(.minutes(2)))
struct PoolTests {
    let database: TestDatabase

    init() async throws {
        database = try await TestDatabase.create(migrated: false)
    }

    @Test("many tasks share few connections")
    func shares() async throws {
        let pool = database.pool(size: 3)
        let processes = try await withThrowingTaskGroup(of: Int32.self) { group in
            for _ in 0..<60 {
                group.addTask { try await pool.withConnection { try await $0.query("select pg_backend_pid()")[0].int32(0) } }
            }
            var seen: Set<Int32> = []
            for try await process in group { seen.insert(process) }
            return seen
        }
        #expect((1...3).contains(processes.count))
        #expect(pool.status.open <= 3 && pool.status.waiting == 0 && pool.status.idle == pool.status.open)
    }

    @Test("who waits too long is told so, and the others go on")
    func exhausted() async throws {
        let pool = database.pool(size: 1, waitTimeout: .milliseconds(100))
        try await pool.withConnection { _ in
            let error = await failure { try await pool.withConnection { try await $0.query("select 1").count } }
            #expect(error?.code == .poolTimeout && error?.isTransient == true)
        }
        let count = try await pool.withConnection { try await $0.query("select 1").count }
        #expect(count == 1)
    }

    @Test("the queue of those who wait is bounded")
    func bounded() async throws {
        let pool = PostgresPool(database.configuration, size: 1, waitTimeout: .seconds(30), maximumWaiting: 1)
        try await withThrowingTaskGroup(of: Void.self) { group in
            try await pool.withConnection { _ in
                group.addTask { _ = try await pool.withConnection { try await $0.query("select 1").count } }
                try await waitUntil("one task waits") { pool.status.waiting == 1 }
                let error = await failure { try await pool.withConnection { _ in } }
                #expect(error?.code == .poolTimeout)
            }
            try await group.waitForAll()
        }
    }

    @Test("a waiting task can be cancelled")
    func cancelledWhileWaiting() async throws {
        let pool = PostgresPool(database.configuration, size: 1, waitTimeout: .seconds(60))
        try await pool.withConnection { _ in
            let task = Task { await failure { try await pool.withConnection { _ in } } }
            try await waitUntil("the task waits") { pool.status.waiting == 1 }
            task.cancel()
            let error = await task.value
            #expect(error?.code == .cancelled)
        }
        #expect(pool.status.waiting == 0)
    }

    @Test("a connection that the server ended while it was idle is replaced unnoticed")
    func replacesIdle() async throws {
        let pool = database.pool(size: 1)
        let process = try await pool.withConnection { await $0.backendProcessID }
        try await database.terminate(process)
        let next = try await pool.withConnection { try await $0.query("select pg_backend_pid()")[0].int32(0) }
        #expect(next != process && pool.status.open == 1)
    }

    @Test("a connection that broke or was left inside a transaction is not lent again")
    func dropsUnusable() async throws {
        let pool = database.pool(size: 1)
        let first = try await pool.withConnection { connection in
            try await connection.script("begin")
            return await connection.backendProcessID
        }
        let second = try await pool.withConnection { connection in
            let process = await connection.backendProcessID
            await connection.close()
            return process
        }
        let third = try await pool.withConnection { await $0.backendProcessID }
        #expect(Set([first, second, third]).count == 3 && pool.status.open == 1)
    }

    @Test("a waiting task gets the place of a connection that broke")
    func passesPlaceOn() async throws {
        let pool = PostgresPool(database.configuration, size: 1, waitTimeout: .seconds(30))
        let count = try await withThrowingTaskGroup(of: Int.self) { group in
            try await pool.withConnection { connection in
                group.addTask { try await pool.withConnection { try await $0.query("select 1").count } }
                try await waitUntil("one task waits") { pool.status.waiting == 1 }
                await connection.close()
            }
            return try await group.next()
        }
        #expect(count == 1)
    }

    @Test("while the server is away the pool tries again until the wait is over, and works when it is back")
    func outage() async throws {
        let server = try TestServer.startPrivate()
        defer { server.stop() }
        let pool = PostgresPool(server.configuration, size: 2, waitTimeout: .milliseconds(400))
        _ = try await pool.withConnection { try await $0.query("select 1").count }
        server.crash()
        let error = await failure { try await pool.withConnection { try await $0.query("select 1").count } }
        #expect(error?.code == .connectionFailed && error?.wantsReconnect == true)
        #expect(pool.status.open == 0 && pool.status.idle == 0 && pool.status.waiting == 0)
        try server.restart()
        try await waitUntil("the pool works again") {
            await failure { try await pool.withConnection { try await $0.query("select 1").count } } == nil
        }
    }

    @Test("a transaction that lost a race is run again")
    func retries() async throws {
        let pool = database.pool(size: 2)
        let tries = Atomic<Int>(0)
        let result = try await pool.transaction { db throws(PostgresError) in
            if tries.add(1, ordering: .relaxed).newValue < 3 { try db.script("do $$ begin raise sqlstate '40P01'; end $$") }
            return try db.query("select 7")[0].int64(0)
        }
        #expect(result == 7 && tries.load(ordering: .relaxed) == 3)
        let error = await failure {
            try await pool.transaction(maximumRetries: 2) { db throws(PostgresError) in
                tries.add(1, ordering: .relaxed)
                try db.script("do $$ begin raise sqlstate '40001'; end $$")
            }
        }
        #expect(error?.sqlState == .serializationFailure && tries.load(ordering: .relaxed) == 6)
    }

    @Test("a transaction whose connection broke before COMMIT is run again on another")
    func retriesAfterLoss() async throws {
        let pool = database.pool(size: 2)
        let tries = Atomic<Int>(0)
        let result = try await pool.transaction { db throws(PostgresError) in
            if tries.add(1, ordering: .relaxed).newValue == 1 { try db.query("select pg_terminate_backend(pg_backend_pid())") }
            return try db.query("select 7")[0].int64(0)
        }
        #expect(result == 7 && tries.load(ordering: .relaxed) == 2)
    }

    @Test("a closed pool refuses, wakes who waits, and keeps nothing")
    func closes() async throws {
        let pool = PostgresPool(database.configuration, size: 1, waitTimeout: .seconds(60))
        try await pool.withConnection { _ in
            let task = Task { await failure { try await pool.withConnection { _ in } } }
            try await waitUntil("the task waits") { pool.status.waiting == 1 }
            pool.close()
            let error = await task.value
            #expect(error?.code == .poolClosed)
        }
        let error = await failure { try await pool.withConnection { _ in } }
        #expect(error?.code == .poolClosed && pool.status.open == 0)
        let observer = try await database.connect()
        try await waitUntil("the server has no other session") {
            try await observer.query("select 1 from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
                .isEmpty
        }
    }
}
