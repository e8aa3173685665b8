// LISTEN: hearing, reconnecting, ending.

import Postgres
import PostgresTestKit
import Synchronization
import Testing

@Suite("Listener", .timeLimit(.minutes(2)))
struct ListenerTests {
    let database: TestDatabase
    let sender: PostgresConnection

    init() async throws {
        database = try await TestDatabase.create(migrated: false)
        sender = try await database.connect()
    }

    private func listenerProcess() async throws -> Int32 {
        try await sender.query("select pid from pg_stat_activity where datname = current_database() and application_name = 'ears'")
            .first?.int32(0) ?? 0
    }

    // A listener, and streams of what it hears.
    private func ears(
        _ configuration: PostgresConfiguration? = nil, channels: [String], echoInterval: Duration = .seconds(10),
        onFailure: (@Sendable (PostgresError) -> Void)? = nil
    ) -> (PostgresListener, [AsyncStream<PostgresNotification>.AsyncIterator]) {
        let streams = (channels + [""]).map { _ in AsyncStream.makeStream(of: PostgresNotification.self) }
        let continuations = streams.map(\.continuation)
        let listener = PostgresListener(
            configuration ?? self.configuration, channels: channels, echoInterval: echoInterval, onFailure: onFailure
        ) { heard in
            for (place, continuation) in continuations.enumerated()
            where heard.kind == .connected || place == channels.count || channels[place] == heard.channel { continuation.yield(heard) }
        }
        return (listener, streams.map { $0.stream.makeAsyncIterator() })
    }

    private var configuration: PostgresConfiguration {
        var configuration = database.configuration
        configuration.applicationName = "ears"
        return configuration
    }

    @Test("a stream hears its channel, and first that listening has begun")
    func hears() async throws {
        let (listener, streams) = ears(channels: ["work", "odd \"name\""])
        var (work, odd, all) = (streams[0], streams[1], streams[2])
        let running = Task { await listener.run() }
        #expect(await work.next()?.kind == .connected)
        #expect(await odd.next()?.kind == .connected)
        #expect(await all.next()?.kind == .connected)
        try await sender.notify("work", "q:1")
        #expect(await work.next() == PostgresNotification(kind: .notified, channel: "work", payload: "q:1"))
        #expect(await all.next()?.payload == "q:1")
        try await sender.notify("odd \"name\"", "ü")
        #expect(await odd.next()?.payload == "ü")
        running.cancel()
        await running.value
    }

    @Test("after the server ended the session the listener connects again and says so")
    func reconnects() async throws {
        let failures = Mutex<[PostgresError]>([])
        let (listener, streams) = ears(channels: ["work"], onFailure: { error in failures.withLock { $0.append(error) } })
        var stream = streams[0]
        let running = Task { await listener.run() }
        #expect(await stream.next()?.kind == .connected)
        try await database.terminate(try await listenerProcess())
        #expect(await stream.next()?.kind == .connected)
        try await sender.notify("work", "again")
        #expect(await stream.next()?.payload == "again")
        #expect(failures.withLock { $0.first?.code } == .connectionLost)
        running.cancel()
        await running.value
    }

    @Test("a listener that hears its echoes stays connected")
    func echo() async throws {
        let (listener, streams) = ears(channels: ["work"], echoInterval: .milliseconds(20))
        var stream = streams[0]
        let running = Task { await listener.run() }
        #expect(await stream.next()?.kind == .connected)
        let first = try await listenerProcess()
        for echo in 1...5 {
            let before = try await sender.query("select query_start from pg_stat_activity where pid = $1", [.int32(first)])[0].timestamp(0)
            try await waitUntil("echo \(echo) was sent") {
                try await sender.query(
                    "select 1 from pg_stat_activity where pid = $1 and query like '%pg_notify%' and query_start > $2",
                    [.int32(first), .timestamp(before)]
                ).count == 1
            }
        }
        let last = try await listenerProcess()
        #expect(first == last)
        running.cancel()
        await running.value
    }

