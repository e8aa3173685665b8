// API keys: shown once when they are made, stored as a hash, each of one namespace.

import Crypto
public import Postgres
public import WorkflowModel

/// What a key may do.
public enum ApiScope: String, Sendable, Hashable, CaseIterable {
    /// Look.
    case read
    /// Register workflows, start runs, cancel them.
    case write
}

/// Who is behind a key.
public struct ApiKeyOwner: Sendable, Hashable {
    /// The number that the database gave the key.
    public let keyID: Int64
    /// The key's name, for people.
    public let name: String
    /// The namespace of everything that is asked for with this key.
    public let namespace: String
    /// What the key may do.
    public let scopes: Set<ApiScope>
}

/// Why a key was not made.
public enum ApiKeyError: Error, Sendable, Hashable, CustomStringConvertible {
    /// There is no such namespace.
    case unknownNamespace(String)
    /// The namespace has a key of this name already.
    case nameTaken(String)
    /// The database could not be asked, or refused.
    case unavailable(PostgresError)

    /// A sentence for whoever asked.
    public var description: String {
        switch self {
        case .unknownNamespace(let name): "There is no namespace \"\(name)\"."
        case .nameTaken(let name): "There is a key called \"\(name)\" already; revoke it, or choose another name."
        case .unavailable(let error): "\(error)."
        }
    }
}

/// Makes, finds and revokes API keys.
public enum ApiKeys {
    /// What every key begins with, so that scanners find a key that leaked.
    public static let prefix = "sk_"
    private static let secretBytes = 32

    /// Makes a key. The text that it returns is the only copy there will ever be.
    ///
    /// - Parameters:
    ///   - name: a name for people, unique in its namespace.
    ///   - namespace: where everything happens that is asked for with the key.
    ///   - scopes: what it may do.
    ///   - lifetime: how long it is valid; nil for ever.
    public static func create(
        _ name: String, namespace: String = "default", scopes: Set<ApiScope> = [.read, .write], lifetime: Duration? = nil,
        on connection: PostgresConnection
    ) async throws(ApiKeyError) -> String {
        var random = SystemRandomNumberGenerator()
        var token = prefix
        for _ in 0..<secretBytes {
            let byte = UInt8.random(in: .min ... .max, using: &random)
            token += (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
        let isKnown: Bool
        do throws(PostgresError) {
            let made = try await connection.query(
                """
                insert into skein.api_key (namespace_id, name, key_hash, scopes, expires_at)
                select namespace_id, $2, $3, $4, clock_timestamp() + $5 * interval '1 second' from skein.namespace where name = $1
                on conflict (namespace_id, name) do nothing returning key_id
                """,
                [
                    .text(namespace), .text(name), .bytes(hash(token)), .textArray(scopes.map(\.rawValue).sorted()),
                    .doubleOrNull(lifetime?.seconds),
                ])
            if !made.isEmpty { return token }
            isKnown = try await !connection.query("select 1 from skein.namespace where name = $1", [.text(namespace)]).isEmpty
        } catch {
            throw .unavailable(error)
        }
        throw isKnown ? .nameTaken(name) : .unknownNamespace(namespace)
    }

    /// Who is behind a token; nil when there is no such key, or it was revoked, or its time is over.
    public static func owner(of token: String, on connection: PostgresConnection) async throws(PostgresError) -> ApiKeyOwner? {
        guard token.hasPrefix(prefix) else { return nil }
        let rows = try await connection.query(
            """
            select k.key_id, k.name, n.name, k.scopes from skein.api_key k join skein.namespace n using (namespace_id)
             where k.key_hash = $1 and k.revoked_at is null and (k.expires_at is null or k.expires_at > clock_timestamp())
            """, [.bytes(hash(token))])
        return rows.first.map { row in
            ApiKeyOwner(
                keyID: row.int64(0), name: row.text(1), namespace: row.text(2),
                scopes: Set(row.textArray(3).compactMap { $0.flatMap { ApiScope(rawValue: $0) } }))
        }
    }

    /// The keys of a namespace as JSON objects, without anything that could be used.
    public static func list(in namespace: String, on connection: PostgresConnection) async throws(PostgresError) -> [JSONText] {
        try await connection.query(
            """
            select json_build_object('name', k.name, 'namespace', n.name, 'scopes', k.scopes, 'created_at', k.created_at,
                                     'expires_at', k.expires_at, 'revoked_at', k.revoked_at,
                                     'is_valid', k.revoked_at is null and (k.expires_at is null or k.expires_at > clock_timestamp()))::text
              from skein.api_key k join skein.namespace n using (namespace_id) where n.name = $1 order by k.name
            """, [.text(namespace)]
        ).map { JSONText(trusted: $0.text(0)) }
    }

    /// Revokes a key. Coordinators stop taking it within seconds.
    ///
    /// - Returns: whether there was a valid key of this name.
    public static func revoke(_ name: String, in namespace: String, on connection: PostgresConnection) async throws(PostgresError) -> Bool {
        try await !connection.query(
            """
            update skein.api_key k set revoked_at = clock_timestamp() from skein.namespace n
             where n.namespace_id = k.namespace_id and n.name = $1 and k.name = $2 and k.revoked_at is null returning k.key_id
            """, [.text(namespace), .text(name)]
        ).isEmpty
    }

    /// Whether there is a key that somebody could use.
    public static func anyIsValid(on connection: PostgresConnection) async throws(PostgresError) -> Bool {
        try await !connection.query(
            "select 1 from skein.api_key where revoked_at is null and (expires_at is null or expires_at > clock_timestamp()) limit 1"
        ).isEmpty
    }

    /// What is stored of a token. It holds 256 random bits, so one round of SHA-256 is as good as a slow hash.
    public static func hash(_ token: String) -> [UInt8] { Array(SHA256.hash(data: Array(token.utf8))) }
}
