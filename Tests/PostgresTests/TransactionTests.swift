// Transactions: what is kept, what is undone, and what cannot be known.

import Foundation
import Postgres
import PostgresTestKit
import Testing

@Suite("Transaction", .timeLimit(.minutes(2)))
struct TransactionTests {
    let database: TestDatabase
    let connection: PostgresConnection

    init() async throws {
        database = try await TestDatabase.create(migrated: false)
        connection = try await database.connect()
        try await connection.script("create table entry (n int primary key)")
    }

    private func entries() async throws -> [Int32] {
        let observer = try await database.connect()
        return try await observer.query("select n from entry order by n").map { $0.int32(0) }
    }

    @Test("what the closure did is committed together")
    func commits() async throws {
        let sum = try await connection.transaction { db throws(PostgresError) in
            try db.query("insert into entry values ($1)", [.int32(1)])
            _ = try db.pipeline([("insert into entry values ($1)", [.int32(2)]), ("insert into entry values ($1)", [.int32(3)])])
            return try db.query("select sum(n)::bigint from entry")[0].int64(0)
        }
        #expect(sum == 6)
        let kept = try await entries()
        #expect(kept == [1, 2, 3])
    }

    @Test("a pipeline or a script may open the transaction")
    func opensWithPipeline() async throws {
        let isOpen = try await connection.transaction { db throws(PostgresError) in
            let answers = try db.pipeline([
                ("insert into entry values (1)", []), ("select pg_current_xact_id_if_assigned() is not null", []),
            ])
            return answers[1][0].bool(0)
        }
        #expect(isOpen)
        try await connection.transaction { db throws(PostgresError) in
            try db.script("insert into entry values (2)")
            try db.query("insert into entry values (3)")
        }
        let kept = try await entries()
        #expect(kept == [1, 2, 3])
    }

    @Test("what was sent ahead is run first, whatever comes after it", arguments: ["pipeline", "query", "new query", "script", "savepoint", "nothing"])
    func sentAhead(next: String) async throws {
        let count: SQL = "select count(*) from entry"
        _ = try await connection.query(count)
        let seen = try await connection.transaction { db throws(PostgresError) -> Int64? in
            try db.sendAhead([("insert into entry values ($1)", [.int32(1)]), ("insert into entry values ($1)", [.int32(2)])])
            try db.sendAhead([("insert into entry values (3)", [])])
            switch next {
            case "pipeline": return try db.pipeline([(count, []), ("insert into entry values (4)", [])])[0][0].int64(0)
            case "query": return try db.query(count)[0].int64(0)
            case "new query": return try db.query("select count(n) from entry")[0].int64(0)
            case "script":
                try db.script("insert into entry values (4)")
                return 3
            case "savepoint": return try db.savepoint { db throws(PostgresError) in try db.query(count)[0].int64(0) }
            default: return nil
            }
        }
        #expect(seen == (next == "nothing" ? nil : 3))
        #expect(try await entries() == (next == "pipeline" || next == "script" ? [1, 2, 3, 4] : [1, 2, 3]))
        #expect(try await connection.query(count)[0].int64(0) >= 3)
    }

