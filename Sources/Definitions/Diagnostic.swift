// What is wrong with a workflow file, in a form that people, editors and programs can use.

/// One finding about a workflow file: where, what, and how to mend it.
public struct Diagnostic: Sendable, Hashable {
    /// How bad it is.
    public enum Severity: String, Sendable, Hashable, CaseIterable {
        /// The file cannot be registered.
        case error
        /// The file means something that its writer may not have meant.
        case warning
    }

    /// How bad it is.
    public let severity: Severity
    /// The kind of finding; each has an explanation of its own.
    public let code: DiagnosticCode
    /// A sentence that says what is wrong.
    public let message: String
    /// The path of the key: `steps[2].agent`. Empty for the document as a whole.
    public let path: String
    /// Where it begins.
    public let position: SourcePosition
    /// How many characters it covers, at least one.
    public let length: Int
    /// How to mend it, where that can be said.
    public let fix: String?

    /// A finding; its severity is that of its code.
    public init(code: DiagnosticCode, message: String, path: String, position: SourcePosition, length: Int = 1, fix: String? = nil) {
        severity = code.severity
        self.code = code
        self.message = message
        self.path = path
        self.position = position
        self.length = max(1, length)
        self.fix = fix
    }
}

/// Collects findings up to a bound: past it a hostile file could make its checking more expensive than its reading.
struct DiagnosticBag: Sendable {
    /// The most findings that one decoding reports.
    static let limit = 500

    private(set) var all: [Diagnostic] = []
    private(set) var errorCount = 0

    /// Whether further findings are only counted.
    var isFull: Bool { all.count >= Self.limit }

    mutating func add(_ diagnostic: Diagnostic) {
        if diagnostic.severity == .error { errorCount += 1 }
        if !isFull { all.append(diagnostic) }
    }

    /// The findings in the order of the file; those at the same place stay in the order in which they were made.
    var sorted: [Diagnostic] {
        all.enumerated().sorted { ($0.element.position, $0.offset) < ($1.element.position, $1.offset) }.map(\.element)
    }
}
