// Requests without a key that are sent again, because nobody knows what became of them.

import Postgres
import PostgresTestKit
import RunStore
import Testing
import WorkflowModel

@Suite("Submits that are repeated", .timeLimit(.minutes(2)))
struct SubmitTests {
    private struct Repeated {
        let cluster: Cluster
        let request: SubmitRequest
        let run: RunID

        /// A run that was submitted with a ticket.
        static func start() async throws -> Repeated {
            let cluster = try await Cluster.start()
            _ = try await cluster.apply(ProtocolTests.chain)
            var request = SubmitRequest(workflow: "chain", input: JSONText(["n": 1]))
            request.ticket = SubmitTicket()
            return Repeated(cluster: cluster, request: request, run: try await accepted(request, cluster))
        }

        static func accepted(_ request: SubmitRequest, _ cluster: Cluster, on other: PostgresConnection? = nil) async throws -> RunID {
            let answers = try await cluster.store.submit([request], on: other ?? cluster.connection)
            guard case .accepted(let id, 1, isReplay: false) = answers[0] else { throw Unexpected("\(answers[0])") }
            return id
        }

        /// Submits it again, behind the lock of a server that is still at the first attempt, which then does `rest`.
        func cross(_ rest: String) async throws -> PostgresError? {
            let server = try await cluster.database.connect()
            try await server.script("create temporary table kept as select * from skein.run; delete from skein.task; delete from skein.run")
            try await server.script("begin; insert into skein.run select * from kept")
            let other = try await cluster.database.connect()
            let repeated = Task { try await Repeated.accepted(request, cluster, on: other) }
            try await waitUntil(deadline: .seconds(30)) {
                try await cluster.count("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") == 1
            }
            try await server.script("\(rest); commit")
            do {
                _ = try await repeated.value
                return nil
            } catch let error as PostgresError {
                return error
            }
        }
    }

    @Test("a request with a ticket makes one run, however often it is sent, also when that has ended")
    func again() async throws {
        let first = try await Repeated.start()
        let second = try await Repeated.accepted(first.request, first.cluster)
        try await first.cluster.work(try await first.cluster.register())
        let third = try await Repeated.accepted(first.request, first.cluster)
        #expect(second == first.run && third == first.run)
        let runs = try await first.cluster.count("select (select count(*) from skein.run) + (select count(*) from skein.ended_run)")
        #expect(runs == 1)
        let keys = try await first.cluster.count("select count(*) from skein.run_key")
        #expect(keys == 0, "nobody can ask for it by a key")
        try await first.cluster.expectClean()
    }

    @Test("what never came to be is made, under the same id")
    func lost() async throws {
        let first = try await Repeated.start()
        try await first.cluster.connection.script("delete from skein.task; delete from skein.run")
        let second = try await Repeated.accepted(first.request, first.cluster)
        #expect(second == first.run)
        try await first.cluster.work(try await first.cluster.register())
        let output = try await first.cluster.output(of: second)
        #expect(output == "20")
        try await first.cluster.expectClean()
    }

    @Test("an attempt that the server commits meanwhile is in the way, and found the next time")
    func crossed() async throws {
        let first = try await Repeated.start()
        let error = try await first.cross("select 1")
        #expect(error?.sqlState == .uniqueViolation)
        let third = try await Repeated.accepted(first.request, first.cluster)
        #expect(third == first.run)
    }

    @Test("an attempt that is committed meanwhile, and whose run has ended, is noticed, too")
    func crossedAndEnded() async throws {
        let first = try await Repeated.start()
        let error = try await first.cross(
            """
            insert into skein.ended_run (run_id, namespace_id, version_id, status, revision, history_length, submitted_at, ended_at, trigger, input)
            select run_id, namespace_id, version_id, 'succeeded', 1, 2, submitted_at, clock_timestamp(), trigger, input from skein.run;
            delete from skein.run
            """)
        #expect(error?.sqlState == .serializationFailure)
        let runs = try await first.cluster.count("select count(*) from skein.run")
        #expect(runs == 0, "nothing of the repetition is left")
        let third = try await Repeated.accepted(first.request, first.cluster)
        #expect(third == first.run)
    }
}
