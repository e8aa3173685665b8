// Statements, errors and pipelines on one connection.

import Postgres
import PostgresTestKit
import Synchronization
import Testing

@Suite("Connection", .timeLimit(.minutes(2)))
struct ConnectionTests {
    let connection: PostgresConnection

    init() async throws {
        connection = try await PostgresConnection.connect(try TestServer.shared().configuration)
    }

    @Test("a refused statement says why, with SQLSTATE, detail, constraint and statement")
    func serverError() async throws {
        try await connection.script("create temporary table item (n int constraint one_of_a_kind unique); insert into item values (1)")
        let error = await failure { try await connection.query("insert into item values ($1)", [.int32(1)]) }
        #expect(error?.code == .server)
        #expect(error?.sqlState == .uniqueViolation)
        #expect(SQLState.Class.integrityConstraintViolation ~= error?.sqlState)
        #expect(error?.constraint == "one_of_a_kind")
        #expect(error?.detail?.contains("(n)=(1)") == true)
        #expect(error?.statement == "insert into item values ($1)")
        #expect(error?.outcomeUnknown == false && error?.isTransient == false)
        let description = error?.description ?? ""
        #expect(description.contains("23505") && !description.contains("(1)") && !description.contains("insert"))
        let rows = try await connection.query("select count(*) from item")
        #expect(rows[0].int64(0) == 1)
    }

    @Test("a connection that cannot be made is a typed error that wants another try")
    func cannotConnect() async throws {
        let error = await failure { try await PostgresConnection.connect(PostgresConfiguration("host=/nonexistent dbname=x")) }
        #expect(error?.code == .connectionFailed)
        #expect(error?.wantsReconnect == true && error?.outcomeUnknown == false)
    }

    @Test("an unknown database is not worth another try")
    func unknownDatabase() async throws {
        let configuration = try TestServer.shared().configuration.database(named: "it's not there")
        let error = await failure { try await PostgresConnection.connect(configuration) }
        #expect(error?.code == .connectionFailed && error?.sqlState == .unknownDatabase && error?.wantsReconnect == false)
    }

