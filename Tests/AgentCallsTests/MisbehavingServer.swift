// An HTTP server that answers byte for byte what a test tells it to, however wrong that is.
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A request as the server read it.
struct SeenRequest: Sendable {
    let method: String
    let target: String
    let headers: [(name: String, value: String)]
    let body: String

    func header(_ name: String) -> String? { headers.first { header in header.name.lowercased() == name }?.value }
}

/// What the server does once it has read a request.
enum ServerAction: Sendable {
    /// Sends these bytes.
    case send([UInt8])
    /// Sends a byte each millisecond, for ever.
    case drip
    /// Sends 64 KiB of spaces this many times, as fast as they are taken.
    case flood(times: Int)
    /// Closes the connection.
    case close
    /// Resets the connection.
    case reset
    /// Does nothing more; the connection stays open.
    case hang

    static func send(_ text: String) -> ServerAction { .send(Array(text.utf8)) }

    /// A complete answer.
    static func answer(
        status: String = "200 OK", type: String? = "application/json", headers: [String] = [], _ body: String
    ) -> ServerAction {
        answer(status: status, type: type, headers: headers, bytes: Array(body.utf8))
    }

    static func answer(status: String = "200 OK", type: String?, headers: [String] = [], bytes: [UInt8]) -> ServerAction {
        var head = "HTTP/1.1 \(status)\r\n"
        if let type { head += "Content-Type: \(type)\r\n" }
        for header in headers { head += header + "\r\n" }
        head += "Content-Length: \(bytes.count)\r\n\r\n"
        return .send(Array(head.utf8) + bytes)
    }
}

/// The server. Close it when the test is done.
final class MisbehavingServer: Sendable {
    typealias Script = @Sendable (SeenRequest) -> [ServerAction]

    /// What happened so far.
    struct Record: Sendable {
        var requests: [SeenRequest] = []
        var closedConnections = 0
        var floodedBytes = 0
    }

    let port: Int
    private let channel: any Channel
    private let record: Mutex<Record>

    var requests: [SeenRequest] { record.withLock { $0.requests } }
    var floodedBytes: Int { record.withLock { $0.floodedBytes } }
    var closedConnections: Int { record.withLock { $0.closedConnections } }

    func url(_ path: String = "/") -> String { "http://127.0.0.1:\(port)\(path)" }

    private init(channel: any Channel, port: Int, notes: Notes) {
        self.channel = channel
        self.port = port
        record = Mutex(Record())
        notes.set { change in self.record.withLock { record in change(&record) } }
    }

    /// Runs `body` with a server that answers by `script`.
    static func run<Result>(
        _ script: @escaping Script, _ body: (MisbehavingServer) async throws -> Result
    ) async throws -> Result {
        let notes = Notes()
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ByteToMessageHandler(HTTPRequestDecoder()))
                    try channel.pipeline.syncOperations.addHandler(ScriptHandler(script: script, notes: notes))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let server = MisbehavingServer(channel: channel, port: channel.localAddress?.port ?? 0, notes: notes)
        do {
            let result = try await body(server)
            try await channel.close().get()
            return result
        } catch {
            try? await channel.close().get()
            throw error
        }
    }
}

/// Lets the handlers write into the server's record.
final class Notes: Sendable {
    typealias Change = @Sendable (inout MisbehavingServer.Record) -> Void
    private let sink = Mutex<(@Sendable (Change) -> Void)?>(nil)

    func set(_ new: @escaping @Sendable (Change) -> Void) { sink.withLock { sink in sink = new } }
    func note(_ change: Change) { sink.withLock { $0 }?(change) }
}

private final class ScriptHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = ByteBuffer

    private let script: MisbehavingServer.Script
    private let notes: Notes
    private var head: HTTPRequestHead?
    private var body = ByteBuffer()

    init(script: @escaping MisbehavingServer.Script, notes: Notes) {
        self.script = script
        self.notes = notes
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body.clear()
        case .body(var part): body.writeBuffer(&part)
        case .end:
            guard let head else { return }
            let request = SeenRequest(
                method: head.method.rawValue, target: head.uri, headers: head.headers.map { ($0.name, $0.value) },
                body: String(buffer: body))
            notes.note { record in record.requests.append(request) }
            perform(script(request)[...], context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) { notes.note { record in record.closedConnections += 1 } }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func perform(_ actions: ArraySlice<ServerAction>, _ context: ChannelHandlerContext) {
        guard let action = actions.first, context.channel.isActive else { return }
        let rest = actions.dropFirst()
        switch action {
        case .send(let bytes):
            write(bytes, context) { self.perform(rest, context) }
        case .drip:
            write([0x20], context) {
                context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(1)) { self.perform([.drip], context) }
            }
        case .flood(let times):
            guard times > 0 else { return perform(rest, context) }
            write([UInt8](repeating: 0x20, count: 1 << 16), context) {
                self.notes.note { record in record.floodedBytes += 1 << 16 }
                self.perform([.flood(times: times - 1)] + rest, context)
            }
        case .close: context.close(promise: nil)
        case .reset:
            // With a linger time of zero the socket is closed by a reset.
            (context.channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenFailure { _ in }
            context.close(promise: nil)
        case .hang: break
        }
    }

    private func write(_ bytes: [UInt8], _ context: ChannelHandlerContext, then next: @escaping () -> Void) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes))).assumeIsolated().whenSuccess { next() }
    }
}
