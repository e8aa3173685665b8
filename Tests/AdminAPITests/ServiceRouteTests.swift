// Health, metrics, keys, the rules about addresses, and the documents that explain the API.

@testable import AdminAPI
import HTTPTypes
import Hummingbird
import Postgres
import PostgresTestKit
import RunStore
import Testing
import WorkflowModel

extension AdminConfiguration {
    /// Heartbeats of streams come quickly.
    static let quick = AdminConfiguration(allowNoop: true, heartbeat: .milliseconds(100), version: "test")
    /// Nobody is served without a key.
    static let guarded = AdminConfiguration(requiresKeys: true, allowNoop: true, keyCacheTime: .zero, version: "test")
}

@Suite("Service routes")
struct ServiceRouteTests {
    // Nothing listens there.
    private static let nowhere = PostgresConfiguration("host=127.0.0.1 port=1 user=nobody dbname=nothing", connectTimeout: .seconds(2))

    @Test("a service whose database is ready says so")
    func ready() async throws {
        try await Service.run { service in
            let live = try await service.get("/livez")
            #expect(live.status == 200)
            let ready = try await service.get("/readyz")
            #expect(ready.status == 200)
            #expect((ready["schema"]?.intValue ?? 0) >= 1)
            let meta = try await service.get("/api/v1/meta")
            #expect(meta["version"] == "test")
        }
    }

    @Test("without a schema the service lives, but is not ready")
    func noSchema() async throws {
        try await Service.run(migrated: false) { service in
            let live = try await service.get("/livez")
            #expect(live.status == 200)
            let ready = try await service.get("/readyz")
            #expect(ready.status == 503)
            #expect(ready.code == "schema_not_ready")
            let runs = try await service.get("/api/v1/runs")
            #expect(runs.status == 503)
            #expect(runs.code == "schema_not_ready")
            #expect(runs.fields[.retryAfter] != nil)
        }
    }

    @Test("without a database the service lives, and refuses with a time to come back")
    func noDatabase() async throws {
        let configuration = AdminConfiguration(allowNoop: true, submitTimeout: .milliseconds(300), version: "test")
        try await Service.run(patience: .milliseconds(300), address: Self.nowhere, configuration) { service in
            let live = try await service.get("/livez")
            #expect(live.status == 200)
            let ready = try await service.get("/readyz")
            #expect(ready.status == 503)
            #expect(ready.code == "database_unavailable")
            let runs = try await service.get("/api/v1/runs")
            #expect(runs.status == 503)
            #expect(runs.code == "database_unavailable", "\(runs.text)")
            #expect(runs.fields[.retryAfter] == "2")
            let submit = try await service.post("/api/v1/runs", ["workflow": "a"])
            #expect(submit.code == "database_unavailable")
        }
    }

    @Test("a pool whose connections are all taken is an overload")
    func overload() async throws {
        try await Service.run(poolSize: 1, patience: .milliseconds(100)) { service in
            let answer = try await service.pool.withConnection { _ in try await service.get("/api/v1/runs") }
            #expect(answer.status == 503)
            #expect(answer.code == "overloaded")
        }
    }

    @Test("paths and methods that do not exist are problems, too")
    func routing() async throws {
        try await Service.run { service in
            let nothing = try await service.get("/api/v1/nothing")
            #expect(nothing.status == 404)
            #expect(nothing.code == "route_not_found")
            #expect(nothing.fields[.contentType] == "application/problem+json")
            let wrong = try await service.send(.delete, "/api/v1/runs")
            #expect(wrong.status == 405)
            #expect(wrong.code == "method_not_allowed")
            #expect(wrong.fields[.allow] == "GET, HEAD, POST")
            let cancel = try await service.get("/api/v1/runs/x:cancel")
            #expect(cancel.fields[.allow] == "POST")
            let head = try await service.send(.head, "/livez")
            #expect(head.status == 200)
            #expect(head.text.isEmpty)
        }
    }

