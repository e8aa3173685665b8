// Every check finds what it is there for: a violation made by hand in a database that is otherwise healthy.

import Postgres
import PostgresTestKit
@testable import Schema
import Testing

@Suite("Invariants", .timeLimit(.minutes(2)))
struct InvariantTests {
    /// A workflow of two steps, one after the other; a live run whose second step is ready, and one that has ended.
    static let healthy = """
        insert into skein.workflow (namespace_id, name) values (1, 'pair');
        insert into skein.workflow_version (namespace_id, name, version, content_hash, definition, source)
        values (1, 'pair', 1, 'hash', '{"workflow":"pair","graph":[{"id":"a","agent":"x"},{"id":"b","agent":"x","needs":["a"]}]}', '');
        update skein.workflow set live_version_id = 1;
        insert into skein.version_step (version_id, step_index, namespace_id, path, verb, call, needs)
        values (1, 0, 1, 'a', 'agent', '{}', '{}'), (1, 1, 1, 'b', 'agent', '{}', '{a}');
        select skein.register_session_v1('default', 'test', 'localhost', 1, 'test', '{default}', 10, 60000);

        insert into skein.run (run_id, namespace_id, version_id, history_length, unsettled, live, started_at, submitted_at, input)
        values ('\(live)', 1, 1, 2, 1, 1, clock_timestamp(), clock_timestamp(), '{}');
        insert into skein.ended_run (run_id, namespace_id, version_id, status, revision, history_length, submitted_at, ended_at, trigger, input)
        values ('\(ended)', 1, 1, 'succeeded', 3, 4, clock_timestamp(), clock_timestamp(), 'api', '{}');
        insert into skein.step (run_id, path, seq, namespace_id, step_index, status, attempt, losses, session_id, fence, started_at, finished_at)
        values ('\(live)', 'a', 2, 1, 0, 'succeeded', 1, 0, 1, 11, clock_timestamp(), clock_timestamp()),
               ('\(ended)', 'a', 2, 1, 0, 'succeeded', 1, 0, 1, 12, clock_timestamp(), clock_timestamp()),
               ('\(ended)', 'b', 3, 1, 1, 'succeeded', 1, 0, 1, 13, clock_timestamp(), clock_timestamp());
        update skein.step set session_id = (select max(session_id) from skein.worker_session);
        insert into skein.task (run_id, path, namespace_id, queue_id, version_id, step_index, ready_at, input)
        values ('\(live)', 'b', 1, 1, 1, 1, clock_timestamp(), '{}');
        """
    static let live = "01890000-0000-7000-8000-000000000001"
    static let ended = "01890000-0000-7000-8000-000000000002"
    static let nobody = "01890000-0000-7000-8000-000000000003"

    private static let attempt = """
        insert into skein.attempt (run_id, path, attempt, fence, seq, namespace_id, session_id, status, claimed_at, settled_at)
        """
    private static let event = "insert into skein.event (namespace_id, name, run_id, data, expires_at, state) values (1, 'paid', '\(live)', '{}', 'infinity',"
    private static let key = "insert into skein.api_key (namespace_id, name, key_hash) values (1, 'k', sha256('sk_0123456789abcdefghijklmnop'))"
    private static let task = "insert into skein.task (run_id, path, namespace_id, queue_id, version_id, step_index, ready_at, input)"

