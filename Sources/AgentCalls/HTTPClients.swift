// The HTTP clients of a process: one for each time that a connection may take, since that is a setting of a client.
import AsyncHTTPClient
import NIOCore
import Synchronization
import WorkflowModel

/// Hands out HTTP clients.
final class HTTPClients: Sendable {
    /// The most clients. Agents that ask for yet another connect time-out get the default's.
    static let most = 16

    private let settings: AgentCallSettings
    private let clients = Mutex<[Int64: HTTPClient]>([:])
    private let standard: HTTPClient

    init(settings: AgentCallSettings) {
        self.settings = settings
        standard = Self.make(settings, settings.connectTimeout)
    }

    /// The client whose connections must stand within `connectTimeout`.
    func client(connectTimeout: Duration?) -> HTTPClient {
        guard let connectTimeout, connectTimeout != settings.connectTimeout else { return standard }
        let milliseconds = max(1, connectTimeout.wholeMicroseconds / 1000)
        return clients.withLock { clients in
            if let client = clients[milliseconds] { return client }
            guard clients.count < Self.most else { return standard }
            let client = Self.make(settings, .milliseconds(milliseconds))
            clients[milliseconds] = client
            return client
        }
    }

    /// Closes all connections.
    func shutdown() async throws {
        let others = clients.withLock { clients in
            let all = Array(clients.values)
            clients = [:]
            return all
        }
        for client in others { try await client.shutdown() }
        try await standard.shutdown()
    }

    private static func make(_ settings: AgentCallSettings, _ connectTimeout: Duration) -> HTTPClient {
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = .nanoseconds(max(1_000_000, Int64(clamping: connectTimeout.wholeMicroseconds) * 1000))
        // Redirects are followed by the call itself, which knows the origin; a refused connection is the engine's to retry.
        configuration.redirectConfiguration = .disallow
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = settings.connectionsPerOrigin
        configuration.connectionPool.idleTimeout = .seconds(30)
        // One request, one connection: what happens to one call cannot take others along, as a lost HTTP/2 connection would.
        configuration.httpVersion = .http1Only
        configuration.decompression = .disabled
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }
}