    @Test("listeners that hear the echoes of another one send none")
    func sharedEchoes() async throws {
        // Echoes are written down as well as sent.
        try await sender.script(
            """
            create schema counted;
            create table counted.echo (listener text);
            create function counted.pg_notify(p_channel text, p_payload text) returns void language sql as $$
              insert into counted.echo values (current_setting('application_name'));
              select pg_catalog.pg_notify(p_channel, p_payload);
            $$;
            """)
        let listeners = ["impatient", "patient", "patient", "patient"].map { name in
            var configuration = database.configuration
            configuration.applicationName = name
            configuration.connectionString += " options='-c search_path=counted,pg_catalog'"
            return ears(configuration, channels: ["work"], echoInterval: .milliseconds(name == "patient" ? 200 : 100))
        }
        let running = listeners.map { listener, _ in Task { await listener.run() } }
        for (_, streams) in listeners {
            var stream = streams[0]
            #expect(await stream.next()?.kind == .connected)
        }
        try await sender.script("delete from counted.echo")
        func echoes(of name: String) async throws -> Int64 {
            try await sender.query("select count(*) from counted.echo where listener = $1", [.text(name)])[0].int64(0)
        }
        try await waitUntil("one has sent echoes") { try await echoes(of: "impatient") >= 12 }
        // Each for itself they would have sent six each. On a busy machine one may come late, now and then.
        #expect(try await echoes(of: "patient") < 9)
        for task in running { task.cancel() }
        for task in running { await task.value }
    }

    @Test("a listener that does not hear its echoes connects again")
    func missedEchoes() async throws {
        // Where NOTIFY does nothing, nothing is heard, as behind a pooler that swallows LISTEN.
        try await sender.script(
            """
            create schema mute;
            create function mute.pg_notify(text, text) returns void language sql as $$ select $$;
            """)
        var configuration = configuration
        configuration.connectionString += " options='-c search_path=mute,pg_catalog'"
        let failures = Mutex<[PostgresError]>([])
        let (listener, streams) = ears(
            configuration, channels: ["work"], echoInterval: .milliseconds(20),
            onFailure: { error in failures.withLock { $0.append(error) } })
        var stream = streams[0]
        let running = Task { await listener.run() }
        #expect(await stream.next()?.kind == .connected)
        #expect(await stream.next()?.kind == .connected)
        #expect(failures.withLock { $0.first?.message.contains("echoes") } == true)
        running.cancel()
        await running.value
    }

    @Test("when run returns, the session is gone")
    func leavesNothing() async throws {
        let (listener, _) = ears(channels: ["work"])
        let running = Task { await listener.run() }
        try await waitUntil("the listener is connected") { try await listenerProcess() != 0 }
        running.cancel()
        await running.value
        try await waitUntil("its session is gone") { try await listenerProcess() == 0 }
    }

    @Test("a listener without a server keeps trying and can be cancelled")
    func noServer() async throws {
        let failed = AsyncStream.makeStream(of: PostgresError.self)
        let listener = PostgresListener(
            PostgresConfiguration("host=/nonexistent"), channels: ["work"], onFailure: { failed.continuation.yield($0) }, onNotification: { _ in })
        let running = Task { await listener.run() }
        var failures = failed.stream.makeAsyncIterator()
        for _ in 0..<3 { #expect(await failures.next()?.code == .connectionFailed) }
        running.cancel()
        await running.value
    }

    @Test("a notice goes with the commit, or with the notifier when one was just sent; none before the commit, and none without one")
    func notices() async throws {
        let (listener, streams) = ears(channels: ["work"])
        var stream = streams[0]
        let running = Task { await listener.run() }
        #expect(await stream.next()?.kind == .connected)
        // Nothing runs the notifier: what is heard was sent with a commit.
        // It sends nothing again, so it gets all the time to connect that a busy machine may need.
        var patient = configuration
        patient.connectTimeout = .seconds(60)
        let notifier = PostgresNotifier(patient, pause: .seconds(3600))
        let notice = CommitNotice(notifier, channel: "work")
        _ = try await sender.transaction { db throws(PostgresError) in
            try db.pipelineAndCommit([("create table thing (id integer primary key)", [])], notifying: notice)
        }
        #expect(await stream.next()?.channel == "work")
        #expect(notifier.count == 1)
        // The next one comes too soon for a turn of its own.
        let rows = try await sender.pipeline([("insert into thing values (1) returning id", [])], notifying: notice)
        #expect(rows[0][0].int32(0) == 1)
        #expect(notifier.count == 1)
        let sending = Task { await notifier.run() }
        #expect(await stream.next()?.channel == "work")
        sending.cancel()
        // A batch that fails says so, whatever goes behind it, and the connection is as good as before.
        let other = CommitNotice(PostgresNotifier(configuration), channel: "other")
        await #expect(throws: PostgresError.self) { try await sender.pipeline([("select 1 / 0", [])], notifying: other) }
        #expect(try await sender.pipeline([("select count(*) from thing", [])], notifying: other)[0][0].int64(0) == 1)
        running.cancel()
        await running.value
    }
}
