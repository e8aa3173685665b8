// Which release all of this is.

/// This release: what every program says when it is asked, and what workers and logs are marked with.
public enum Release {
    /// The version, by the rules of semantic versioning. The only place where it stands.
    public static let version = "0.1.0"
}
