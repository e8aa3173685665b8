// How a private server is set up, and why there is none.

public import Foundation

/// Where a private server lives and how it is set up.
public struct EmbeddedPostgresSettings: Sendable {
    /// The directory for data, socket and log. Made if it is not there; owned by the server's user.
    public var directory: URL
    /// The superuser of the new cluster.
    public var user: String
    /// Settings beside the defaults, or instead of them.
    public var parameters: [String: String]
    /// Where the server's programs are; nil looks for them.
    public var binaryDirectory: URL?
    /// What the kernel sends the server when its parent dies: `INT` (fast shutdown) or `QUIT` (immediate).
    public var signalOnParentDeath: String

    /// Where a private server lives; `fsync` stays on whatever the parameters say nothing of.
    public init(
        directory: URL, user: String = "skein", parameters: [String: String] = [:], binaryDirectory: URL? = nil,
        signalOnParentDeath: String = "INT"
    ) {
        self.directory = directory
        self.user = user
        self.parameters = parameters
        self.binaryDirectory = binaryDirectory
        self.signalOnParentDeath = signalOnParentDeath
    }
}

/// Why there is no server.
public struct EmbeddedPostgresError: Error, CustomStringConvertible {
    /// What went wrong, and what helps.
    public let description: String

    /// What went wrong, and what helps.
    public init(_ description: String) { self.description = description }
}
