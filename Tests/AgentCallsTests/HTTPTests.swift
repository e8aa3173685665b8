// Agents behind HTTP, well-behaved and otherwise.
import AgentCalls
import Testing
import WorkflowModel

@Suite("HTTP agents")
struct HTTPTests {
    // MARK: Requests

    @Test("the request carries what the agent is given, and who asks")
    func request() async throws {
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        let seen = try await MisbehavingServer.run({ _ in [.answer("{\"ok\":true}")] }) { server in
            let agent = HTTPAgent(url: server.url("/score"))
            let result = try await withCaller { caller in
                await caller.perform(call(.http(agent), with: ["text": "grüße"], traceparent: trace))
            }
            #expect(result.answer == "{\"ok\":true}")
            #expect(result.detail["status"] == 200)
            #expect(result.detail["headers"]?["content-type"] == "application/json")
            #expect(result.detail["bytes"] == 11)
            return server.requests
        }
        let request = try #require(seen.first)
        #expect(seen.count == 1)
        #expect(request.method == "POST")
        #expect(request.target == "/score")
        #expect(request.body == "{\"text\":\"grüße\"}")
        let expected = [
            "content-type": "application/json", "idempotency-key": "run-1/review.score", "traceparent": trace, "user-agent": "skein",
            "x-skein-run-id": runID.description, "x-skein-step": "review.score", "x-skein-attempt": "2", "x-skein-fence": "77",
            "content-length": "18",
        ]
        for (name, value) in expected { #expect(request.header(name) == value, "\(name)") }
    }

    @Test("method, header fields and body come from the agent's templates")
    func templates() async throws {
        let seen = try await MisbehavingServer.run({ _ in [.answer("1")] }) { server in
            var agent = HTTPAgent(url: server.url("/a"), method: "put")
            agent.headers = [
                NamedTemplate(name: "X-Tenant", value: "t-${{ with.tenant }}"), NamedTemplate(name: "x-tenant", value: "last"),
                NamedTemplate(name: "User-Agent", value: "mine"),
            ]
            agent.body = ["question": "${{ with.q }}", "n": "${{ with.n }}"]
            var text = agent
            text.body = "say ${{ with.q }}"
            try await withCaller { [agent, text] caller in
                _ = await caller.perform(call(.http(agent), with: ["tenant": 7, "q": "why", "n": 3]))
                _ = await caller.perform(call(.http(text), with: ["tenant": 7, "q": "why"]))
                _ = await caller.perform(call(.http(HTTPAgent(url: agent.url, method: "GET"))))
            }
            return server.requests
        }
        #expect(seen.map(\.method) == ["PUT", "PUT", "GET"])
        #expect(seen.map(\.body) == ["{\"question\":\"why\",\"n\":3}", "say why", ""])
        #expect(seen.map { $0.header("content-type") } == ["application/json", "text/plain; charset=utf-8", nil])
        #expect(seen[0].headers.filter { $0.name.lowercased() == "x-tenant" }.map(\.value) == ["last"])
        #expect(seen[0].header("user-agent") == "mine")
    }

    @Test("a value in the path or the query cannot change their structure")
    func encoded() async throws {
        let seen = try await MisbehavingServer.run({ _ in [.answer("1")] }) { server in
            let agent = HTTPAgent(url: "${{ with.base }}/u/${{ with.user }}?q=${{ with.q }}#x")
            try await withCaller { caller in
                for user in ["a/../b?c#d", "..", "ü%2F"] {
                    _ = await caller.perform(
                        call(
                            .http(agent), with: ["base": .string("http://127.0.0.1:\(server.port)"), "user": .string(user), "q": "1&r=2 +"])
                    )
                }
            }
            return server.requests.map(\.target)
        }
        #expect(
            seen == [
                "/u/a%2F..%2Fb%3Fc%23d?q=1%26r%3D2%20%2B", "/u/%2E%2E?q=1%26r%3D2%20%2B", "/u/%C3%BC%252F?q=1%26r%3D2%20%2B",
            ])
    }

