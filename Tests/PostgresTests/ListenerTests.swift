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

    private var configuration: PostgresConfiguration {
        var configuration = database.configuration
        configuration.applicationName = "ears"
        return configuration
    }

    @Test("a stream hears its channel, and first that listening has begun")
    func hears() async throws {
        let listener = PostgresListener(configuration, channels: ["work", "odd \"name\""])
        var work = listener.notifications(on: "work").makeAsyncIterator()
        var odd = listener.notifications(on: "odd \"name\"").makeAsyncIterator()
        var all = listener.notifications().makeAsyncIterator()
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
        let listener = PostgresListener(configuration, channels: ["work"], onFailure: { error in failures.withLock { $0.append(error) } })
        var stream = listener.notifications(on: "work").makeAsyncIterator()
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
        let listener = PostgresListener(configuration, channels: ["work"], echoInterval: .milliseconds(20))
        var stream = listener.notifications(on: "work").makeAsyncIterator()
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
        let listener = PostgresListener(
            configuration, channels: ["work"], echoInterval: .milliseconds(20),
            onFailure: { error in failures.withLock { $0.append(error) } })
        var stream = listener.notifications(on: "work").makeAsyncIterator()
        let running = Task { await listener.run() }
        #expect(await stream.next()?.kind == .connected)
        #expect(await stream.next()?.kind == .connected)
        #expect(failures.withLock { $0.first?.message.contains("echoes") } == true)
        running.cancel()
        await running.value
    }

    @Test("when run returns, streams have ended and the session is gone")
    func leavesNothing() async throws {
        let listener = PostgresListener(configuration, channels: ["work"])
        let stream = listener.notifications(on: "work")
        let running = Task { await listener.run() }
        let reading = Task { await stream.reduce(into: 0) { count, _ in count += 1 } }
        try await waitUntil("the listener is connected") { try await listenerProcess() != 0 }
        running.cancel()
        await running.value
        let count = await reading.value
        #expect(count <= 1)
        try await waitUntil("its session is gone") { try await listenerProcess() == 0 }
    }

    @Test("a listener without a server keeps trying and can be cancelled")
    func noServer() async throws {
        let failed = AsyncStream.makeStream(of: PostgresError.self)
        let listener = PostgresListener(
            PostgresConfiguration("host=/nonexistent"), channels: ["work"], onFailure: { failed.continuation.yield($0) })
        let running = Task { await listener.run() }
        var failures = failed.stream.makeAsyncIterator()
        for _ in 0..<3 { #expect(await failures.next()?.code == .connectionFailed) }
        running.cancel()
        await running.value
    }
}