    @Test("a connection string that makes no sense is refused without repeating it")
    func badString() async throws {
        let error = await failure { try await PostgresConnection.connect(PostgresConfiguration("password=secret nonsense=1")) }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.debugDescription.contains("secret") == false)
    }

    @Test("the shown form of a configuration has no password")
    func redacted() {
        let uri = PostgresConfiguration("postgresql://ann:secret@db1:5433,db2:5434/skein?sslmode=require")
        #expect(uri.redacted == "postgresql://ann@db1:5433,db2:5434/skein")
        #expect("\(PostgresConfiguration("host=h user=u password='pass word' dbname=d"))" == "postgresql://u@h/d")
    }

    @Test("time-outs and names of the configuration reach the session, beside options of the string")
    func settings() async throws {
        var configuration = try TestServer.shared().configuration
        configuration.connectionString += " options='-c search_path=pg_temp'"
        configuration.applicationName = "teller"
        configuration.statementTimeout = .milliseconds(1500)
        configuration.lockTimeout = .seconds(2)
        let other = try await PostgresConnection.connect(configuration)
        let row = try await other.query(
            """
            select current_setting('statement_timeout'), current_setting('lock_timeout'), current_setting('application_name'),
                   current_setting('search_path'), current_setting('client_encoding')
            """)[0]
        let found = (0..<5).map { row.text($0) }
        #expect(found == ["1500ms", "2s", "teller", "pg_temp", "UTF8"])
    }

    @Test("a pipeline answers every statement in order")
    func pipeline() async throws {
        let answers = try await connection.pipeline([
            ("create temporary table line (n int)", []), ("insert into line values ($1)", [.int32(1)]),
            ("insert into line values ($1)", [.int32(2)]), ("select n from line order by n", []),
        ])
        #expect(answers.map(\.affected) == [0, 1, 1, 2])
        #expect(answers[3].map { $0.int32(0) } == [1, 2])
        let nothing = try await connection.pipeline([])
        #expect(nothing.isEmpty)
    }

    @Test("an error in the middle of a pipeline rejects the batch and leaves the connection usable")
    func pipelineError() async throws {
        try await connection.script("create temporary table line (n int primary key)")
        let error = await failure {
            try await connection.pipeline([
                ("insert into line values ($1)", [.int32(1)]), ("insert into line values (1)", []),
                ("insert into line values ($1)", [.int32(3)]),
            ])
        }
        #expect(error?.sqlState == .uniqueViolation && error?.statement == "insert into line values (1)")
        let syntax = await failure {
            try await connection.pipeline([("insert into line values (9)", []), ("selekt", []), ("select 1", [])])
        }
        #expect(syntax?.sqlState == .syntaxError)
        let rows = try await connection.query("select count(*) from line")
        #expect(rows[0].int64(0) == 0)
        let again = try await connection.pipeline([("insert into line values ($1)", [.int32(1)]), ("select n from line", [])])
        #expect(again[1].count == 1)
    }

    @Test("a pipeline far larger than the socket's buffers does not lock up")
    func largePipeline() async throws {
        let text = String(repeating: "x", count: 100_000)
        let batch: [(SQL, [Parameter])] = (0..<200).map { _ in ("select $1 || $1", [.text(text)]) }
        let answers = try await connection.pipeline(batch)
        #expect(answers.count == 200 && answers.allSatisfy { $0[0].text(0).utf8.count == 200_000 })
    }

    @Test("a pipeline may begin and commit transactions itself")
    func pipelineWithTransaction() async throws {
        try await connection.script("create temporary table line (n int)")
        _ = try await connection.pipeline([("begin", []), ("insert into line values (1)", []), ("commit", [])])
        let rows = try await connection.query("select count(*) from line")
        #expect(rows[0].int64(0) == 1)
    }

    @Test("a prepared statement survives a change of its table")
    func outdatedStatement() async throws {
        try await connection.script("create temporary table shape (a int); insert into shape values (1)")
        let sql: SQL = "select * from shape"
        _ = try await connection.query(sql)
        try await connection.script("alter table shape add b text default 'new'")
        let wider = try await connection.query(sql)
        #expect(wider[0].text(1) == "new")
        try await connection.script("alter table shape drop a")
        let piped = try await connection.pipeline([("select 1", []), (sql, [])])
        #expect(piped[1][0].text(0) == "new")
        try await connection.script("deallocate all")
        let back = try await connection.query(sql)
        #expect(back.columnCount == 1)
    }

    @Test("inside a transaction an outdated statement is an error that wants a retry")
    func outdatedInTransaction() async throws {
        try await connection.script("create temporary table shape (a int)")
        let sql: SQL = "select * from shape"
        _ = try await connection.query(sql)
        try await connection.script("alter table shape add b text")
        let error = await failure { try await connection.transaction { db throws(PostgresError) in try db.query(sql).count } }
        #expect(error?.code == .statementOutdated && error?.wantsRetry == true)
        let count = try await connection.transaction { db throws(PostgresError) in try db.query(sql).columnCount }
        #expect(count == 2)
    }

    @Test("more distinct texts than the cache holds are no problem")
    func manyStatements() async throws {
        for number in 0..<1100 {
            let rows = try await connection.query(SQL("select \(number)"))
            #expect(rows[0].int64(0) == Int64(number))
        }
        let prepared = try await connection.query("select count(*) from pg_prepared_statements")
        #expect(prepared[0].int64(0) < 200)
    }

    @Test("notices go to the handler")
    func notices() async throws {
        let heard = Mutex<[String]>([])
        let other = try await PostgresConnection.connect(
            PostgresConfiguration(
                try TestServer.shared().configuration.connectionString, noticeHandler: { text in heard.withLock { $0.append(text) } }))
        try await other.script("do $$ begin raise notice 'hear, hear'; end $$")
        #expect(heard.withLock { $0 } == ["hear, hear"])
    }

    @Test("a COPY is refused instead of hanging")
    func copy() async throws {
        let error = await failure { try await connection.script("copy (select 1) to stdout") }
        #expect(error?.code == .protocolViolation)
        #expect(!connection.isUsable)
    }

    @Test("a closed connection says so")
    func closed() async throws {
        await connection.close()
        let error = await failure { try await connection.query("select 1") }
        #expect(error?.code == .connectionClosed && error?.wantsReconnect == true)
    }

    @Test("an answer that does not come in time costs the connection, not the process")
    func answerTimeout() async throws {
        var configuration = try TestServer.shared().configuration
        configuration.answerTimeout = .milliseconds(100)
        let other = try await PostgresConnection.connect(configuration)
        let error = await failure { try await other.query("select pg_sleep(20)") }
        #expect(error?.code == .answerTimeout && error?.outcomeUnknown == true && error?.wantsReconnect == true)
        #expect(!other.isUsable)
    }

    @Test("blocked connections do not hold each other up")
    func blockedInParallel() async throws {
        let configuration = try TestServer.shared().configuration
        let connections = try await withThrowingTaskGroup(of: PostgresConnection.self) { group in
            for _ in 0..<8 { group.addTask { try await PostgresConnection.connect(configuration) } }
            var all: [PostgresConnection] = []
            for try await one in group { all.append(one) }
            return all
        }
        let elapsed = try await ContinuousClock().measure {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for connection in connections { group.addTask { _ = try await connection.query("select pg_sleep(0.5)") } }
                try await group.waitForAll()
            }
        }
        // Two at a time, as on the shared pool of a machine with two cores, would take two seconds.
        #expect(elapsed < .milliseconds(1500))
    }
}