    @Test("an error of what was sent ahead is the transaction's, and undoes everything", arguments: ["commit", "pipeline", "query", "script", "nothing", "error"])
    func sentAheadInVain(next: String) async throws {
        let own = PostgresError(code: .cancelled, message: "changed my mind")
        let thrown = await failure {
            try await connection.transaction { db throws(PostgresError) in
                try db.sendAhead([("insert into entry values (1)", []), ("insert into entry values ($1)", [.int32(1)])])
                try db.sendAhead([("insert into entry values (2)", [])])
                switch next {
                case "commit": _ = try db.pipelineAndCommit([("insert into entry values (3)", [])])
                case "pipeline": _ = try db.pipeline([("insert into entry values (3)", [])])
                case "query": try db.query("insert into entry values (3)")
                case "script": try db.script("insert into entry values (3)")
                case "error": throw own
                default: break
                }
            }
        }
        if next == "error" { #expect(thrown == own) } else { #expect(thrown?.sqlState == .uniqueViolation) }
        #expect(try await entries().isEmpty)
        #expect(connection.isUsable)
        // The next transaction begins as if nothing had been.
        try await connection.transaction { db throws(PostgresError) in try db.sendAhead([("insert into entry values (1)", [])]) }
        #expect(try await entries() == [1])
    }

    @Test("a savepoint contains what its part sent ahead", arguments: [true, false])
    func sentAheadInASavepoint(fails: Bool) async throws {
        let own = PostgresError(code: .cancelled, message: "changed my mind")
        let thrown = await failure {
            try await connection.transaction { db throws(PostgresError) in
                try db.query("insert into entry values (1)")
                var inner: PostgresError?
                do throws(PostgresError) {
                    try db.savepoint { db throws(PostgresError) in
                        try db.sendAhead([("insert into entry values (2)", []), ("insert into entry values (1)", [])])
                        if fails { throw own }
                    }
                } catch {
                    inner = error
                }
                guard let inner, fails ? inner == own : inner.sqlState == .uniqueViolation else { throw own }
                try db.query("insert into entry values (3)")
            }
        }
        #expect(thrown == nil)
        #expect(try await entries() == [1, 3])
    }

    @Test("an error that was swallowed is the cause, whatever was sent ahead after it")
    func sentAheadAfterAnError() async throws {
        let error = await failure {
            try await connection.transaction { db throws(PostgresError) in
                do throws(PostgresError) { try db.query("select 1/0") } catch {}
                try db.sendAhead([("insert into entry values (1)", [])])
            }
        }
        #expect(error?.code == .transactionAborted && error?.sqlState == .divisionByZero)
        #expect(try await entries().isEmpty)
    }

    @Test("a transaction that goes silent after it has sent something ahead is ended by the server's limit for idle ones")
    func silentAhead() async throws {
        try await connection.script("insert into entry values (1); set idle_in_transaction_session_timeout = 300")
        let observer = try await database.connect()
        let (hasLock, other) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        async let waiting: Void = {
            // Once the row is locked.
            await withCheckedContinuation { continuation in
                Thread.detachNewThread {
                    hasLock.wait()
                    continuation.resume()
                }
            }
            try await observer.query("select from entry where n = 1 for update")
            other.signal()
        }()
        let error = await failure {
            try await connection.transaction { db throws(PostgresError) in
                try db.query("select from entry where n = 1 for update")
                try db.sendAhead([("insert into entry values (2)", [])])
                hasLock.signal()
                guard other.wait(timeout: .now() + 20) == .success else { return }
                _ = try db.pipelineAndCommit([("insert into entry values (3)", [])])
            }
        }
        #expect(error?.code == .connectionLost)
        try await waiting
        #expect(try await entries() == [1])
    }

    @Test("far more than the socket takes may be sent ahead, and a connection that breaks under it says so")
    func muchAhead() async throws {
        let text = String(repeating: "x", count: 1 << 20)
        try await connection.script("create table page (text text)")
        try await connection.transaction { db throws(PostgresError) in
            for _ in 0..<24 { try db.sendAhead([("insert into page values ($1)", [.text(text)])]) }
        }
        #expect(try await connection.query("select count(*) from page")[0].int64(0) == 24)
        let broken = await failure {
            try await connection.transaction { db throws(PostgresError) in
                try db.sendAhead([("insert into page values ('lost')", []), ("select pg_terminate_backend(pg_backend_pid())", [])])
                _ = try db.pipelineAndCommit([("insert into page values ('lost')", [])])
            }
        }
        #expect(broken?.code == .connectionLost && broken?.outcomeUnknown == true && !connection.isUsable)
        let observer = try await database.connect()
        #expect(try await observer.query("select count(*) from page")[0].int64(0) == 24)
    }

    @Test("an error undoes everything and leaves the connection usable")
    func rollsBack() async throws {
        let error = await failure {
            try await connection.transaction { db throws(PostgresError) in
                try db.query("insert into entry values (1)")
                try db.query("insert into entry values (1)")
            }
        }
        #expect(error?.sqlState == .uniqueViolation)
        let own = PostgresError(code: .cancelled, message: "changed my mind")
        let thrown = await failure {
            try await connection.transaction { db throws(PostgresError) in
                try db.query("insert into entry values (2)")
                throw own
            }
        }
        #expect(thrown == own)
        let kept = try await entries()
        #expect(kept.isEmpty && connection.isUsable)
    }

    @Test("a first statement that fails leaves no transaction behind")
    func firstStatementFails() async throws {
        let error = await failure { try await connection.transaction { db throws(PostgresError) in try db.query("select 1/0").count } }
        #expect(error?.sqlState == .divisionByZero)
        let kept = try await connection.transaction { db throws(PostgresError) in try db.query("insert into entry values (1)").affected }
        #expect(kept == 1)
    }

    @Test("a swallowed error cannot be committed over")
    func swallowed() async throws {
        let error = await failure {
            try await connection.transaction { db throws(PostgresError) in
                try db.query("insert into entry values (1)")
                do throws(PostgresError) { try db.query("select 1/0") } catch {}
            }
        }
        #expect(error?.code == .transactionAborted && error?.sqlState == .divisionByZero)
        let kept = try await entries()
        #expect(kept.isEmpty)
    }

    @Test("a savepoint undoes its part only")
    func savepoint() async throws {
        try await connection.transaction { db throws(PostgresError) in
            try db.query("insert into entry values (1)")
            do throws(PostgresError) {
                try db.savepoint { db throws(PostgresError) in
                    try db.query("insert into entry values (2)")
                    try db.query("insert into entry values (1)")
                }
            } catch {
                guard error.sqlState == .uniqueViolation else { throw error }
            }
            try db.savepoint { db throws(PostgresError) in _ = try db.query("insert into entry values (3)") }
        }
        let kept = try await entries()
        #expect(kept == [1, 3])
    }

    @Test("a snapshot sees one moment and writes nothing")
    func snapshot() async throws {
        let writer = try await database.connect()
        let error = await failure {
            try await connection.transaction(.snapshot) { db throws(PostgresError) in try db.query("insert into entry values (1)").count }
        }
        #expect(error?.sqlState == .readOnlyTransaction)
        let level = try await connection.transaction { db throws(PostgresError) in
            try db.query("select current_setting('transaction_isolation')")[0].text(0)
        }
        #expect(level == "read committed")
        await writer.close()
    }

    @Test("a constraint that fails at COMMIT is a plain refusal")
    func deferred() async throws {
        try await connection.script("create table part (n int references entry deferrable initially deferred)")
        let error = await failure {
            try await connection.transaction { db throws(PostgresError) in try db.query("insert into part values (7)").affected }
        }
        #expect(error?.sqlState == .foreignKeyViolation && error?.outcomeUnknown == false && error?.code == .server)
    }

    @Test("a transaction that loses its connection before COMMIT is known to be lost")
    func lostBeforeCommit() async throws {
        let process = await connection.backendProcessID
        let killer = try await database.connect()
        let error = await failure {
            try await connection.transaction { db throws(PostgresError) in
                try db.query("insert into entry values (1)")
                // The backend ends itself: the statement that says so is the last one it runs.
                try db.query("select pg_terminate_backend($1)", [.int32(process)])
                try db.query("insert into entry values (2)")
            }
        }
        #expect(error?.code == .connectionLost && error?.outcomeUnknown == false)
        #expect(error?.sqlState == .adminShutdown && error?.wantsReconnect == true)
        #expect(!connection.isUsable)
        await killer.close()
        let kept = try await entries()
        #expect(kept.isEmpty)
    }

    /// A deferred trigger runs inside COMMIT, and there it waits for a lock: `blocker` decides how long COMMIT takes.
    private func holdCommit() async throws -> PostgresConnection {
        try await connection.script(
            """
            create function hold() returns trigger language plpgsql as $$ begin perform pg_advisory_xact_lock(1); return null; end $$;
            create constraint trigger hold after insert on entry deferrable initially deferred for each row execute function hold();
            """)
        let blocker = try await database.connect()
        try await blocker.script("select pg_advisory_lock(1)")
        return blocker
    }

    @Test("a COMMIT whose answer is lost is an unknown outcome")
    func lostInCommit() async throws {
        let blocker = try await holdCommit()
        let process = await connection.backendProcessID
        async let outcome = failure {
            try await connection.transaction { db throws(PostgresError) in try db.query("insert into entry values (1)").affected }
        }
        try await database.waitUntilBlocked()
        try await database.terminate(process)
        let error = await outcome
        #expect(error?.outcomeUnknown == true && error?.code == .connectionLost && error?.wantsReconnect == true)
        #expect(error?.description.contains("unknown") == true)
        await blocker.close()
        let kept = try await entries()
        #expect(kept.isEmpty)
    }

    @Test("a COMMIT that goes through after the client gave up is an unknown outcome, too")
    func lateCommit() async throws {
        let blocker = try await holdCommit()
        let impatient = try await database.connect { $0.answerTimeout = .seconds(2) }
        async let outcome = failure {
            try await impatient.transaction { db throws(PostgresError) in try db.query("insert into entry values (1)").affected }
        }
        let error = await outcome
        try await database.waitUntilBlocked()
        #expect(error?.outcomeUnknown == true && error?.code == .answerTimeout)
        try await blocker.script("select pg_advisory_unlock(1)")
        try await waitUntil("the commit went through") { try await entries() == [1] }
    }

    @Test("an autocommitted statement that loses its connection is an unknown outcome")
    func lostStatement() async throws {
        let process = await connection.backendProcessID
        async let outcome = failure { try await connection.query("select pg_sleep(20)") }
        let observer = try await database.connect()
        try await waitUntil("the statement runs") {
            try await observer.query("select 1 from pg_stat_activity where pid = $1 and wait_event = 'PgSleep'", [.int32(process)]).count
                == 1
        }
        try await database.terminate(process)
        let error = await outcome
        #expect(error?.code == .connectionLost && error?.outcomeUnknown == true && error?.sqlState == .adminShutdown)
    }

    @Test("a transaction inside a transaction stops the process")
    func nested() async throws {
        let result = try await #require(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let connection = try await PostgresConnection.connect(try TestServer.shared().configuration)
            try await connection.transaction { db throws(PostgresError) in try db.transaction { db throws(PostgresError) in } }
        }
        #expect(String(decoding: result.standardErrorContent, as: UTF8.self).contains("A transaction was begun inside another one"))
    }
}