    /// The file of the check, and what breaks its invariant.
    static let violations: [Violation] = [
        Violation("I01_accepted_runs_exist", "delete from skein.ended_run where run_id = '\(ended)'"),
        Violation("I01_accepted_runs_exist", "insert into skein.inbox (run_id, namespace_id, kind) values ('\(nobody)', 1, 'cancel')"),
        Violation(
            "I02_one_ending",
            """
            insert into skein.ended_run (run_id, namespace_id, version_id, status, revision, history_length, submitted_at, ended_at, trigger, input)
            values ('\(live)', 1, 1, 'failed', 3, 3, clock_timestamp(), clock_timestamp(), 'api', '{}')
            """, mend: .statement(0)),
        Violation(
            "I03_one_run_per_key",
            "insert into skein.run_key values (1, sha256('key'), sha256('request'), skein.new_run_id(), clock_timestamp() + interval '1 day')", mend: .statement(0)),
        Violation("I04_one_result", "\(task) values ('\(live)', 'a', 1, 1, 1, 0, clock_timestamp(), '{}')", mend: .statement(0)),
        Violation(
            "I04_one_result",
            "insert into skein.live_step (run_id, path, namespace_id, step_index, kind) values ('\(live)', 'a', 1, 0, 'pending')", mend: .statement(0)),
        Violation(
            "I05_highest_fence", "\(attempt) values ('\(ended)', 'a', 2, 99, 9, 1, 1, 'lost', clock_timestamp(), clock_timestamp())"),
        Violation(
            "I06_lost_leases_change_nothing",
            "\(attempt) values ('\(ended)', 'a', 1, 12, 9, 1, 1, 'lost', clock_timestamp(), clock_timestamp())"),
        Violation("I06_lost_leases_change_nothing", "update skein.worker_session set dead_at = clock_timestamp() - interval '1 hour'"),
        Violation("I07_needs_come_first", "update skein.step set fence = 5 where run_id = '\(ended)' and path = 'b'"),
        Violation("I07_needs_come_first", "update skein.step set seq = 9 where run_id = '\(ended)' and path = 'a'"),
        Violation("I07_needs_come_first", "delete from skein.step where run_id = '\(ended)' and path = 'a'"),
        Violation("I08_result_has_attempt", "update skein.step set fence = null where run_id = '\(ended)' and path = 'b'"),
        Violation("I09_ended_is_quiet", "\(task) values ('\(ended)', 'c', 1, 1, 1, 0, clock_timestamp(), '{}')", mend: .statement(0)),
        Violation(
            "I09_ended_is_quiet",
            "insert into skein.timer (run_id, path, kind, namespace_id, due_at) values ('\(ended)', '', 'deadline', 1, clock_timestamp())", mend: .statement(0)),
        Violation(
            "I09_ended_is_quiet",
            "insert into skein.wait (run_id, path, namespace_id, since) values ('\(ended)', 'c', 1, clock_timestamp())", mend: .statement(0)),
        Violation("I10_paused_is_quiet", "update skein.run set paused_at = clock_timestamp(), paused_by = run_id", mend: .statement(0)),
        Violation(
            "I10_paused_is_quiet",
            """
            insert into skein.run_event (run_id, seq, namespace_id, kind, at)
            values ('\(ended)', 9, 1, 'paused', clock_timestamp() - interval '1 hour'), ('\(ended)', 10, 1, 'resumed', clock_timestamp() + interval '1 hour')
            """),
        Violation("I11_cancelled_is_quiet", "update skein.run set cancel_requested_at = clock_timestamp() - interval '1 minute'", mend: .statement(0)),
        Violation(
            "I11_cancelled_is_quiet",
            """
            update skein.run set cancel_requested_at = clock_timestamp() - interval '1 minute';
            update skein.task set state = 'leased', session_id = (select max(session_id) from skein.worker_session), fence = 20, claimed_at = clock_timestamp()
            """),
        Violation(
            "I12_failed_attempts_have_successors",
            "\(attempt) values ('\(live)', 'c', 1, 20, 3, 1, 1, 'failed', clock_timestamp(), clock_timestamp())"),
        Violation(
            "I12_failed_attempts_have_successors",
            "\(attempt) values ('\(live)', 'b', 1, 20, 3, 1, 1, 'failed', clock_timestamp(), clock_timestamp())"),
        Violation(
            "I13_dead_letters_are_kept",
            "update skein.workflow_version set definition = '{\"workflow\":\"pair\",\"onSuccess\":[{\"workflow\":\"x\"},{\"workflow\":\"y\",\"if\":\"${ true }\"}]}'", mend: .statement(0)),
        Violation(
            "I13_dead_letters_are_kept",
            """
            insert into skein.dead_letter (namespace_id, kind, run_id, path, workflow, failure)
            values (1, 'chain', skein.new_run_id(), 'onSuccess[0]', 'x', '{}')
            """, mend: .statement(1)),
        Violation("I15_attempts_within_policy", "update skein.task set losses = 6"),
        Violation("I15_attempts_within_policy", "update skein.task set attempt = 2"),
        Violation("I15_attempts_within_policy", "update skein.step set losses = 7"),
        Violation("I18_timers_fire", "update skein.task set state = 'waiting'", mend: .statement(0)),
        Violation(
            "I18_timers_fire",
            "insert into skein.timer (run_id, path, kind, namespace_id, due_at) values ('\(live)', 'b', 'backoff', 1, clock_timestamp())", mend: .statement(1)),
        Violation(
            "I18_timers_fire", "insert into skein.live_step (run_id, path, namespace_id, step_index, kind) values ('\(live)', 'c', 1, 0, 'sleep'); update skein.run set live = 2", mend: .statement(0)),
        Violation(
            "I18_timers_fire",
            "insert into skein.timer (run_id, path, kind, namespace_id, due_at) values ('\(live)', 'c', 'sleep', 1, clock_timestamp())", mend: .statement(1)),
        Violation("I19_events_are_taken_once", "\(event) 'consumed')"),
        Violation(
            "I19_events_are_taken_once",
            """
            \(event) 'consumed');
            insert into skein.event_delivery (event_id, run_id, path, namespace_id, is_consumed) values (1, '\(live)', 'b', 1, true), (1, '\(live)', 'c', 1, true)
            """),
        Violation("I19_events_are_taken_once", "\(event) 'offered'); update skein.event set taken_by = '\(live)'", mend: .statement(0)),
        Violation(
            "I19_events_are_taken_once",
            "\(event) 'buffered'); insert into skein.wait (run_id, path, namespace_id, names, since) values ('\(live)', 'c', 1, '{paid}', clock_timestamp())", mend: .statement(0)),
        Violation(
            "I20_events_count_once",
            "\(event) 'expired'); update skein.event set source = 'shop', source_id = '7'", mend: .statement(1)),
        Violation(
            "I20_events_count_once",
            """
            select skein.emit('paid', '{}', p_source => 'shop', p_id => '7');
            insert into skein.event (namespace_id, name, source, source_id, data, expires_at)
            values (1, 'paid', 'shop', '7', '{}', 'infinity')
            """, mend: .statement(0)),
        Violation("I28_history_without_gaps", "update skein.run set history_length = 3"),
        Violation("I28_history_without_gaps", "update skein.step set seq = 2 where run_id = '\(ended)' and path = 'b'"),
        Violation("I29_state_follows_from_history", "update skein.run set live = 2"),
        Violation(
            "I29_state_follows_from_history",
            "insert into skein.live_step (run_id, path, namespace_id, step_index, kind, unmet) values ('\(live)', 'b', 1, 1, 'pending', 1)"),
        Violation("I30_namespaces", "insert into skein.namespace (name) values ('other'); update skein.task set namespace_id = 2"),
        Violation(
            "I31_no_secret_in_rows",
            "\(key); update skein.step set output = '{\"note\": \"use sk_0123456789abcdefghijklmnop\"}' where run_id = '\(ended)' and path = 'a'", mend: .revoke),
        Violation("I31_no_secret_in_rows", "\(key); \(event) 'expired'); update skein.event set data = '\"sk_0123456789abcdefghijklmnop\"'", mend: .revoke),
        Violation("I31_no_secret_in_rows", "\(key); update skein.workflow_version set source = 'token: sk_0123456789abcdefghijklmnop'", mend: .revoke),
        Violation("I31_no_secret_in_rows", "\(key); update skein.api_key set name = 'sk_0123456789abcdefghijklmnop'", mend: .revoke),
        Violation("I31_no_secret_in_rows", "\(key); update skein.api_key set key_hash = 'sk_0123456789abcdefghijklmnop'", mend: .statement(0)),
        Violation("I32_orders_leave_their_record", "update skein.run set paused_at = clock_timestamp(), paused_by = run_id", mend: .statement(0)),
        Violation(
            "I32_orders_leave_their_record",
            "insert into skein.run_event (run_id, seq, namespace_id, kind, at) values ('\(live)', 3, 1, 'paused', clock_timestamp()); update skein.run set history_length = 3", mend: .statement(0)),
        Violation("I32_orders_leave_their_record", "update skein.run set cancel_requested_at = clock_timestamp()", mend: .statement(1)),
        Violation("I32_orders_leave_their_record", "update skein.ended_run set status = 'cancelled', cancel_reason = 'by hand'"),
        Violation(
            "I34_failovers_void_leases",
            "insert into skein.cluster_epoch (system_identifier, timeline) select (pg_control_system()).system_identifier, 7"),
        Violation(
            "I34_failovers_void_leases",
            """
            update skein.task set state = 'leased', session_id = (select max(session_id) from skein.worker_session),
                                  fence = (9::bigint << 40) + 20, claimed_at = clock_timestamp() - interval '2 minutes'
            """),
        Violation(
            "I34_failovers_void_leases",
            """
            update skein.task set state = 'leased', session_id = (select max(session_id) from skein.worker_session), fence = 20,
                                  claimed_at = clock_timestamp() - interval '1 hour';
            update skein.worker_session set dead_at = clock_timestamp();
            update skein.cluster_epoch set since = clock_timestamp() - interval '1 hour'
            """),
        Violation("I35_nothing_is_stuck", "delete from skein.task; update skein.run set live = 0", mend: .cancel),
        Violation(
            "I36_leases_have_living_owners",
            """
            update skein.task set state = 'leased', session_id = (select max(session_id) from skein.worker_session), fence = 20, claimed_at = clock_timestamp() - interval '1 hour';
            update skein.worker_session set dead_at = clock_timestamp() - interval '2 minutes'
            """),
        Violation(
            "L02_what_is_due_is_folded",
            """
            update skein.task set state = 'settled', session_id = (select max(session_id) from skein.worker_session), fence = 20, claimed_at = clock_timestamp(), outcome = 'succeeded',
                                  settled_at = clock_timestamp() - interval '2 minutes'
            """),
        Violation(
            "L02_what_is_due_is_folded",
            "insert into skein.inbox (run_id, namespace_id, kind, at) values ('\(live)', 1, 'cancel', clock_timestamp() - interval '2 minutes')"),
        Violation(
            "L02_what_is_due_is_folded",
            """
            insert into skein.timer (run_id, path, kind, namespace_id, due_at)
            values ('\(live)', '', 'deadline', 1, clock_timestamp() - interval '2 minutes')
            """),
    ]

