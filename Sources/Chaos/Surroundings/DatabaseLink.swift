// One connection through the proxy: it knows just enough of PostgreSQL's messages to know which answer is which.

import NIOCore
import NIOPosix

/// A client's connection and the server's behind it.
///
/// Unchecked, because it is touched on its event loop only: both channels live there, and whoever comes from elsewhere uses `execute`.
final class DatabaseLink: @unchecked Sendable {
    let loop: any EventLoop
    private let client: any Channel
    private var server: (any Channel)?
    private let proxy: DatabaseProxy

    // What could not be handed on yet, either way.
    private var requests = Direction()
    private var answers = Direction()

    private struct Direction {
        var held: [ByteBuffer] = []
        // Nothing overtakes what was sent before it, whatever the delay was then.
        var notBefore = NIODeadline.uptimeNanoseconds(0)

        /// What is held, and when it is due; nil: now.
        mutating func take(_ delay: TimeAmount) -> [(bytes: ByteBuffer, moment: NIODeadline?)] {
            defer { held = [] }
            return held.map { bytes in
                let moment = max(.now() + delay, notBefore)
                guard moment > .now() else { return (bytes, nil) }
                notBefore = moment
                return (bytes, moment)
            }
        }
    }

    // What is known of the conversation.
    private var unread = ByteBuffer()
    private var greeting = ByteBuffer()
    private var hasGreeted = false
    private var oneByteAnswers = 0
    private var isIdle = false
    private var beginsTransaction = false
    private var isLosing = false
    private var isClosed = false

    init(_ client: any Channel, _ proxy: DatabaseProxy) {
        self.client = client
        self.proxy = proxy
        loop = client.eventLoop
        proxy.add(self)
    }

    func open(_ server: any Channel) {
        guard !isClosed else {
            server.close(promise: nil)
            return
        }
        self.server = server
        client.setOption(.autoRead, value: true).whenComplete { _ in }
        deliver()
    }

