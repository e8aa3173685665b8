// A compiled expression: its nodes in one array, children before their parents.

import Patterns

final class Program: Sendable {
    let source: String
    let mode: NumberMode
    let limits: ExpressionLimits
    let nodes: [Node]
    let root: Int32
    /// Operands of nodes that have a varying number of them.
    let operands: [Operand]
    let constants: [Value]
    /// Names of variables, keys of selections and messages.
    let names: [String]
    /// Where the names of a path are in the source, aligned with `names`.
    let nameOffsets: [Int32]
    let patterns: [Pattern]
    /// How many loop variables there are at most at one time.
    let slotCount: Int
    let references: [Reference]
    /// What is wrong with calls and constants. Each is also an error when its place is evaluated.
    let problems: [Problem]
    /// The names of the variables that a loop or a binding makes, by its node.
    let variables: [Int32: [String]]

    init(
        source: String, mode: NumberMode, limits: ExpressionLimits, nodes: [Node], root: Int32, operands: [Operand], constants: [Value],
        names: [String], nameOffsets: [Int32], patterns: [Pattern], slotCount: Int, references: [Reference], problems: [Problem],
        variables: [Int32: [String]]
    ) {
        self.source = source
        self.mode = mode
        self.limits = limits
        self.nodes = nodes
        self.root = root
        self.operands = operands
        self.constants = constants
        self.names = names
        self.nameOffsets = nameOffsets
        self.patterns = patterns
        self.slotCount = slotCount
        self.references = references
        self.problems = problems
        self.variables = variables
    }

    struct Problem: Sendable {
        let kind: ExpressionError.Kind
        let message: String
        let offset: Int
        let suggestion: String?
    }

    /// An operand, and where it is optional (`[?x]`) or carries an operator (`a + b`) a number that says so.
    struct Operand: Sendable {
        let node: Int32
        let detail: Int32
        let offset: Int32
    }

    /// A node. What `a`, `b` and `c` mean is said at the operation.
    struct Node: Sendable {
        let operation: Operation
        let a: Int32
        let b: Int32
        let c: Int32
        let offset: Int32
    }

    enum Operation: UInt8, Sendable {
        /// a: constant.
        case constant
        /// a: slot.
        case local
        /// a: name of the variable; b, c: first name and number of the keys selected from it.
        case path
        /// a: operand; b: name of the key.
        case select, optionalSelect, has
        /// a: operand; b: key.
        case index, optionalIndex
        /// a, b: first operand and their number; the detail says whether an element is optional.
        case list
        /// a, b: first operand and their number, keys and values in turn; the detail of the key says whether the entry is optional.
        case map
        /// a: operand.
        case not, negate
        /// a: first; b, c: first operand and their number; the detail is the `Arithmetic`.
        case arithmetic
        /// a, b: first operand and their number.
        case and, or
        /// a, b: operands; c: the `Comparison`.
        case compare
        /// a: element; b: collection.
        case contains
        /// a: condition; b, c: branches.
        case conditional
        /// a: `Function`; b, c: first operand and their number. For functions with a pattern, a constant pattern is the detail of the
        /// first operand, counted from 1.
        case call
        /// a: the optional; b: what stands in for it.
        case optionalOr, optionalOrValue
        /// a: the collection; b: first of the operands body, condition (or none: -1); c: slot of the first variable.
        /// The detail of the first operand is the number of variables.
        case all, exists, existsOne, transformList, transformMap, transformMapEntry, filter, sortBy
        /// a: the value; b: the body; c: slot.
        case bind, optionalMap, optionalFlatMap
        /// a: name of the message; b: kind of the error; c: first of the arguments, counted from 1, or 0. The detail of an argument is
        /// their number. They are not evaluated.
        case fail
    }
}