    @Test("a healthy database with runs in flight and runs that have ended fulfils every check")
    func nothingFound() async throws {
        let database = try await TestDatabase.create()
        let connection = try await database.connect()
        try await connection.script(Self.healthy)
        for result in try await Checks.run(connection) {
            #expect(result.isGood, "\(result.id): \(result.rows) \(String(describing: result.failure))")
        }
    }

    /// A campaign of ten minutes with several hundred versions of a workflow: 2 s for a check, and minutes for the first 20 rows of it.
    @Test("a check looks for all violations, however few of them are shown")
    func plans() async throws {
        let database = try await TestDatabase.create()
        let connection = try await database.connect()
        for file in EmbeddedSQL.checks {
            let statement = String(file.text.reversed().drop { $0.isWhitespace || $0 == ";" }.reversed())
            let plan = try await connection.query(SQL("explain " + Checks.limited(statement))).map { $0.text(0) }
            // Nothing but the finished list stands directly below the limit.
            let below = plan.filter { $0.hasPrefix("  ->  ") }
            #expect(plan.first?.hasPrefix("Limit") == true && below.count == 1, "\(file.name): \(plan)")
            #expect(below.allSatisfy { $0.hasPrefix("  ->  CTE Scan on violation ") }, "\(file.name): \(plan)")
        }
        #expect(EmbeddedSQL.checks.count >= 26)
    }

