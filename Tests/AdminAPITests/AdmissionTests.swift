// More than can be done is refused at once, with 429 and a time; what was accepted is kept, and nothing else.

@testable import AdminAPI
import HTTPTypes
import Logging
import Postgres
import PostgresTestKit
import Synchronization
import Telemetry
import Testing
import WorkflowModel

@Suite("Admission", .timeLimit(.minutes(2)))
struct AdmissionTests {
    @Test("past the backlog's bound runs are refused until some have ended, and those that were accepted are all there")
    func backlog() async throws {
        try await Service.run(AdminConfiguration(allowNoop: true, backlogLimit: 10, version: "test")) { service in
            try await service.applyWaiting()
            try await service.fillBacklog(with: 10)
            let refusals = service.metrics.value(of: .requestsRefused, "backlog") ?? 0
            let refused = try await service.post("/api/v1/runs", ["workflow": "waiting"])
            #expect(refused.status == 429, "\(refused.text)")
            #expect(refused.code == "too_many_requests")
            #expect(refused["bound"] == "backlog")
            #expect(refused.fields[.retryAfter] == "5" && refused["retry_after_seconds"] == 5)
            let batch = try await service.post("/api/v1/runs:batch", ["runs": [["workflow": "waiting"], ["workflow": "waiting"]]])
            #expect(batch.status == 429, "\(batch.text)")
            // Nothing of what would be refused anyway is looked at.
            let unread = try await service.send(.post, "/api/v1/runs", "{", fields: [:])
            #expect(unread.status == 429, "\(unread.text)")
            #expect(service.metrics.value(of: .requestsRefused, "backlog") == refusals + 3)
            // Looking, and what is no submit, goes on.
            #expect(try await service.get("/api/v1/runs").items.count == 10)
            #expect(try await service.connection.query("select count(*) from skein.run")[0].int64(0) == 10)

            try await service.work()
            try await waitUntil("there is room") { try await service.post("/api/v1/runs", ["workflow": "waiting"]).status == 201 }
            #expect(try await service.connection.query("select count(*) from skein.run")[0].int64(0) == 1)
        }
    }

    @Test("when the backlog has gone while nobody asked, the next run is let in at once")
    func emptyAgain() async throws {
        try await Service.run(AdminConfiguration(allowNoop: true, backlogLimit: 10, version: "test")) { service in
            try await service.applyWaiting()
            try await service.fillBacklog(with: 10)
            try await waitUntil("it has counted") { service.api.admission.knownRuns == 10 }
            try await service.work()
            // Asking would make it count.
            try await waitUntil("it has counted by itself") { service.api.admission.knownRuns == 0 }
            #expect(try await service.post("/api/v1/runs", ["workflow": "waiting"]).status == 201)
        }
    }

    @Test(
        "a count that took long is followed by the next one before all that was counted can have ended",
        arguments: [(1, 5000, 100), (1000, 10, 100), (1000, 5000, 150), (100, 1_000_000, 5000), (1000, 1_000_000, 10100), (1000, 0, 100)])
    func pauses(tookMilliseconds: Int, counted: Int, pauseMilliseconds: Int) {
        #expect(Admission.pause(after: .milliseconds(tookMilliseconds), counting: counted).rounded == .milliseconds(pauseMilliseconds))
    }

    // What an admission waits for after a count; with each wait so many more runs are let in.
    private func waits(afterMilliseconds took: Int, counting counted: Int, submits: Int = 0) async -> [Duration] {
        let waits = Mutex<[Duration]>([])
        let admitted = Mutex<Admission?>(nil)
        let admission = Admission(
            backlogLimit: 1000, bytesLimit: 0, pool: PostgresPool(PostgresConfiguration("host=/nonexistent"), size: 1), log: Logger(label: "test"),
            sleep: { duration in
                waits.withLock { $0.append(duration.rounded) }
                _ = admitted.withLock { $0 }?.admit(runs: submits)
            })
        admitted.withLock { $0 = admission }
        await admission.rest(after: .milliseconds(took), counting: counted)
        admitted.withLock { $0 = nil }
        return waits.withLock { $0 }
    }

    @Test("a count takes a fiftieth of the time at most while there is much room, however few runs it found")
    func restWithRoom() async {
        for (took, tenths) in [(1, 1), (10, 5), (100, 50), (1000, 500)] {
            let waits = await waits(afterMilliseconds: took, counting: 0)
            #expect(waits == Array(repeating: .milliseconds(100), count: tenths), "\(took) ms")
        }
        // The first part of it is for the runs that were counted.
        let waits = await waits(afterMilliseconds: 100, counting: 100_000)
        #expect(waits.first == .milliseconds(1100) && waits.count == 40 && waits.reduce(.zero, +) == .seconds(5))
    }

    @Test("runs that are let in meanwhile end the rest as soon as half of the room is taken", arguments: [(501, 1), (500, 2), (100, 6), (20, 26)])
    func restEnds(submits: Int, count: Int) async {
        // Without them it would be fifty.
        let waits = await waits(afterMilliseconds: 100, counting: 0, submits: submits)
        #expect(waits == Array(repeating: .milliseconds(100), count: count))
    }

