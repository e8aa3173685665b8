// Whether a value of one type can be what a place takes.

/// Why a value does not fit a place.
public struct TypeMismatch: Sendable, Hashable {
    /// Where in the value, as a JSON pointer; empty for the value as a whole.
    public let pointer: String
    /// A sentence.
    public let message: String

    /// A mismatch.
    public init(pointer: String, message: String) {
        self.pointer = pointer
        self.message = message
    }
}

extension StaticType {
    /// The first thing for which no value of this type, written as JSON, is what a place takes; nil where some value may fit.
    ///
    /// It compares what is passed with what is expected: the input of a sub-workflow with its schema. Elements of lists have to fit as well,
    /// although an empty list would.
    public func mismatch(with expected: StaticType) -> TypeMismatch? { mismatch(with: expected, at: "", depth: 0) }

    private func mismatch(with expected: StaticType, at pointer: String, depth: Int) -> TypeMismatch? {
        if self == .anything || expected == .anything || depth > 16 { return nil }
        var first: TypeMismatch?
        for mine in alternatives {
            for theirs in expected.alternatives {
                guard let problem = Self.mismatch(mine, theirs, at: pointer, depth: depth + 1) else { return nil }
                first = first ?? problem
            }
        }
        if alternatives.count == 1, expected.alternatives.count == 1 { return first }
        return TypeMismatch(pointer: pointer, message: "\(expected.words) is needed, and this is \(words)")
    }

    private static func mismatch(_ mine: StaticType, _ theirs: StaticType, at pointer: String, depth: Int) -> TypeMismatch? {
        switch (mine, theirs) {
        case (.anything, _), (_, .anything): return nil
        case (.optional(let content), _): return content.mismatch(with: theirs, at: pointer, depth: depth)
        case (.list(let a), .list(let b)):
            return a.mismatch(with: b, at: pointer, depth: depth).map {
                TypeMismatch(pointer: $0.pointer, message: "of the elements: \($0.message)")
            }
        case (.object(let a), .object(let b)): return mismatch(a, b, at: pointer, depth: depth)
        case (.map, .object), (.object, .map), (.map, .map): return nil
        case (.strings(let a), .strings(let b)):
            if a.contains(where: { text in b.contains { $0.isSame(as: text) } }) { return nil }
            let wanted = b.count <= 12 ? "one of \(b.map { "\"\($0)\"" }.joined(separator: ", "))" : "one of \(b.count) other strings"
            let near = a.count == 1 ? Suggestion.suffix(for: Suggestion.near(a[0], among: b)) : ""
            return TypeMismatch(
                pointer: pointer, message: "\(wanted) is needed, and this is \(a.count == 1 ? "\"\(a[0])\"" : "none of them")\(near)")
        default: break
        }
        return fits(mine, theirs) ? nil : TypeMismatch(pointer: pointer, message: "\(theirs.words) is needed, and this is \(mine.words)")
    }

    // Whether values of one kind, written as JSON, may be of another kind.
    private static func fits(_ mine: StaticType, _ theirs: StaticType) -> Bool {
        guard let kind = mine.kind, let wanted = theirs.kind else { return true }
        if kind == wanted { return true }
        return switch (kind, wanted) {
        case (.int, .double), (.double, .int), (.uint, .int), (.uint, .double), (.int, .uint), (.double, .uint): true
        case (.bytes, .string), (.timestamp, .string), (.duration, .string): true
        default: false
        }
    }

    private static func mismatch(_ mine: ObjectType, _ theirs: ObjectType, at pointer: String, depth: Int) -> TypeMismatch? {
        for wanted in theirs.properties where wanted.isRequired {
            if mine[wanted.name] == nil, mine.others == nil {
                let known = mine.properties.map(\.name).filter { theirs[$0] == nil }
                let near = Suggestion.near(wanted.name, among: known)
                return TypeMismatch(
                    pointer: pointer,
                    message: "\"\(wanted.name)\" is missing" + (near.map { " (is it what is called \"\($0)\" here?)" } ?? ""))
            }
        }
        for property in mine.properties where property.isRequired {
            let inner = pointer + "/" + escaped(property.name)
            if let wanted = theirs[property.name] {
                if let problem = property.type.mismatch(with: wanted.type, at: inner, depth: depth) { return problem }
            } else if let others = theirs.others {
                if let problem = property.type.mismatch(with: others, at: inner, depth: depth) { return problem }
            } else {
                let known = theirs.properties.map(\.name)
                return TypeMismatch(
                    pointer: inner,
                    message: "\"\(property.name)\" is not allowed here"
                        + Suggestion.suffix(for: Suggestion.near(property.name, among: known)))
            }
        }
        return nil
    }

    private static func escaped(_ key: String) -> String {
        String(decoding: key.utf8.flatMap { $0 == 0x7E ? [0x7E, 0x30] : $0 == 0x2F ? [0x7E, 0x31] : [$0] }, as: UTF8.self)
    }
}
