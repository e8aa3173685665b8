// Agents whose connections break, hang, trickle or never come to be.
import AgentCalls
import Testing
import WorkflowModel

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

@Suite("Connections of HTTP agents")
struct HTTPConnectionTests {
    @Test("an agent that never answers is given up in time")
    func hang() async throws {
        for actions in [
            [ServerAction.hang], [.send("HTTP/1.1 200 OK\r\nContent-Le"), .hang],
            [.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1"), .hang],
        ] {
            try await MisbehavingServer.run({ _ in actions }) { server in
                let result = try await perform(call(.http(HTTPAgent(url: server.url())))) { server.requests.count == 1 }
                #expect(result.isTimedOut)
                #expect(result.failure?.type == .timeout)
                try await eventually("the connection is still open") { server.closedConnections == 1 }
            }
        }
    }

    @Test("an answer that trickles does not stretch the time")
    func drip() async throws {
        let result = try await ask(.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"), .drip, timeout: .milliseconds(300))
        #expect(result.isTimedOut)
        #expect(result.duration < .seconds(60))
    }

    @Test(
        "a connection that ends early is a broken protocol, never a failed connection",
        arguments: [
            [ServerAction.close], [.reset], [.send("HTTP/1.1 200 OK\r\nContent-"), .close],
            [.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":"), .close],
            [.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":"), .reset],
            [.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n"), .close],
        ])
    func cutOff(actions: [ServerAction]) async throws {
        let result = try await MisbehavingServer.run({ _ in actions }) { server in
            try await withCaller { caller in await caller.perform(call(.http(HTTPAgent(url: server.url())))) }
        }
        #expect(result.failure?.type == .protocolError)
        #expect(result.failure?.code == "E_CONNECTION_CLOSED", "\(result)")
    }

    @Test(
        "what is no HTTP is a broken protocol",
        arguments: [
            "SSH-2.0-OpenSSH_9.2p1\r\n", "HTTP/1.1 banana\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n1",
        ])
    func notHTTP(text: String) async throws {
        let result = try await ask(.send(text), .hang)
        #expect(result.failure?.type == .protocolError)
        #expect(result.failure?.code == "E_NOT_HTTP", "\(result)")
    }

    @Test("a refused connection and an unknown host are failed connections")
    func connect() async throws {
        try await withCaller { caller in
            let refused = await caller.perform(call(.http(HTTPAgent(url: "http://127.0.0.1:1/"))))
            #expect(refused.failure?.type == .connect)
            #expect(refused.failure?.message == "No connection to the agent could be made: Connection refused")
            let unknown = await caller.perform(call(.http(HTTPAgent(url: "http://no-such-host.invalid/"))))
            #expect(unknown.failure?.type == .connect, "\(unknown)")
        }
    }

    @Test("a connection that does not stand in time fails as such")
    func connectTimeout() async throws {
        // A listener that never accepts, with its queue full: the kernel drops what else comes.
        let listener = try FullListener()
        let agent = HTTPAgent(url: "http://127.0.0.1:\(listener.port)/", connectTimeout: .milliseconds(200))
        let result = try await withCaller { caller in await caller.perform(call(.http(agent))) }
        #expect(result.failure?.type == .connect, "\(result)")
        #expect(result.duration < .seconds(60))
    }

    @Test("a server that does not speak TLS fails as such")
    func tls() async throws {
        let result = try await MisbehavingServer.run({ _ in [] }) { server in
            try await withCaller { caller in await caller.perform(call(.http(HTTPAgent(url: "https://127.0.0.1:\(server.port)/")))) }
        }
        #expect(result.failure?.type == .tls, "\(result)")
    }

    @Test("cancelling the task closes the connection before the call returns")
    func cancelled() async throws {
        try await MisbehavingServer.run({ _ in [.hang] }) { server in
            try await withCaller { caller in
                let agent = HTTPAgent(url: server.url())
                let task = Task { await caller.perform(call(.http(agent), timeout: .seconds(120))) }
                try await eventually("the request did not arrive") { server.requests.count == 1 }
                task.cancel()
                let result = await task.value
                #expect(result.outcome == .cancelled)
                #expect(result.duration < .seconds(60))
            }
            try await eventually("the connection is still open") { server.closedConnections == 1 }
        }
    }

    @Test("two hundred calls at once share connections and keep apart")
    func many() async throws {
        try await MisbehavingServer.run({ request in [.answer(request.body)] }) { server in
            try await withCaller { caller in
                let agent = HTTPAgent(url: server.url())
                let right = await withTaskGroup(of: Bool.self) { group in
                    for index in 0..<200 {
                        group.addTask {
                            let result = await caller.perform(call(.http(agent), with: ["i": .int(Int64(index))]))
                            return result.answer == "{\"i\":\(index)}"
                        }
                    }
                    return await group.reduce(0) { count, isRight in count + (isRight ? 1 : 0) }
                }
                #expect(right == 200)
            }
        }
    }
}

/// A socket that listens, never accepts, and has no room left in its queue.
final class FullListener {
    let port: Int
    private var sockets: [Int32] = []

    init() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        sockets.append(listener)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                _ = bind(listener, pointer, length)
                _ = listen(listener, 0)
                _ = getsockname(listener, pointer, &length)
            }
        }
        port = Int(UInt16(bigEndian: address.sin_port))
        for _ in 0..<3 {
            let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_NONBLOCK, 0)
            sockets.append(client)
            withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in _ = connect(client, pointer, length) }
            }
        }
    }

    deinit { for socket in sockets { close(socket) } }
}
