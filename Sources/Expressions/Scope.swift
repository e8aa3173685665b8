// The names that an expression can read.

/// Variables by name, for an evaluation.
public struct Scope: Sendable {
    private var names: [String] = []
    private var values: [Value] = []
    /// Whether a name holds a point. The language lets such a name win over a selection.
    private(set) var hasDottedNames = false

    /// A scope without names.
    public init() {}

    /// The value of a name. Setting nil removes the name.
    public subscript(name: String) -> Value? {
        get { index(of: name).map { values[$0] } }
        set {
            if let newValue {
                set(name, newValue)
            } else if let index = index(of: name) {
                names.remove(at: index)
                values.remove(at: index)
                hasDottedNames = names.contains { $0.utf8.contains(0x2E) }
            }
        }
    }

    /// Sets the value of a name.
    public mutating func set(_ name: String, _ value: Value) {
        if let index = index(of: name) {
            values[index] = value
        } else {
            names.append(name)
            values.append(value)
            hasDottedNames = hasDottedNames || name.utf8.contains(0x2E)
        }
    }

    @inline(__always)
    func index(of name: String) -> Int? {
        for index in names.indices where names[index].isSame(as: name) { return index }
        return nil
    }

    func value(at index: Int) -> Value { values[index] }
}