    @Test(
        "addresses that may not be called are refused",
        arguments: [
            "ftp://example.test/", "file:///etc/passwd", "unix:/tmp/socket", "example.test/x", "http://", "http:///x",
            "http://user:pw@127.0.0.1/",
            "http://user@127.0.0.1/", "http://127.0.0.1:0/", "http://127.0.0.1:99999/", "http://127.0.0.1/a b", "http://127.0.0.1\\@evil/",
            "http://127.0.0.1/\r\nX: y", "http://${{ with.host }}/", "",
        ])
    func refusedAddress(url: String) async throws {
        let result = try await withCaller { caller in
            await caller.perform(call(.http(HTTPAgent(url: url)), with: ["host": "evil/x"]))
        }
        #expect(result.failure?.type == .expression)
        #expect(result.failure?.code == "E_URL_INVALID")
    }

    @Test(
        "header fields that could smuggle something are refused before anything is sent",
        arguments: [
            ("x-a", "1\r\nx-b: 2"), ("x-a", "1\u{1}"), ("x a", "1"), ("", "1"), ("Content-Length", "3"), ("Transfer-Encoding", "chunked"),
            ("host", "other"), ("X-Skein-Fence", "99"),
        ])
    func refusedField(name: String, value: String) async throws {
        let seen = try await MisbehavingServer.run({ _ in [.answer("1")] }) { server in
            let agent = HTTPAgent(url: server.url(), headers: [NamedTemplate(name: name, value: "${{ with.v }}")])
            let result = try await withCaller { caller in await caller.perform(call(.http(agent), with: ["v": .string(value)])) }
            #expect(result.failure?.code == "E_HEADER_INVALID")
            return server.requests.count
        }
        #expect(seen == 0)
    }

    @Test("secrets reach the agent and nobody else")
    func secrets() async throws {
        let token = "S3CR3T \"quoted\"/1"
        let settings = AgentCallSettings(secret: { name in name == "TOKEN" ? token : nil })
        func perform(_ action: @escaping MisbehavingServer.Script) async throws -> (AgentResult, [SeenRequest]) {
            try await MisbehavingServer.run(action) { server in
                let agent = HTTPAgent(
                    url: server.url(), headers: [NamedTemplate(name: "authorization", value: "Bearer ${{ secrets.TOKEN }}")])
                return (try await withCaller(settings) { caller in await caller.perform(call(.http(agent))) }, server.requests)
            }
        }
        let (echoed, seen) = try await perform { request in
            [.answer(headers: ["X-Request-Id: \(token)"], JSONText(["you": .string(request.header("authorization") ?? "")]).text)]
        }
        #expect(seen.first?.header("authorization") == "Bearer \(token)")
        #expect(echoed.answer == "{\"you\":\"Bearer •••\"}")
        #expect(!"\(echoed)".contains("S3CR3T"))
        let (failed, _) = try await perform { request in
            [.answer(status: "500 Oops", type: "text/plain", "bad \(request.header("authorization") ?? "")")]
        }
        #expect(failed.failure?.message == "The agent answered 500 Internal Server Error: bad Bearer •••")
        #expect(!"\(failed)".contains("S3CR3T"))

        let missing = try await withCaller(AgentCallSettings(secret: { _ in nil })) { caller in
            await caller.perform(
                call(.http(HTTPAgent(url: "http://127.0.0.1:1/", headers: [NamedTemplate(name: "a", value: "${{ secrets.NONE }}")]))))
        }
        #expect(missing.failure?.type == .expression)
        #expect(missing.failure?.code == "E_SECRET_MISSING")
        #expect(missing.failure?.message == "The secret NONE is not known to this worker.")
    }

    // MARK: Answers