    @Test("a slow count does not keep out whoever comes when there is room again")
    func slowCount() async throws {
        try await Service.run(AdminConfiguration(allowNoop: true, backlogLimit: 10, version: "test")) { service in
            try await service.applyWaiting()
            try await service.fillBacklog(with: 10)
            let locker = try await service.database.connect()
            // Counting goes on by itself, and waits for this.
            try await locker.script("begin; lock table skein.run in access exclusive mode; select pg_sleep(0.4); rollback")
            try await service.work()
            try await waitUntil("there is room") { try await service.post("/api/v1/runs", ["workflow": "waiting"]).status == 201 }
        }
    }

    @Test("a batch that is larger than the bound is let in when there is nothing else, and a bound of zero is none", arguments: [5, 0])
    func largeBatch(limit: Int) async throws {
        try await Service.run(AdminConfiguration(allowNoop: true, backlogLimit: limit, version: "test")) { service in
            try await service.applyWaiting()
            let runs = JSONValue.array(Array(repeating: ["workflow": "waiting"], count: 20))
            #expect(try await service.post("/api/v1/runs:batch", ["runs": runs]).status == 200)
            #expect(try await service.post("/api/v1/runs:batch", ["runs": runs]).status == (limit == 0 ? 200 : 429))
        }
    }

    @Test("what cannot be committed waits, up to a bound; the rest is refused, and whatever waited is accepted in the end")
    func waiting() async throws {
        try await Service.run(AdminConfiguration(allowNoop: true, waitingLimit: 3, version: "test")) { service in
            try await service.applyWaiting()
            _ = try await service.start("waiting")
            let locker = try await service.database.connect()
            try await locker.script("begin; lock table skein.run in access exclusive mode")
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<12 { group.addTask { try await service.post("/api/v1/runs", ["workflow": "waiting"]).status } }
                var statuses: [Int] = []
                // One batch is under way and three wait at most: all others come back at once.
                while statuses.count(where: { $0 == 429 }) < 5, let status = try await group.next() { statuses.append(status) }
                try await locker.script("rollback")
                for try await status in group { statuses.append(status) }
                return statuses
            }
            #expect(Set(statuses) == [201, 429], "\(statuses)")
            let accepted = statuses.count { $0 == 201 }
            #expect(accepted >= 3)
            #expect(try await service.connection.query("select count(*) from skein.run")[0].int64(0) == Int64(accepted) + 1)
        }
    }

    @Test("bodies have room up to a bound, which they give back")
    func bytes() async throws {
        try await Service.run(AdminConfiguration(allowNoop: true, bytesLimit: 1 << 20, version: "test")) { service in
            try await service.applyWaiting()
            _ = try await service.start("waiting")
            let text = String(repeating: "x", count: 700_000)
            let body: JSONValue = ["workflow": "waiting", "input": ["text": .string(text)]]
            let fields: HTTPFields = [.contentLength: String(body.compactText.utf8.count)]
            let locker = try await service.database.connect()
            try await locker.script("begin; lock table skein.run in access exclusive mode")
            let observer = try await service.database.connect()
            async let first = service.send(.post, "/api/v1/runs", body.compactText, fields: fields)
            try await waitUntil("the first one waits for the lock") {
                // So does whoever counts runs, but not to write.
                try await observer.query(
                    """
                    select count(*) from pg_locks
                     where not granted and mode = 'RowExclusiveLock' and database = (select oid from pg_database where datname = current_database())
                    """)[0].int64(0) > 0
            }
            let second = try await service.send(.post, "/api/v1/runs", body.compactText, fields: fields)
            #expect(second.status == 429, "\(second.text)")
            #expect(second["bound"] == "bytes" && second.fields[.retryAfter] == "1")
            try await locker.script("rollback")
            #expect(try await first.status == 201)
            let third = try await service.send(.post, "/api/v1/runs", body.compactText, fields: fields)
            #expect(third.status == 201, "\(third.text)")
        }
    }

    @Test("a batch of which a part was accepted says of each run what became of it")
    func partOfABatch() async throws {
        try await Service.run(AdminConfiguration(allowNoop: true, submitTimeout: .milliseconds(300), version: "test")) { service in
            try await service.applyWaiting()
            // The database takes the first part of a batch and not the second.
            try await service.connection.script(
                """
                create function skein.refuse_late_runs() returns trigger language plpgsql as $$
                begin
                  if (select count(*) from skein.run) > 500 then raise exception 'the disk is full' using errcode = '53100'; end if;
                  return null;
                end $$;
                create trigger refuse_late_runs after insert on skein.run for each statement execute function skein.refuse_late_runs();
                """)
            let runs = JSONValue.array((0..<600).map { ["workflow": "waiting", "key": .string("k\($0)")] })
            let answer = try await service.post("/api/v1/runs:batch", ["runs": runs])
            #expect(answer.status == 200, "\(answer.text.prefix(300))")
            let results = answer["results"]?.arrayValue ?? []
            #expect(results.prefix(500).allSatisfy { $0["status"] == 201 } && results.count == 600)
            #expect(results.dropFirst(500).allSatisfy { $0["status"] == 503 && $0["problem"]?["code"] == "overloaded" })
            #expect(try await service.connection.query("select count(*) from skein.run")[0].int64(0) == 500)
        }
    }
}

extension Service {
    // A run that is committed while the others are counted may count twice until the next count.
    fileprivate func fillBacklog(with runs: Int) async throws {
        for number in 0..<runs {
            try await waitUntil("run \(number) is accepted") { try await self.post("/api/v1/runs", ["workflow": "waiting"]).status == 201 }
        }
    }
}

extension Duration {
    fileprivate var rounded: Duration { .milliseconds(Int64((self / .milliseconds(1)).rounded())) }
}
