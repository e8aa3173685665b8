// Where the database is and how a connection to it behaves.

import CLibPQ

/// How to connect. The connection string goes to libpq as it is, so everything libpq knows works: several hosts, TLS, service files, `PG…` variables.
///
/// What the string does not say gets defaults made for noticing a dead server in seconds rather than in a quarter of an hour:
/// `connect_timeout`, keepalives and `tcp_user_timeout`.
public struct PostgresConfiguration: Sendable {
    /// A URI (`postgresql://user@host/database`) or `key=value` pairs. May hold a password: show `redacted`, never this.
    public var connectionString: String
    /// What `pg_stat_activity` shows, unless the string names an application itself.
    public var applicationName: String
    /// How long one attempt to connect to one host may take. Whole seconds, at least 2: libpq does not wait shorter.
    public var connectTimeout: Duration
    /// `statement_timeout` for the session. Nil leaves what the role or the database has.
    public var statementTimeout: Duration?
    /// `lock_timeout` for the session. Nil leaves what the role or the database has.
    public var lockTimeout: Duration?
    /// `idle_in_transaction_session_timeout` for the session. Nil leaves what the role or the database has.
    public var idleInTransactionTimeout: Duration?
    /// How long this side waits for an answer before it gives the connection up. Nil derives it: five seconds more than
    /// `statementTimeout` if there is one, otherwise for ever.
    public var answerTimeout: Duration?
    /// Gets the server's notices and warnings, on the connection's thread. Nil drops them.
    public var noticeHandler: (@Sendable (String) -> Void)?

    /// A configuration; see the properties for what each part means.
    public init(
        _ connectionString: String, applicationName: String = "skein", connectTimeout: Duration = .seconds(3),
        statementTimeout: Duration? = nil, lockTimeout: Duration? = nil, idleInTransactionTimeout: Duration? = nil,
        answerTimeout: Duration? = nil, noticeHandler: (@Sendable (String) -> Void)? = nil
    ) {
        self.connectionString = connectionString
        self.applicationName = applicationName
        self.connectTimeout = connectTimeout
        self.statementTimeout = statementTimeout
        self.lockTimeout = lockTimeout
        self.idleInTransactionTimeout = idleInTransactionTimeout
        self.answerTimeout = answerTimeout
        self.noticeHandler = noticeHandler
    }
}

// MARK: - Shown

extension PostgresConfiguration: CustomStringConvertible {
    /// The address without secrets: `postgresql://user@host:port/database`.
    public var redacted: String {
        guard let options = try? parsed() else { return "postgresql://(connection string not understood)" }
        var address = "postgresql://"
        if let user = options["user"] { address += user + "@" }
        let hosts = (options["host"] ?? options["hostaddr"] ?? "").split(separator: ",", omittingEmptySubsequences: false)
        let ports = (options["port"] ?? "").split(separator: ",", omittingEmptySubsequences: false)
        address += hosts.enumerated().map { position, host in
            let port = ports.count == 1 ? ports.first : ports.dropFirst(position).first
            return port.map { $0.isEmpty ? String(host) : "\(host):\($0)" } ?? String(host)
        }.joined(separator: ",")
        if let database = options["dbname"] { address += "/" + database }
        return address
    }

    /// The same as `redacted`.
    public var description: String { redacted }
}

// MARK: - Another database

extension PostgresConfiguration {
    /// The same server and settings, another database.
    public func database(named name: String) throws(PostgresError) -> PostgresConfiguration {
        var options = try parsed()
        options["dbname"] = name
        var changed = self
        changed.connectionString = options.sorted { $0.key < $1.key }.map { keyword, value in
            "\(keyword)='\(value.map { $0 == "'" || $0 == "\\" ? "\\\($0)" : String($0) }.joined())'"
        }.joined(separator: " ")
        return changed
    }
}

// MARK: - For libpq

extension PostgresConfiguration {
    /// The keywords that the string itself sets. A plain word is the name of a database, as it is for libpq.
    func parsed() throws(PostgresError) -> [String: String] {
        guard connectionString.contains("=") || connectionString.hasPrefix("postgres://") || connectionString.hasPrefix("postgresql://")
        else { return connectionString.isEmpty ? [:] : ["dbname": connectionString] }
        var message: UnsafeMutablePointer<CChar>?
        guard let options = PQconninfoParse(connectionString, &message) else {
            // libpq's message may quote the string, and with it a password, so it is not repeated.
            PQfreemem(message)
            throw PostgresError(
                code: .invalidConfiguration, message: "The connection string is neither a postgresql:// URI nor key=value pairs.")
        }
        defer { PQconninfoFree(options) }
        var found: [String: String] = [:]
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val { found[String(cString: keyword)] = String(cString: value) }
            option += 1
        }
        return found
    }

    /// Keywords and values in libpq's order: what comes before `dbname` gives way to the string, what comes after it wins.
    func keywords() throws(PostgresError) -> [(String, String)] {
        let given = try parsed()
        var pairs: [(String, String)] = [
            ("fallback_application_name", applicationName),
            ("connect_timeout", String(max(2, connectTimeout.components.seconds))),
            ("keepalives_idle", "10"),
            ("keepalives_interval", "3"),
            ("keepalives_count", "3"),
            ("tcp_user_timeout", "5000"),
            ("dbname", connectionString),
            ("client_encoding", "UTF8"),
        ]
        var settings: [String] = []
        if let statementTimeout { settings.append("-c statement_timeout=\(statementTimeout.wholeMilliseconds)") }
        if let lockTimeout { settings.append("-c lock_timeout=\(lockTimeout.wholeMilliseconds)") }
        if let idleInTransactionTimeout {
            settings.append("-c idle_in_transaction_session_timeout=\(idleInTransactionTimeout.wholeMilliseconds)")
        }
        // While a connection is being made libpq prints the server's notices to standard error: what nobody gets need not be sent.
        if noticeHandler == nil { settings.append("-c client_min_messages=error") }
        if !settings.isEmpty {
            pairs.append(("options", ([given["options"]].compactMap { $0 } + settings).joined(separator: " ")))
        }
        return pairs
    }

    /// See `answerTimeout`.
    var effectiveAnswerTimeout: Duration? {
        answerTimeout ?? statementTimeout.map { $0 + .seconds(5) }
    }
}

extension Duration {
    /// Rounded up, so that a short time-out does not become 0, which means none.
    var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
    }
}