    @Test(
        "the content type decides how an answer is read",
        arguments: [
            ("application/json", "{\"a\":1}", "{\"a\":1}"), ("Application/Problem+JSON; charset=UTF-8", "[1]", "[1]"),
            ("text/plain", "{\"a\":1}", "\"{\\\"a\\\":1}\""), ("text/html", "<p>ü</p>\n", "\"<p>ü</p>\\n\""), (nil, "x", "\"x\""),
            ("application/json", "\u{FEFF}{\"bom\":1}", "{\"bom\":1}"), ("application/json", "  ", "null"), ("text/plain", "", "null"),
        ] as [(String?, String, String)])
    func contentType(type: String?, body: String, expected: String) async throws {
        let result = try await ask(.answer(type: type, body))
        #expect(result.answer == expected)
    }

    @Test("an answer without content is null")
    func noContent() async throws {
        let result = try await ask(.send("HTTP/1.1 204 No Content\r\n\r\n"))
        #expect(result.answer == "null")
        let toTheEnd = try await ask(.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[1,"), .send("2]"), .close)
        #expect(toTheEnd.answer == "[1,2]")
    }

    @Test(
        "answers that break the protocol fail as such",
        arguments: [
            ("{\"a\": [1, 2", "application/json", "E_RESULT_NOT_JSON"), ("<html>", "application/json", "E_RESULT_NOT_JSON"),
            ("{} {}", "application/json", "E_RESULT_NOT_JSON"), ("NaN", "application/json", "E_RESULT_NOT_JSON"),
            ("x", "text/plain; charset=iso-8859-1", "E_RESULT_NOT_TEXT"),
        ])
    func brokenAnswer(body: String, type: String, code: String) async throws {
        let result = try await ask(.answer(type: type, body))
        #expect(result.failure?.type == .protocolError)
        #expect(result.failure?.code == code)
        #expect(result.detail["status"] == 200)
    }

    @Test("text that is not UTF-8 fails, and so does what was compressed unasked")
    func undecodable() async throws {
        let latin = try await ask(.answer(type: "text/plain", bytes: [0x66, 0xFC, 0x72]))
        #expect(latin.failure?.code == "E_RESULT_NOT_TEXT")
        let json = try await ask(.answer(type: "application/json", bytes: [0x22, 0xFC, 0x22]))
        #expect(json.failure?.code == "E_RESULT_NOT_JSON")
        let zipped = try await ask(.answer(headers: ["Content-Encoding: gzip"], "{}"))
        #expect(zipped.failure?.type == .protocolError)
    }

    @Test(
        "valid JSON that cannot be stored fails at once, with its own code",
        arguments: [
            #"{"a":1,"a":2}"#, #"["\u0000"]"#, #"["\ud800"]"#, "[1e400]",
            String(repeating: "[", count: 300) + String(repeating: "]", count: 300),
        ])
    func unstorable(body: String) async throws {
        let result = try await ask(.answer(body))
        #expect(result.failure?.type == .unstorable)
        #expect(result.failure?.code == "E_RESULT_UNSTORABLE")
    }

    @Test("text with U+0000 cannot be stored either")
    func unstorableText() async throws {
        let result = try await ask(.answer(type: "text/plain", "a\u{0}b"))
        #expect(result.failure?.code == "E_RESULT_UNSTORABLE")
        let message = try await ask(.answer(status: "500 Oops", type: "text/plain", "a\u{0}\n\u{1B}[31mb"))
        #expect(message.failure?.message == "The agent answered 500 Internal Server Error: a [31mb")
    }

    @Test("of an endless answer no more is read than the limit")
    func flood() async throws {
        let flooded = try await MisbehavingServer.run({ _ in
            [.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 104857600\r\n\r\n"), .flood(times: 1600)]
        }) { server in
            let result = try await withCaller { caller in await caller.perform(call(.http(HTTPAgent(url: server.url())))) }
            #expect(result.failure?.type == .tooLarge)
            #expect(result.failure?.code == "E_RESULT_TOO_LARGE")
            try await eventually("the connection is still open") { server.closedConnections == 1 }
            return server.floodedBytes
        }
        #expect(flooded < 20 << 20)
        let small = try await ask(.answer(type: "text/plain", "12345678901")) { agent in agent.maxResponseBytes = 10 }
        #expect(small.failure?.type == .tooLarge)
        let fits = try await ask(.answer(type: "text/plain", "12345678")) { agent in agent.maxResponseBytes = 10 }
        #expect(fits.answer == "\"12345678\"")
    }

    // MARK: Statuses

    @Test(
        "statuses are classified",
        arguments: [
            (400, FailureType.clientError), (401, .clientError), (404, .clientError), (409, .clientError), (408, .serverError),
            (425, .serverError),
            (429, .rateLimited), (500, .serverError), (502, .serverError), (503, .serverError), (599, .serverError), (304, .protocolError),
        ])
    func status(code: Int, type: FailureType) async throws {
        let result = try await ask(
            .answer(status: "\(code) Whatever", type: "application/problem+json", code == 304 ? "" : "{\"detail\":\"no\"}"))
        #expect(result.failure?.type == type)
        #expect(result.failure?.code == "\(code)")
        #expect(result.failure?.attempt == 2)
        if code != 304 { #expect(result.failure?.message.hasSuffix(": {\"detail\":\"no\"}") == true) }
    }

    @Test("a message carries the first 500 characters of the agent's words")
    func longMessage() async throws {
        let result = try await ask(.answer(status: "500 Oops", type: "text/plain", String(repeating: "é", count: 2000)))
        #expect(result.failure?.message == "The agent answered 500 Internal Server Error: " + String(repeating: "é", count: 500) + "…")
    }

    @Test(
        "Retry-After is understood in seconds and as a date",
        arguments: [
            ("120", Duration.seconds(120)), ("0", .zero), ("1.5", .milliseconds(1500)), ("Sun, 06 Nov 1994 08:50:37 GMT", .seconds(60)),
            ("Sunday, 06-Nov-94 08:50:37 GMT", .seconds(60)), ("Sun Nov  6 08:50:37 1994", .seconds(60)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", .zero), ("soon", nil), ("-1", nil), ("99999999999999", .seconds(31_536_000)),
        ] as [(String, Duration?)])
    func retryAfter(field: String, expected: Duration?) async throws {
        let result = try await ask(
            .answer(status: "429 Too Many Requests", headers: ["Date: Sun, 06 Nov 1994 08:49:37 GMT", "Retry-After: \(field)"], "{}"))
        #expect(result.failure?.type == .rateLimited)
        #expect(result.failure?.retryAfter == expected)
        #expect(result.detail["headers"]?["retry-after"] == .string(field))
    }

    @Test("the success expression decides, over status, fields and result")
    func success() async throws {
        let found = try await ask(.answer(status: "404 Not Found", "{\"known\":false}")) { agent in agent.success = "status == 404" }
        #expect(found.answer == "{\"known\":false}")
        let refused = try await ask(.answer("{\"ok\":false}")) { agent in agent.success = "result.ok == true" }
        #expect(refused.failure?.type == .custom)
        #expect(refused.failure?.code == "E_NOT_SUCCESSFUL")
        let failed = try await ask(.answer(status: "503 Busy", headers: ["Retry-After: 3"], "{\"ok\":false}")) { agent in
            agent.success = "result.ok == true"
        }
        #expect(failed.failure?.type == .serverError)
        #expect(failed.failure?.retryAfter == .seconds(3))
        let unknown = try await ask(.answer("{}")) { agent in agent.success = "result.missing == true" }
        #expect(unknown.failure?.type == .expression)
    }

    // MARK: Redirects

    @Test("redirects within the origin are followed as their status says")
    func redirects() async throws {
        let seen = try await MisbehavingServer.run({ request in
            switch request.target {
            case "/307": [.answer(status: "307 Temporary Redirect", headers: ["Location: /end?x=1"], "")]
            case "/303": [.answer(status: "303 See Other", headers: ["Location: end"], "")]
            case "/302": [.answer(status: "302 Found", headers: ["Location: /end"], "")]
            default: [.answer("\"\(request.method) \(request.target) \(request.body.utf8.count)\"")]
            }
        }) { server in
            try await withCaller { caller in
                let kept = await caller.perform(call(.http(HTTPAgent(url: server.url("/307")))))
                #expect(kept.answer == "\"POST /end?x=1 7\"")
                #expect(kept.detail["redirects"] == 1)
                let other = await caller.perform(call(.http(HTTPAgent(url: server.url("/303")))))
                #expect(other.answer == "\"GET /end 0\"")
                let get = await caller.perform(call(.http(HTTPAgent(url: server.url("/302"), method: "GET"))))
                #expect(get.answer == "\"GET /end 0\"")
                let post = await caller.perform(call(.http(HTTPAgent(url: server.url("/302")))))
                #expect(post.failure?.code == "E_REDIRECT")
            }
            return server.requests
        }
        #expect(seen.filter { $0.target.hasPrefix("/end") }.allSatisfy { $0.header("x-skein-fence") == "77" })
    }

    @Test("a redirect loop ends, and another origin is never asked")
    func badRedirects() async throws {
        let count = try await MisbehavingServer.run({ _ in [.answer(status: "308 Permanent Redirect", headers: ["Location: /again"], "")] })
        { server in
            let result = try await withCaller { caller in await caller.perform(call(.http(HTTPAgent(url: server.url())))) }
            #expect(result.failure?.type == .protocolError)
            #expect(result.failure?.code == "E_REDIRECT")
            return server.requests.count
        }
        #expect(count == 6)
        let asked = try await MisbehavingServer.run({ _ in [.answer("1")] }) { other in
            for location in [
                other.url(), "//127.0.0.1:\(other.port)/", "http://localhost:\(other.port)/", "https://127.0.0.1/", "file:///etc/passwd",
            ] {
                let result = try await ask(.answer(status: "307 Temporary Redirect", headers: ["Location: \(location)"], ""))
                #expect(result.failure?.code == "E_REDIRECT", "\(location)")
            }
            return other.requests.count
        }
        #expect(asked == 0)
    }

    // MARK: Templates and noop

    @Test("a template that is not valid, or cannot be evaluated, is a failure of the attempt")
    func badTemplate() async throws {
        try await withCaller { caller in
            let open = await caller.perform(call(.http(HTTPAgent(url: "http://127.0.0.1/${{ with.x"))))
            #expect(open.failure?.type == .expression)
            let missing = await caller.perform(call(.http(HTTPAgent(url: "http://127.0.0.1/${{ with.x }}"))))
            #expect(missing.failure?.type == .expression)
            let null = await caller.perform(call(.http(HTTPAgent(url: "http://127.0.0.1/${{ with.x }}")), with: ["x": nil]))
            #expect(null.failure?.type == .expression)
        }
    }

    @Test("noop answers with what it was given, where the worker allows it")
    func noop() async throws {
        let refused = try await withCaller { caller in await caller.perform(call(.noop)) }
        #expect(refused.failure?.code == "E_NOT_ALLOWED")
        let allowed = try await withCaller(AgentCallSettings(allowNoop: true)) { caller in
            await caller.perform(call(.noop, with: ["x": [1]]))
        }
        #expect(allowed.answer == "{\"x\":[1]}")
        let none = try await withCaller(AgentCallSettings(allowNoop: true)) { caller in
            await Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return await caller.perform(call(.noop))
            }.value
        }
        #expect(none.outcome == .cancelled)
    }
}
