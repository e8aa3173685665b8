// What a key takes, in a form from which both the reader's tables and the JSON Schema of the format are made.

/// What a key takes.
indirect enum ValueShape: Sendable {
    /// Text that is taken as it is.
    case text
    /// Text that may hold expressions.
    case templateText
    /// Any value; text in it may hold expressions.
    case template
    /// An expression that says yes or no, with or without `${{ }}`.
    case condition
    /// An expression that gives a list, or a list.
    case collection
    /// A whole number.
    case integer(ClosedRange<Int>)
    /// A number.
    case number(ClosedRange<Double>)
    /// True or false.
    case boolean
    /// A duration such as `5s`.
    case duration
    /// A size such as `64KiB`, or a number of bytes.
    case size
    /// A percentage such as `10%`.
    case percentage
    /// A name.
    case name(NamePattern)
    /// One of some words.
    case word([String])
    /// A JSON Schema.
    case schema
    /// A list.
    case list(ValueShape, atLeast: Int)
    /// A mapping whose keys are the user's own.
    case map(KeyRule, ValueShape, atLeast: Int)
    /// A mapping with keys of the language.
    case construct(Construct)
    /// A value of any of these shapes.
    case either([ValueShape])

    /// What the keys of a mapping are.
    enum KeyRule: Sendable {
        case name(NamePattern)
        case duration
        case any
    }
}

/// The mappings of the language.
enum Construct: String, Sendable, CaseIterable {
    case file, defaults, step, block, catchBlock, retry, httpAgent, execAgent, noopAgent
    case parallel, switchCase, switchElse, await, eventPattern, approval, sleepFor, sleepUntil, emission, validation, failing
    case join, states, state, transition, chain

    /// The keys of the mapping.
    var vocabulary: Vocabulary {
        switch self {
        case .file: .file
        case .defaults: .defaults
        case .step: .step
        case .block: .block
        case .catchBlock: .catchBlock
        case .retry: .retry
        case .httpAgent: .httpAgent
        case .execAgent: .execAgent
        case .noopAgent: .noopAgent
        case .parallel: .parallel
        case .switchCase: .switchCase
        case .switchElse: .switchElse
        case .await: .await
        case .eventPattern: .eventPattern
        case .approval: .approval
        case .sleepFor: .sleepFor
        case .sleepUntil: .sleepUntil
        case .emission: .emission
        case .validation: .validation
        case .failing: .failing
        case .join: .join
        case .states: .states
        case .state: .state
        case .transition: .transition
        case .chain: .chain
        }
    }
}