    @Test("a check finds the violation that was made for it, and whoever follows its remedy to the letter mends it", .serialized, arguments: violations)
    func found(violation: Violation) async throws {
        let database = try await TestDatabase.create()
        let connection = try await database.connect()
        try await connection.script(Self.healthy + ";" + violation.sql)
        let file = try #require(EmbeddedSQL.checks.first { $0.name == "\(violation.check).sql" })
        let result = try #require(try await Checks.run(connection, checks: [file]).first)
        #expect(result.failure == nil)
        #expect(!result.rows.isEmpty)
        #expect(!result.remedy.isEmpty)
        #expect(result.rows.allSatisfy { $0.hasPrefix("{") })
        if violation.mend != .report { try await Self.mend(violation, on: connection) }
    }

    // Whoever follows remedies to the letter has a database that fulfils every check.
    private static func mend(_ violation: Violation, on connection: PostgresConnection) async throws {
        // What a remedy leaves behind may be another check's, with a remedy of its own.
        for _ in 0..<3 {
            for result in try await Checks.run(connection) where !result.isGood {
                #expect(result.failure == nil)
                let isOwn = violation.check.hasPrefix(number(of: result))
                let (mend, statements) = (isOwn ? violation.mend : .statement(0), result.statements)
                // What follows from the violation goes with it.
                if !isOwn, statements.isEmpty { continue }
                for row in result.rows {
                    switch mend {
                    case .statement(let number):
                        let statement = try #require(statements.indices.contains(number) ? statements[number] : nil, "\(result.id): \(result.remedy)")
                        try await connection.script(try await filled(statement, row, connection))
                    case .cancel:
                        #expect(result.remedy.contains("`skein run cancel <run_id>`"))
                        try await connection.script(try await filled("select skein.cancel('<run_id>')", row, connection))
                    case .revoke:
                        #expect(result.remedy.contains("`skein key revoke <key>`"))
                        try await connection.script(
                            try await filled("update skein.api_key set revoked_at = clock_timestamp() where name = '<key>'", row, connection))
                    case .report: Issue.record("\(result.id) cannot be mended: \(row)")
                    }
                }
            }
        }
        for result in try await Checks.run(connection) { #expect(result.isGood, "\(result.id): \(result.rows)") }
    }

    @Test("every statement that a remedy names is followed by a test, and where there is none it is to be reported or left to a coordinator")
    func remedies() {
        for file in EmbeddedSQL.checks {
            let result = CheckResult(file)
            let own = Self.violations.filter { "\($0.check).sql" == file.name }
            let followed = Set(own.compactMap { if case .statement(let number) = $0.mend { number } else { nil } })
            #expect(followed == Set(result.statements.indices), "\(file.name): \(result.remedy)")
            if result.statements.isEmpty {
                #expect(["report it", "is a coordinator running", "skein key revoke"].contains { result.remedy.contains($0) }, "\(file.name)")
            }
        }
    }

    // I02_one_ending is I2.
    private static func number(of result: CheckResult) -> String {
        let digits = result.id.dropFirst()
        return "\(result.id.prefix(1))\(digits.count == 1 ? "0" : "")\(digits)_"
    }

    // A statement with a row's values in the place of their names.
    private static func filled(_ statement: String, _ row: String, _ connection: PostgresConnection) async throws -> String {
        var filled = statement
        let values = try await connection.query("select key, coalesce(value, 'null') from jsonb_each_text($1::jsonb)", [.text(row)])
        for value in values { filled = filled.replacing("<\(value.text(0))>", with: value.text(1)) }
        #expect(!filled.contains("<run_id>") && !filled.contains("<path>"), "\(filled)")
        return filled
    }

    @Test("there is a violation for every check")
    func complete() {
        let proved = Set(Self.violations.map { "\($0.check).sql" })
        #expect(Set(EmbeddedSQL.checks.map(\.name)) == proved)
    }
}

/// Something that must not be.
struct Violation: Sendable, CustomTestStringConvertible {
    /// What somebody does who follows the remedy.
    enum Mend: Sendable, Equatable {
        /// Nothing: it is for whoever maintains Skein, or for a coordinator that is not running.
        case report
        /// Runs one of the statements that it names, for each row.
        case statement(Int)
        /// Cancels the run.
        case cancel
        /// Revokes the key.
        case revoke
    }

    let check: String
    let sql: String
    let mend: Mend

    init(_ check: String, _ sql: String, mend: Mend = .report) {
        self.check = check
        self.sql = sql
        self.mend = mend
    }

    var testDescription: String { "\(check): \(sql.prefix(100))" }
}

extension CheckResult {
    /// The statements that the remedy names.
    fileprivate var statements: [String] {
        remedy.split(separator: "`", omittingEmptySubsequences: false).enumerated()
            .filter { $0.offset % 2 == 1 && !$0.element.hasPrefix("skein ") }.map { String($0.element) }
    }
}
