// A client that costs little: one connection, requests made once and sent at fixed moments, whether or not the last one has been answered.

import NIOCore
import NIOHTTP1
import NIOPosix

/// An answer to one request, and how long it took.
struct OverloadAnswer: Sendable {
    let status: Int
    let retryAfter: String?
    let milliseconds: Double
    /// The body, of answers that are not refusals; empty when the connection ended before the answer, whose status is 0 then.
    let text: String
}

/// When a client sends what.
struct OverloadPlan: Sendable {
    let path: String
    let body: String
    /// Between two requests.
    let pause: TimeAmount
    /// The first request and the last one.
    let first: NIODeadline
    let end: NIODeadline
}

enum OverloadClient {
    /// Sends requests as planned; returns when every one of them has its answer.
    static func run(_ plan: OverloadPlan, port: Int, answered: @escaping @Sendable (OverloadAnswer) -> Void) async throws {
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHTTPClientHandlers(enableOutboundHeaderValidation: false)
                    try pipeline.addHandler(Handler(plan, port: port, answered: answered))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        try await channel.closeFuture.get()
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPClientResponsePart
        typealias OutboundOut = HTTPClientRequestPart

        // Requests of one connection that have no answer yet. With more, whatever is due waits.
        private static let mostUnanswered = 64

        private let plan: OverloadPlan
        private let head: HTTPRequestHead
        private let body: ByteBuffer
        private let answered: @Sendable (OverloadAnswer) -> Void
        private var next: NIODeadline
        private var sent = CircularBuffer<NIODeadline>()
        private var answer: HTTPResponseHead?
        private var text = ByteBuffer()

        init(_ plan: OverloadPlan, port: Int, answered: @escaping @Sendable (OverloadAnswer) -> Void) {
            self.plan = plan
            self.answered = answered
            next = plan.first
            body = ByteBuffer(string: plan.body)
            head = HTTPRequestHead(
                version: .http1_1, method: .POST, uri: plan.path,
                headers: ["host": "127.0.0.1:\(port)", "content-type": "application/json", "content-length": "\(body.readableBytes)"])
        }

        func channelActive(context: ChannelHandlerContext) { sendDue(context) }

        // Everything that is due by now in one write, then a timer for the next one.
        private func sendDue(_ context: ChannelHandlerContext) {
            let now = NIODeadline.now()
            var hasSent = false
            while next <= now, next < plan.end, sent.count < Self.mostUnanswered {
                context.write(wrapOutboundOut(.head(head)), promise: nil)
                context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
                context.write(wrapOutboundOut(.end(nil)), promise: nil)
                sent.append(now)
                next = next + plan.pause
                hasSent = true
            }
            if hasSent { context.flush() }
            if isOver && sent.isEmpty {
                context.close(promise: nil)
            } else if !isOver && sent.count < Self.mostUnanswered {
                let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
                context.eventLoop.scheduleTask(deadline: next) {
                    let (handler, context) = bound.value
                    if context.channel.isActive { handler.sendDue(context) }
                }
            }
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                answer = head
                text.clear()
            case .body(var part):
                if answer?.status != .tooManyRequests { text.writeBuffer(&part) }
            case .end:
                guard let answer, let begun = sent.popFirst() else { return }
                answered(
                    OverloadAnswer(
                        status: Int(answer.status.code), retryAfter: answer.headers.first(name: "retry-after"),
                        milliseconds: Double((NIODeadline.now() - begun).nanoseconds) / 1e6, text: String(buffer: text)))
                // Those that were held back are due now; and the last answer closes the connection.
                if sent.count == Self.mostUnanswered - 1 || sent.isEmpty && isOver { sendDue(context) }
            }
        }

        private var isOver: Bool { next >= plan.end || NIODeadline.now() >= plan.end }

        // Whoever has no answer by now gets none.
        func channelInactive(context: ChannelHandlerContext) {
            for _ in sent { answered(OverloadAnswer(status: 0, retryAfter: nil, milliseconds: 0, text: "")) }
            sent.removeAll()
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}