    @Test("a request's id is taken from the request, and given in the answer and the problem")
    func requestID() async throws {
        try await Service.run { service in
            let answer = try await service.get("/api/v1/nothing", fields: .with("X-Request-Id", "abc-1"))
            let name = try #require(HTTPField.Name("X-Request-Id"))
            #expect(answer.fields[name] == "abc-1")
            #expect(answer["request_id"] == "abc-1")
            let made = try await service.get("/livez")
            #expect(made.fields[name]?.isEmpty == false)
            let forged = try await service.get("/livez", fields: .with("X-Request-Id", "a b"))
            #expect(forged.fields[name] != "a b")
        }
    }

    @Test("metrics show requests and what is in the queues")
    func metrics() async throws {
        try await Service.run { service in
            try await service.applyWaiting()
            _ = try await service.start("waiting")
            let answer = try await service.get("/metrics")
            #expect(answer.text.contains("skein_queue_ready{queue=\"default\"} 1"))
            #expect(answer.text.contains("skein_runs{status=\"live\"} 1"))
            #expect(answer.text.contains("skein_http_requests_total{method=\"POST\",status=\"201\"} 1"))
            #expect(answer.text.contains("skein_runs_submitted_total 1"))
        }
    }

    @Test("the OpenAPI document describes exactly the routes that there are")
    func openAPI() async throws {
        try await Service.run { service in
            let document = try await service.get("/api/v1/openapi.json").json
            #expect(document["openapi"] == "3.1.0")
            var described: Set<String> = []
            for (path, item) in document["paths"]?.objectValue?.members ?? JSONObject().members {
                for (method, operation) in item.objectValue?.members ?? JSONObject().members {
                    described.insert("\(method.uppercased()) \(path)")
                    let names = Set(operation["parameters"]?.arrayValue?.filter { $0["in"] == "path" }.compactMap { $0["name"]?.stringValue } ?? [])
                    #expect(names == Set(OpenAPI.captures(of: path)))
                    #expect(operation["responses"]?.objectValue?.isEmpty == false)
                }
            }
            #expect(described == Set(AdminAPI.routes.map { "\($0.method.rawValue) \($0.path)" }))
            #expect(described.count == AdminAPI.routes.count)
            #expect(Set(AdminAPI.routes.map(\.name)).count == AdminAPI.routes.count)

            // Every route can be reached under the path that the document gives it.
            for route in AdminAPI.routes {
                let path = route.path.replacing("{id}", with: "x").replacing("{name}", with: "x").replacing("{version}", with: "x")
                    .replacing("{path}", with: "x").replacing("{code}", with: "x")
                guard case .found(let found, _) = service.api.table.match(route.method, path) else {
                    Issue.record("\(route.name) is not found under \(path)")
                    continue
                }
                #expect(found.name == route.name)
            }

            // Every reference leads somewhere.
            let known = Set(document["components"]?["schemas"]?.objectValue?.keys ?? [])
            func references(_ value: JSONValue) -> [String] {
                switch value {
                case .object(let object):
                    object.members.flatMap { name, value in name == "$ref" ? [value.stringValue ?? ""] : references(value) }
                case .array(let values): values.flatMap(references)
                case .null, .bool, .int, .double, .string: []
                }
            }
            for reference in references(document) {
                #expect(known.contains(String(reference.split(separator: "/").last ?? "")), "\(reference)")
            }
        }
    }

    @Test("every problem code has a page, and some route that can answer with it")
    func problemPages() async throws {
        try await Service.run { service in
            let list = try await service.get("/problems")
            #expect(list.items.count == ProblemCode.allCases.count)
            for code in ProblemCode.allCases {
                let page = try await service.get("/problems/\(code.rawValue)")
                #expect(page.status == 200)
                #expect(page.text.contains("What to do:"))
                #expect(!code.title.isEmpty)
            }
            let everywhere: [ProblemCode] = [.routeNotFound, .methodNotAllowed]
            let declared = Set(AdminAPI.routes.flatMap { OpenAPI.problems(of: $0).flatMap(\.codes) } + everywhere)
            #expect(declared == Set(ProblemCode.allCases))
        }
    }

