// What a listener hands on.

/// A NOTIFY from somewhere, or the news that listening began (again).
public struct PostgresNotification: Sendable, Hashable {
    /// What happened.
    public enum Kind: Sendable, Hashable {
        /// The listener is connected, for the first time or again. Whatever was sent before is lost, so look once at what the channel is about.
        case connected
        /// Somebody sent a NOTIFY.
        case notified
    }

    /// What happened.
    public var kind: Kind
    /// The channel; empty for `connected`.
    public var channel: String
    /// What was sent along; empty for `connected`.
    public var payload: String

    /// A notification from its parts.
    public init(kind: Kind, channel: String = "", payload: String = "") {
        self.kind = kind
        self.channel = channel
        self.payload = payload
    }
}
