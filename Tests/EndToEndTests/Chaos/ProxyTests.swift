// The proxy of campaigns does the harm that it says, and no other.

import Foundation
import NIOCore
import Postgres
import PostgresTestKit
import Testing

extension EndToEnd {
    @Suite("Proxy of campaigns", .timeLimit(.minutes(2)))
    struct ProxyTests {
        private static func use(_ body: (DatabaseProxy, PostgresConnection, PostgresConnection) async throws -> Void) async throws {
            let directory = try ClusterDirectories.make()
            defer { try? FileManager.default.removeItem(at: directory) }
            let server = try OwnServer(in: directory.appending(path: "postgres"))
            defer { server.crash() }
            let proxy = try await DatabaseProxy.start(
                host: "127.0.0.1", socket: server.socketDirectory.appending(path: ".s.PGSQL.5432").path(percentEncoded: false))
            let direct = try await PostgresConnection.connect(PostgresConfiguration(server.url, applicationName: "direct"))
            _ = try await direct.query("create table letter (n integer primary key)")
            let through = try await connect(proxy)
            try await body(proxy, direct, through)
            await through.close()
            await direct.close()
        }

        private static func connect(_ proxy: DatabaseProxy) async throws -> PostgresConnection {
            try await PostgresConnection.connect(
                PostgresConfiguration(
                    "postgresql://postgres@127.0.0.1:\(proxy.port)/postgres", applicationName: "through", answerTimeout: .seconds(10)))
        }

        private static func letters(_ connection: PostgresConnection) async throws -> [Int32] {
            try await connection.query("select n from letter order by n").map { $0.int32(0) }
        }

        @Test("a commit whose answer is lost has happened, and whoever asked for it does not know")
        func lostCommit() async throws {
            try await Self.use { proxy, direct, through in
                _ = try await through.transaction { db throws(PostgresError) in try db.query("insert into letter values (1)") }
                proxy.loseAnswers(1, wait: .milliseconds(50))
                let error = await #expect(throws: PostgresError.self) {
                    try await through.transaction { db throws(PostgresError) in _ = try db.query("insert into letter values (2)") }
                }
                #expect(error?.outcomeUnknown == true, "\(String(describing: error))")
                let kept = try await Self.letters(direct)
                #expect(kept == [1, 2])
                #expect(proxy.lost == (1, 0))
                // Nobody else is harmed.
                let next = try await Self.connect(proxy)
                _ = try await next.transaction { db throws(PostgresError) in try db.query("insert into letter values (3)") }
                await next.close()
            }
        }

        @Test("the answer to a statement that commits by itself is lost as well")
        func lostStatement() async throws {
            try await Self.use { proxy, direct, through in
                _ = try await through.query("select 1")
                proxy.loseAnswers(1, wait: .milliseconds(50))
                await #expect(throws: PostgresError.self) { _ = try await through.query("insert into letter values ($1) returning n", [.int32(4)]) }
                let kept = try await Self.letters(direct)
                #expect(kept == [4])
                #expect(proxy.lost == (0, 1))
            }
        }

        @Test("in a silence nothing is answered, and after it everything is")
        func silence() async throws {
            try await Self.use { proxy, direct, through in
                proxy.fallSilent(.answers)
                async let answer = through.query("insert into letter values (5) returning n")
                try await waitUntil("the request got through") { try await Self.letters(direct) == [5] }
                proxy.fallSilent([])
                let rows = try await answer
                #expect(rows[0].int32(0) == 5)
            }
        }

        @Test("a connection that is cut is gone, and the next one works")
        func cut() async throws {
            try await Self.use { proxy, _, through in
                proxy.cut()
                await #expect(throws: PostgresError.self) { _ = try await through.query("select 1") }
                let next = try await Self.connect(proxy)
                let rows = try await next.query("select 2")
                #expect(rows[0].int32(0) == 2)
                await next.close()
            }
        }
    }
}