    /// Closes both ends at once, without lingering.
    func reset() {
        guard !isClosed else { return }
        isClosed = true
        proxy.remove(self)
        for channel in [client, server].compactMap(\.self) {
            if let socket = channel as? any SocketOptionProvider {
                socket.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in channel.close(promise: nil) }
            } else {
                channel.close(promise: nil)
            }
        }
    }

    // MARK: Handing on

    private func receive(_ bytes: ByteBuffer, fromServer: Bool) {
        guard !isClosed else { return }
        if fromServer {
            if let rest = judged(bytes) { answers.held.append(rest) }
        } else {
            listen(bytes)
            requests.held.append(bytes)
        }
        deliver()
    }

    /// Hands on what may be handed on.
    func deliver() {
        guard let server, !isClosed else { return }
        let (silence, delay) = proxy.withState { ($0.silence, $0.delay) }
        // What is written is taken out first: a write that fails comes back here before it returns.
        if !silence.contains(.requests) { Self.send(requests.take(delay), to: server) }
        if !silence.contains(.answers) { Self.send(answers.take(delay), to: client) }
    }

    private static func send(_ parts: [(bytes: ByteBuffer, moment: NIODeadline?)], to channel: any Channel) {
        for (bytes, moment) in parts {
            if let moment {
                channel.eventLoop.scheduleTask(deadline: moment) { channel.writeAndFlush(bytes, promise: nil) }
            } else {
                channel.writeAndFlush(bytes, promise: nil)
            }
        }
    }

    // MARK: What is said

    // The client's first packets have no type: requests for encryption, which are answered by one byte, and then the greeting.
    private func listen(_ bytes: ByteBuffer) {
        if hasGreeted {
            if isIdle {
                beginsTransaction = Self.begins(bytes)
                isIdle = false
            }
            return
        }
        var bytes = bytes
        greeting.writeBuffer(&bytes)
        while let length = greeting.getInteger(at: greeting.readerIndex, as: Int32.self), greeting.readableBytes >= Int(length), length >= 8,
            let packet = greeting.readSlice(length: Int(length))
        {
            switch packet.getInteger(at: packet.readerIndex + 4, as: Int32.self) {
            case Self.encryption?, Self.encryptionByKerberos?: oneByteAnswers += 1
            default:
                hasGreeted = true
                return
            }
        }
    }

    // `begin` stands at the front, behind the header of its message.
    private static func begins(_ bytes: ByteBuffer) -> Bool {
        String(decoding: bytes.readableBytesView.prefix(64), as: UTF8.self).lowercased().contains("begin")
    }

    private static let encryption: Int32 = 80_877_103
    private static let encryptionByKerberos: Int32 = 80_877_104

    // Of what the server says, what the client shall hear. Nil: nothing.
    private func judged(_ bytes: ByteBuffer) -> ByteBuffer? {
        var bytes = bytes
        var heard = ByteBuffer()
        while oneByteAnswers > 0, let byte = bytes.readInteger(as: UInt8.self) {
            oneByteAnswers -= 1
            heard.writeInteger(byte)
        }
        unread.writeBuffer(&bytes)
        while let length = unread.getInteger(at: unread.readerIndex + 1, as: Int32.self), unread.readableBytes > Int(length), length >= 4,
            let message = unread.readSlice(length: Int(length) + 1)
        {
            if isHeard(message) { heard.writeImmutableBuffer(message) }
        }
        unread.discardReadBytes()
        return heard.readableBytes > 0 ? heard : nil
    }

    private func isHeard(_ message: ByteBuffer) -> Bool {
        switch message.getInteger(at: message.readerIndex, as: UInt8.self) {
        case UInt8(ascii: "A"):
            return proxy.withState { state in
                if state.isMute { state.mutedNotifications += 1 }
                return !state.isMute && !isLosing
            }
        case UInt8(ascii: "Z"):
            let isDone = message.getInteger(at: message.readerIndex + 5, as: UInt8.self) == UInt8(ascii: "I")
            if isLosing, isDone { lose() }
            isIdle = isDone
            return !isLosing
        case UInt8(ascii: "C"):
            // The tag of a commit that was asked for by name. A batch of statements is committed before its first answer is sent.
            if message.readableBytesView.dropFirst(5).starts(with: "COMMIT".utf8) { begin(losing: \.lostCommits) }
            return !isLosing
        case UInt8(ascii: "1"), UInt8(ascii: "2"), UInt8(ascii: "T"), UInt8(ascii: "D"), UInt8(ascii: "n"), UInt8(ascii: "t"):
            if hasSpoken, !beginsTransaction, !isInTransaction { begin(losing: \.lostStatements) }
            return !isLosing
        default: return !isLosing
        }
    }

    // Whether the first idle moment is behind us: then what comes is an answer to a request.
    private var hasSpoken: Bool { hasGreeted && !isIdle }
    // Where a transaction was begun and its end has not been seen, an answer says nothing of a commit.
    private var isInTransaction: Bool { beginsTransaction }

    private func begin(losing count: any WritableKeyPath<DatabaseProxy.State, Int> & Sendable) {
        guard !isLosing else { return }
        isLosing = proxy.withState { state in
            guard state.answersToLose > 0 else { return false }
            state.answersToLose -= 1
            state[keyPath: count] += 1
            return true
        }
    }

    // It is committed, and nobody hears of it.
    private func lose() {
        let wait = proxy.withState { $0.waitForLostAnswer }
        loop.scheduleTask(in: wait) { self.reset() }
    }

    // MARK: Ends

    /// One end of the link.
    final class End: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        private let link: DatabaseLink
        private let isServer: Bool

        init(_ link: DatabaseLink, isServer: Bool) {
            self.link = link
            self.isServer = isServer
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { link.receive(unwrapInboundIn(data), fromServer: isServer) }
        func channelInactive(context: ChannelHandlerContext) { link.leave(isServer) }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { link.reset() }
    }

    // The other end learns of it when it has heard everything; in a silence it does not even learn that.
    private func leave(_ isServer: Bool) {
        guard !isClosed else { return }
        let silence = proxy.withState { $0.silence }
        if isServer, silence.contains(.answers) { return }
        isClosed = true
        proxy.remove(self)
        deliverLast(to: isServer ? client : server, after: isServer ? answers : requests)
    }

    private func deliverLast(to channel: (any Channel)?, after direction: Direction) {
        guard let channel else { return }
        let moment = max(direction.notBefore, .now())
        loop.scheduleTask(deadline: moment) { channel.close(promise: nil) }
    }
}
