// What stands between a process and the database when the network is to do harm: it loses the answers to commits, resets connections, falls
// silent, is slow, and swallows notifications.

package import NIOCore
import NIOPosix
import Synchronization

/// A proxy for one process. It listens on TCP, and speaks to the server's socket.
package final class DatabaseProxy: Sendable {
    /// Which way nothing gets through.
    package struct Silence: OptionSet, Sendable {
        package let rawValue: Int
        package init(rawValue: Int) { self.rawValue = rawValue }
        package static let requests = Silence(rawValue: 1)
        package static let answers = Silence(rawValue: 2)
        package static let complete: Silence = [.requests, .answers]
    }

    struct State {
        var silence: Silence = []
        var delay: TimeAmount = .zero
        var isMute = false
        /// How many answers are to be lost.
        var answersToLose = 0
        /// How long whoever waits for such an answer is left waiting before the connection is reset.
        var waitForLostAnswer: TimeAmount = .zero
        var lostCommits = 0
        var lostStatements = 0
        var mutedNotifications = 0
        var links: [ObjectIdentifier: DatabaseLink] = [:]
    }

    package let port: Int
    private let state: Mutex<State>
    private let listener: any Channel

    private init(_ listener: any Channel, _ state: consuming Mutex<State>) {
        port = listener.localAddress?.port ?? 0
        self.listener = listener
        self.state = state
    }

    package static func start(host: String, socket: String) async throws -> DatabaseProxy {
        let door = Door()
        let listener = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { client in
                guard let proxy = door.proxy.withLock({ $0.value }) else { return client.close() }
                return proxy.connect(client, socket)
            }
            .bind(host: host, port: 0).get()
        let proxy = DatabaseProxy(listener, Mutex(State()))
        door.proxy.withLock { $0.value = proxy }
        return proxy
    }

    // The listener is there before the proxy that it belongs to, and does not keep it.
    private final class Door: Sendable {
        struct Reference { weak var value: DatabaseProxy? }
        let proxy = Mutex(Reference())
    }

    deinit { listener.close(promise: nil) }

    private func connect(_ client: any Channel, _ socket: String) -> EventLoopFuture<Void> {
        let link = DatabaseLink(client, self)
        return client.pipeline.addHandler(DatabaseLink.End(link, isServer: false)).flatMap {
            ClientBootstrap(group: client.eventLoop)
                .channelInitializer { $0.pipeline.addHandler(DatabaseLink.End(link, isServer: true)) }
                .connect(unixDomainSocketPath: socket)
        }.map { server in
            link.open(server)
        }.flatMapErrorThrowing { error in
            // The server is not there: so is nobody behind this port.
            link.reset()
            throw error
        }
    }

    /// How many answers were lost: to commits by name, and to batches that were committed with their last statement.
    package var lost: (commits: Int, statements: Int) { withState { ($0.lostCommits, $0.lostStatements) } }
    /// How many notifications were swallowed.
    package var mutedNotifications: Int { withState { $0.mutedNotifications } }

    func withState<R: Sendable>(_ body: (inout sending State) -> R) -> R { state.withLock { body(&$0) } }

    func add(_ link: DatabaseLink) { state.withLock { $0.links[ObjectIdentifier(link)] = link } }
    func remove(_ link: DatabaseLink) { state.withLock { _ = $0.links.removeValue(forKey: ObjectIdentifier(link)) } }
    private var links: [DatabaseLink] { state.withLock { Array($0.links.values) } }

    // MARK: Harm

    /// Resets all connections, or some of them.
    package func cut(_ share: Double = 1) {
        let links = links
        for link in links.shuffled().prefix(Int((Double(links.count) * share).rounded(.up))) { link.loop.execute { link.reset() } }
    }

    /// Nothing gets through that way, on old connections and on new ones, until there is no silence any more; then everything does.
    package func fallSilent(_ silence: Silence) {
        state.withLock { $0.silence = silence }
        for link in links { link.loop.execute { link.deliver() } }
    }

    package func setDelay(_ delay: TimeAmount) { state.withLock { $0.delay = delay } }
    package func setMute(_ isMute: Bool) { state.withLock { $0.isMute = isMute } }

    package func loseAnswers(_ count: Int, wait: TimeAmount) {
        state.withLock { state in
            state.answersToLose = count
            state.waitForLostAnswer = wait
        }
    }
}
