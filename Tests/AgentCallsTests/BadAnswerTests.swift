// What agents answer that is no good answer: each with the failure that the step gets.

import AgentCalls
import BadInput
import Testing
import WorkflowModel

@Suite("Wrong answers of agents", .timeLimit(.minutes(2)))
struct BadAnswerTests {
    @Test("each is a failure with its type, its code and a sentence")
    func answers() async throws {
        try await CaseFile("answers").check { item in
            func line(_ name: String) -> String? {
                item.body.split(separator: "\n").first { $0.hasPrefix("\(name): ") }.map { String($0.dropFirst(name.count + 2)) }
            }
            let result: AgentResult
            let (limit, success, url) = (line("limit").flatMap { Int($0) }, line("success"), line("url") ?? "")
            switch line("agent") {
            case "http":
                let bytes = Self.bytes(line("answer") ?? "")
                result = try await ask(.send(bytes), .close, timeout: .seconds(10)) { agent in
                    agent.maxResponseBytes = limit
                    agent.success = success
                }
            case "url": result = try await withCaller { caller in await caller.perform(call(.http(HTTPAgent(url: url)), timeout: .seconds(10))) }
            case "tls":
                result = try await MisbehavingServer.run({ _ in [.answer("{}")] }) { server in
                    try await withCaller { caller in
                        await caller.perform(call(.http(HTTPAgent(url: "https://127.0.0.1:\(server.port)/")), timeout: .seconds(10)))
                    }
                }
            default:
                var agent = ExecAgent(command: line("command").map { [$0] } ?? ["sh", "-c", line("script") ?? ""])
                agent.maxOutputBytes = limit
                let settings = AgentCallSettings(allowedExecutables: ["sh", "no-such-program", "/nonexistent/tool"], killGrace: .milliseconds(300))
                result = try await withCaller(settings) { [agent] caller in await caller.perform(call(.exec(agent), timeout: .seconds(10))) }
            }
            guard let failure = result.failure else { return "no error: \(result.answer ?? "cancelled")" }
            let port = line("agent") == "http" || line("agent") == "tls"
            let message = port ? failure.message.replacing(/127\.0\.0\.1:\d+/, with: "127.0.0.1:PORT") : failure.message
            let retry = failure.retryAfter.map { ", again after \($0)" } ?? ""
            return "\(failure.type.rawValue) \(failure.code ?? "-")\(result.isTimedOut ? " (timed out)" : "")\(retry)\n\(message)"
        }
    }

    // Text with \r, \n, \\ and \xFF.
    private static func bytes(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\"), let escape = rest.popFirst() else {
                bytes.append(byte)
                continue
            }
            switch escape {
            case UInt8(ascii: "r"): bytes.append(13)
            case UInt8(ascii: "n"): bytes.append(10)
            case UInt8(ascii: "x"):
                bytes.append(UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) ?? 0)
                rest = rest.dropFirst(2)
            default: bytes.append(escape)
            }
        }
        return bytes
    }
}