    @Test("a mistake of the program is told without its details")
    func internalError() async throws {
        try await Service.run { service in
            try await service.applyWaiting()
            try await service.connection.script(
                """
                create function refuse() returns trigger language plpgsql as $$ begin raise exception 'secret detail'; end $$;
                create trigger refuse before insert on skein.run for each row execute function refuse();
                """)
            let answer = try await service.post("/api/v1/runs", ["workflow": "waiting"])
            #expect(answer.status == 500)
            #expect(answer.code == "internal_error")
            #expect(!answer.text.contains("secret"))
        }
    }

    @Test("a version that this release does not understand is refused")
    func notRunnable() async throws {
        try await Service.run { service in
            try await service.applyWaiting()
            _ = try await service.connection.query("update skein.workflow_version set definition = '{\"workflow\":\"waiting\",\"future\":1}'")
            let answer = try await service.post("/api/v1/runs", ["workflow": "waiting"])
            #expect(answer.status == 422)
            #expect(answer.code == "workflow_not_runnable")
        }
    }

    @Test("with keys required, a request needs a valid key with the right scope")
    func keys() async throws {
        try await Service.run(.guarded) { service in
            let open = try await service.get("/livez")
            #expect(open.status == 200)
            let nobody = try await service.get("/api/v1/runs")
            #expect(nobody.status == 401)
            #expect(nobody.code == "unauthenticated")
            #expect(nobody.fields[.wwwAuthenticate] != nil)
            let unknown = try await service.get("/api/v1/runs", fields: .key("sk_unknown"))
            #expect(unknown.status == 401)
            let reader = try await ApiKeys.create("reader", scopes: [.read], on: service.connection)
            #expect(reader.hasPrefix("sk_"))
            let allowed = try await service.get("/api/v1/runs", fields: .key(reader))
            #expect(allowed.status == 200)
            let forbidden = try await service.post("/api/v1/runs", ["workflow": "a"], fields: .key(reader))
            #expect(forbidden.status == 403)
            #expect(forbidden.code == "forbidden")
            let revoked = try await ApiKeys.revoke("reader", in: "default", on: service.connection)
            #expect(revoked)
            let late = try await service.get("/api/v1/runs", fields: .key(reader))
            #expect(late.status == 401)
            let stored = try await service.connection.query("select count(*) from skein.api_key where key_hash = $1", [.bytes(Array(reader.utf8))])
            #expect(stored[0].int64(0) == 0)
        }
    }

