// The tree that the parser makes of a source. It lives until the program is compiled.

final class Syntax {
    let kind: Kind
    /// Where in the source messages about this node point.
    let offset: Int
    /// How high the tree below this node is; it bounds every recursion over the tree.
    let height: Int

    init(_ kind: Kind, offset: Int) {
        self.kind = kind
        self.offset = offset
        height = 1 + (kind.children.map(\.height).max() ?? 0)
    }

    enum Kind {
        case literal(Value)
        // `isAbsolute`: written with a leading point, so that no loop variable is meant.
        case identifier(String, isAbsolute: Bool)
        case select(Syntax, String, isOptional: Bool)
        case index(Syntax, Syntax, isOptional: Bool)
        case call(String, [Syntax])
        case memberCall(Syntax, String, [Syntax])
        case list([Element])
        case map([Entry])
        case not(Syntax)
        case negate(Syntax)
        // Operators of one precedence in a row, from left to right.
        case arithmetic(Syntax, [Term])
        case and([Syntax])
        case or([Syntax])
        case compare(Comparison, Syntax, Syntax)
        case contains(element: Syntax, collection: Syntax)
        case conditional(Syntax, Syntax, Syntax)

        var children: [Syntax] {
            switch self {
            case .literal, .identifier: []
            case .select(let operand, _, _), .not(let operand), .negate(let operand): [operand]
            case .index(let operand, let key, _): [operand, key]
            case .call(_, let arguments): arguments
            case .memberCall(let target, _, let arguments): [target] + arguments
            case .list(let elements): elements.map(\.value)
            case .map(let entries): entries.flatMap { [$0.key, $0.value] }
            case .arithmetic(let first, let terms): [first] + terms.map(\.operand)
            case .and(let operands), .or(let operands): operands
            case .compare(_, let left, let right): [left, right]
            case .contains(let element, let collection): [element, collection]
            case .conditional(let condition, let first, let second): [condition, first, second]
            }
        }
    }

    struct Element {
        let value: Syntax
        let isOptional: Bool
    }

    struct Entry {
        let key: Syntax
        let value: Syntax
        let isOptional: Bool
    }

    struct Term {
        let operation: Arithmetic
        let operand: Syntax
        let offset: Int
    }
}

enum Arithmetic: Int32 {
    case add, subtract, multiply, divide, remainder

    var symbol: String {
        switch self {
        case .add: "+"
        case .subtract: "-"
        case .multiply: "*"
        case .divide: "/"
        case .remainder: "%"
        }
    }
}

enum Comparison: Int32 {
    case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual

    var symbol: String {
        switch self {
        case .equal: "=="
        case .notEqual: "!="
        case .less: "<"
        case .lessOrEqual: "<="
        case .greater: ">"
        case .greaterOrEqual: ">="
        }
    }
}
