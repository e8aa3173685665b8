// Every check finds what it is there for: a violation made by hand in a database that is otherwise healthy.

import Postgres
import PostgresTestKit
import Schema
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
            """),
        Violation(
            "I03_one_run_per_key",
            "insert into skein.run_key values (1, sha256('key'), sha256('request'), skein.new_run_id(), clock_timestamp() + interval '1 day')"
        ),
        Violation("I04_one_result", "\(task) values ('\(live)', 'a', 1, 1, 1, 0, clock_timestamp(), '{}')"),
        Violation(
            "I04_one_result",
            "insert into skein.live_step (run_id, path, namespace_id, step_index, kind) values ('\(live)', 'a', 1, 0, 'pending')"),
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
        Violation("I09_ended_is_quiet", "\(task) values ('\(ended)', 'c', 1, 1, 1, 0, clock_timestamp(), '{}')"),
        Violation(
            "I09_ended_is_quiet",
            "insert into skein.timer (run_id, path, kind, namespace_id, due_at) values ('\(ended)', '', 'deadline', 1, clock_timestamp())"),
        Violation(
            "I09_ended_is_quiet",
            "insert into skein.wait (run_id, path, namespace_id, since) values ('\(ended)', 'c', 1, clock_timestamp())"),
        Violation("I10_paused_is_quiet", "update skein.run set paused_at = clock_timestamp(), paused_by = run_id"),
        Violation(
            "I10_paused_is_quiet",
            """
            insert into skein.run_event (run_id, seq, namespace_id, kind, at)
            values ('\(ended)', 9, 1, 'paused', clock_timestamp() - interval '1 hour'), ('\(ended)', 10, 1, 'resumed', clock_timestamp() + interval '1 hour')
            """),
        Violation("I11_cancelled_is_quiet", "update skein.run set cancel_requested_at = clock_timestamp() - interval '1 minute'"),
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
            "update skein.workflow_version set definition = '{\"workflow\":\"pair\",\"onSuccess\":[{\"workflow\":\"x\"},{\"workflow\":\"y\",\"if\":\"${ true }\"}]}'"),
        Violation(
            "I13_dead_letters_are_kept",
            """
            insert into skein.dead_letter (namespace_id, kind, run_id, path, workflow, failure)
            values (1, 'chain', skein.new_run_id(), 'onSuccess[0]', 'x', '{}')
            """),
        Violation("I15_attempts_within_policy", "update skein.task set losses = 6"),
        Violation("I15_attempts_within_policy", "update skein.task set attempt = 2"),
        Violation("I15_attempts_within_policy", "update skein.step set losses = 7"),
        Violation("I18_timers_fire", "update skein.task set state = 'waiting'"),
        Violation(
            "I18_timers_fire",
            "insert into skein.timer (run_id, path, kind, namespace_id, due_at) values ('\(live)', 'b', 'backoff', 1, clock_timestamp())"),
        Violation(
            "I18_timers_fire", "insert into skein.live_step (run_id, path, namespace_id, step_index, kind) values ('\(live)', 'c', 1, 0, 'sleep')"),
        Violation(
            "I18_timers_fire",
            "insert into skein.timer (run_id, path, kind, namespace_id, due_at) values ('\(live)', 'c', 'sleep', 1, clock_timestamp())"),
        Violation("I19_events_are_taken_once", "\(event) 'consumed')"),
        Violation(
            "I19_events_are_taken_once",
            """
            \(event) 'consumed');
            insert into skein.event_delivery (event_id, run_id, path, namespace_id, is_consumed) values (1, '\(live)', 'b', 1, true), (1, '\(live)', 'c', 1, true)
            """),
        Violation("I19_events_are_taken_once", "\(event) 'offered'); update skein.event set taken_by = '\(live)'"),
        Violation(
            "I19_events_are_taken_once",
            "\(event) 'buffered'); insert into skein.wait (run_id, path, namespace_id, names, since) values ('\(live)', 'c', 1, '{paid}', clock_timestamp())"),
        Violation(
            "I20_events_count_once",
            "\(event) 'consumed'); update skein.event set source = 'shop', source_id = '7'"),
        Violation(
            "I20_events_count_once",
            """
            select skein.emit('paid', '{}', p_source => 'shop', p_id => '7');
            insert into skein.event (namespace_id, name, source, source_id, data, expires_at)
            values (1, 'paid', 'shop', '7', '{}', 'infinity')
            """),
        Violation("I28_history_without_gaps", "update skein.run set history_length = 3"),
        Violation("I28_history_without_gaps", "update skein.step set seq = 2 where run_id = '\(ended)' and path = 'b'"),
        Violation("I29_state_follows_from_history", "update skein.run set live = 2"),
        Violation(
            "I29_state_follows_from_history",
            "insert into skein.live_step (run_id, path, namespace_id, step_index, kind, unmet) values ('\(live)', 'b', 1, 1, 'pending', 1)"),
        Violation("I30_namespaces", "insert into skein.namespace (name) values ('other'); update skein.task set namespace_id = 2"),
        Violation(
            "I31_no_secret_in_rows",
            "\(key); update skein.step set output = '{\"note\": \"use sk_0123456789abcdefghijklmnop\"}' where run_id = '\(ended)' and path = 'a'"),
        Violation("I31_no_secret_in_rows", "\(key); \(event) 'consumed'); update skein.event set data = '\"sk_0123456789abcdefghijklmnop\"'"),
        Violation("I31_no_secret_in_rows", "\(key); update skein.workflow_version set source = 'token: sk_0123456789abcdefghijklmnop'"),
        Violation("I31_no_secret_in_rows", "\(key); update skein.api_key set name = 'sk_0123456789abcdefghijklmnop'"),
        Violation("I31_no_secret_in_rows", "\(key); update skein.api_key set key_hash = 'sk_0123456789abcdefghijklmnop'"),
        Violation("I32_orders_leave_their_record", "update skein.run set paused_at = clock_timestamp(), paused_by = run_id"),
        Violation(
            "I32_orders_leave_their_record",
            "insert into skein.run_event (run_id, seq, namespace_id, kind, at) values ('\(live)', 9, 1, 'paused', clock_timestamp())"),
        Violation("I32_orders_leave_their_record", "update skein.run set cancel_requested_at = clock_timestamp()"),
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
        Violation("I35_nothing_is_stuck", "delete from skein.task"),
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

    @Test("a check finds the violation that was made for it", arguments: violations)
    func found(violation: Violation) async throws {
        let database = try await TestDatabase.create()
        let connection = try await database.connect()
        try await connection.script(Self.healthy + ";" + violation.sql)
        let file = try #require(EmbeddedSQL.checks.first { $0.name == "\(violation.check).sql" })
        let result = try #require(try await Checks.run(connection, checks: [file]).first)
        #expect(result.failure == nil)
        #expect(!result.rows.isEmpty)
        #expect(!result.remedy.isEmpty)
    }

    @Test("there is a violation for every check")
    func complete() {
        let proved = Set(Self.violations.map { "\($0.check).sql" })
        #expect(Set(EmbeddedSQL.checks.map(\.name)) == proved)
    }
}

/// Something that must not be.
struct Violation: Sendable, CustomTestStringConvertible {
    let check: String
    let sql: String

    init(_ check: String, _ sql: String) {
        self.check = check
        self.sql = sql
    }

    var testDescription: String { "\(check): \(sql.prefix(100))" }
}