    @Test("a key that has expired, or whose name is taken, is of no use")
    func expiry() async throws {
        try await Service.run(.guarded) { service in
            let token = try await ApiKeys.create("short", lifetime: .seconds(-1), on: service.connection)
            let expired = try await service.get("/api/v1/runs", fields: .key(token))
            #expect(expired.status == 401)
            let anyValid = try await ApiKeys.anyIsValid(on: service.connection)
            #expect(!anyValid)
            await #expect(throws: ApiKeyError.nameTaken("short")) { try await ApiKeys.create("short", on: service.connection) }
            await #expect(throws: ApiKeyError.unknownNamespace("nobody")) {
                try await ApiKeys.create("k", namespace: "nobody", on: service.connection)
            }
        }
    }

    @Test("what belongs to one namespace does not exist for another")
    func namespaces() async throws {
        try await Service.run { service in
            _ = try await service.connection.query("insert into skein.namespace (name) values ('other')")
            try await service.applyWaiting()
            let id = try await service.start("waiting")
            let other = HTTPFields.with("Skein-Namespace", "other")
            let run = try await service.get("/api/v1/runs/\(id)", fields: other)
            #expect(run.code == "run_not_found")
            let cancel = try await service.post("/api/v1/runs/\(id):cancel", [:], fields: other)
            #expect(cancel.code == "run_not_found")
            let runs = try await service.get("/api/v1/runs", fields: other)
            #expect(runs.items.isEmpty)
            let start = try await service.post("/api/v1/runs", ["workflow": "waiting"], fields: other)
            #expect(start.code == "workflow_not_found")
            let nowhere = try await service.send(
                .put, "/api/v1/workflows/a", "workflow: a\nsteps: [ { id: a, set: 1 } ]", fields: .with("Skein-Namespace", "nobody"))
            #expect(nowhere.code == "namespace_not_found")
            let token = try await ApiKeys.create("key", namespace: "other", on: service.connection)
            var fields = HTTPFields.key(token)
            let mine = try await service.get("/api/v1/runs/\(id)", fields: fields)
            #expect(mine.code == "run_not_found")
            if let name = HTTPField.Name("Skein-Namespace") { fields[name] = "default" }
            let mixed = try await service.get("/api/v1/runs/\(id)", fields: fields)
            #expect(mixed.code == "forbidden")
        }
    }

    @Test("without keys, pages of other sites are refused")
    func foreignPages() async throws {
        try await Service.run { service in
            let foreign = try await service.get("/api/v1/runs", fields: .with("Origin", "https://evil.example"))
            #expect(foreign.status == 403)
            #expect(foreign.code == "foreign_origin")
            let sandboxed = try await service.get("/api/v1/runs", fields: .with("Origin", "null"))
            #expect(sandboxed.status == 403)
            let own = try await service.get("/api/v1/runs", fields: .with("Origin", "http://127.0.0.1:7070"))
            #expect(own.status == 200)
        }
    }

    @Test(
        "without keys, a request that was addressed to another host is refused, whatever it asks for",
        arguments: [
            ("127.0.0.1:7070", true), ("127.8.0.1", true), ("localhost:7070", true), ("LOCALHOST", true), ("skein.localhost:7070", true),
            ("[::1]:7070", true), ("rebound.example:7070", false), ("127.0.0.1.rebound.example", false), ("localhost.example", false),
            ("notlocalhost", false), ("192.168.1.5:7070", false), ("[::2]:7070", false), ("", false),
        ])
    func foreignHosts(host: String, isLocal: Bool) async throws {
        try await Service.run { service in
            let request = Request(
                head: HTTPRequest(method: .get, scheme: "http", authority: host, path: "/api/v1/runs"), body: .init(buffer: .init()))
            var refusals: [Problem] = []
            do { try service.api.authenticator.checkOrigin(of: request) } catch let problem as Problem { refusals.append(problem) }
            do { _ = try await service.api.authenticator.caller(of: request, needing: .read) } catch let problem as Problem { refusals.append(problem) }
            #expect(refusals.map(\.code) == (isLocal ? [] : [.foreignOrigin, .foreignOrigin]))
            #expect(refusals.allSatisfy { $0.detail.contains("was addressed to \"\(host)\"") })
        }
    }

    @Test(
        "only loopback addresses may be listened on without keys",
        arguments: [
            ("127.0.0.1", true), ("127.8.0.1", true), ("localhost", true), ("::1", true), ("0.0.0.0", false), ("::", false),
            ("192.168.1.1", false), ("127.0.0.1.example.com", false), ("example.com", false), ("", false),
        ])
    func bindRule(address: String, isLoopback: Bool) {
        #expect(BindRule.isLoopback(address) == isLoopback)
        if isLoopback {
            #expect(throws: Never.self) { try BindRule.check(address, requiresKeys: false, hasValidKey: false) }
        } else {
            #expect(throws: BindRule.Refusal.keysNotRequired(address: address)) {
                try BindRule.check(address, requiresKeys: false, hasValidKey: true)
            }
            #expect(throws: BindRule.Refusal.noKey(address: address)) { try BindRule.check(address, requiresKeys: true, hasValidKey: false) }
            #expect(throws: Never.self) { try BindRule.check(address, requiresKeys: true, hasValidKey: true) }
        }
    }
}
