// An agent that takes its time: an HTTP server in this process that answers every call after the same while.

import NIOCore
import NIOHTTP1
import NIOPosix

struct DelayAgent {
    let url: String
    private let channel: any Channel

    static func start(delay: TimeAmount) async throws -> DelayAgent {
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.backlog, value: 4096)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Handler(delay: delay))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return DelayAgent(url: "http://127.0.0.1:\(channel.localAddress?.port ?? 0)/", channel: channel)
    }

    func stop() async { try? await channel.close() }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let delay: TimeAmount

        init(delay: TimeAmount) { self.delay = delay }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .end = unwrapInboundIn(data) else { return }
            let loop = context.eventLoop
            let channel = context.channel
            loop.assumeIsolated().scheduleTask(in: delay) { Self.answer(channel) }
        }

        private static func answer(_ channel: any Channel) {
            let body = ByteBuffer(string: "{}")
            let headers: HTTPHeaders = ["content-type": "application/json", "content-length": "\(body.readableBytes)"]
            let pipeline = channel.pipeline.syncOperations
            pipeline.write(
                NIOAny(HTTPServerResponsePart.head(HTTPResponseHead(version: .http1_1, status: .ok, headers: headers))), promise: nil)
            pipeline.write(NIOAny(HTTPServerResponsePart.body(.byteBuffer(body))), promise: nil)
            pipeline.writeAndFlush(NIOAny(HTTPServerResponsePart.end(nil)), promise: nil)
        }
    }
}
