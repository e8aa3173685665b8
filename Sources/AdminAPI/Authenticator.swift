// Who is asking, and whether they may.

import HTTPTypes
import Hummingbird
import Postgres
import RunStore
import Synchronization
import WorkflowModel

/// Who is asking.
struct Caller: Sendable, Hashable {
    let namespace: String
    let scopes: Set<ApiScope>
    /// The name of the key; nil where nobody needs one.
    var keyName: String?
}

/// Finds out who is asking. A key that was found valid is remembered for some seconds.
final class Authenticator: Sendable {
    private static let cacheCapacity = 10_000
    private static let namespaceField = HTTPField.Name("Skein-Namespace")
    private static let originField = HTTPField.Name("Origin")

    private let known = Mutex<[[UInt8]: (owner: ApiKeyOwner, until: ContinuousClock.Instant)]>([:])
    private let pool: PostgresPool
    private let requiresKeys: Bool
    private let cacheTime: Duration

    init(_ pool: PostgresPool, requiresKeys: Bool, cacheTime: Duration) {
        self.pool = pool
        self.requiresKeys = requiresKeys
        self.cacheTime = cacheTime
    }

    func caller(of request: Request, needing scope: ApiScope) async throws -> Caller {
        let named = Self.namespaceField.flatMap { request.headers[$0] }
        let caller: Caller
        if let token = try Self.token(of: request) {
            guard let owner = try await owner(of: token) else {
                throw Problem(.unauthenticated, "The API key does not exist, was revoked, or has expired.")
            }
            if let named, named != owner.namespace {
                throw Problem(.forbidden, "The API key belongs to the namespace \"\(owner.namespace)\", not to \"\(named)\".")
            }
            caller = Caller(namespace: owner.namespace, scopes: owner.scopes, keyName: owner.name)
        } else {
            guard !requiresKeys else { throw Problem(.unauthenticated, "The request has no API key.") }
            try Self.refuseForeignPages(request)
            caller = Caller(namespace: named ?? "default", scopes: Set(ApiScope.allCases))
        }
        guard caller.scopes.contains(scope) else {
            throw Problem(
                .forbidden, "The API key lacks the scope \"\(scope.rawValue)\".",
                [("scopes", .array(caller.scopes.map(\.rawValue).sorted().map { .string($0) }))])
        }
        return caller
    }

    private static func token(of request: Request) throws -> String? {
        guard let field = request.headers[.authorization] else { return nil }
        let parts = field.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else {
            throw Problem(.unauthenticated, "The Authorization header field must be: Bearer sk_…")
        }
        return String(parts[1]).trimmed
    }

    private func owner(of token: String) async throws -> ApiKeyOwner? {
        let hash = ApiKeys.hash(token)
        let now = ContinuousClock.now
        if let entry = known.withLock({ $0[hash] }), entry.until > now { return entry.owner }
        let owner = try await pool.withConnection { connection in try await ApiKeys.owner(of: token, on: connection) }
        known.withLock { known in
            if known.count >= Self.cacheCapacity { known.removeAll() }
            known[hash] = owner.map { ($0, now + cacheTime) }
        }
        return owner
    }

    /// Whoever asks for what everybody may see. Without keys that is everybody on this machine.
    func checkOrigin(of request: Request) throws {
        if !requiresKeys, request.headers[.authorization] == nil { try Self.refuseForeignPages(request) }
    }

    // An API without keys trusts this machine, but not every page that a browser on it shows: neither one that sends requests to
    // 127.0.0.1 itself, nor one whose name was made to point there.
    private static func refuseForeignPages(_ request: Request) throws {
        if let host = request.head.authority, !isLocal(host) {
            throw Problem(
                .foreignOrigin,
                "Without API keys, requests must be addressed to localhost, 127.0.0.1 or [::1], and this one was addressed to \"\(host.prefix(100))\".",
                [("host", .string(String(host.prefix(100))))])
        }
        if let origin = originField.flatMap({ request.headers[$0] }) {
            let host = origin.split(separator: "/", omittingEmptySubsequences: true).dropFirst().first.map(String.init)
            guard let host, isLocal(host) else {
                throw Problem(.foreignOrigin, "Without API keys, pages of other sites may not use the API.")
            }
        }
    }

    private static func isLocal(_ authority: String) -> Bool {
        if authority.hasPrefix("[") { return authority.prefix { $0 != "]" } == "[::1" }
        let host = authority.prefix { $0 != ":" }.lowercased()
        return BindRule.isLoopback(host) || host.hasSuffix(".localhost")
    }
}

extension String {
    var trimmed: String {
        let visible = drop { $0 == " " || $0 == "\t" }
        guard let last = visible.lastIndex(where: { $0 != " " && $0 != "\t" }) else { return "" }
        return String(visible[...last])
    }
}
