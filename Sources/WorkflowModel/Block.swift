// Blocks: steps that belong together, or the states of a machine.

/// Steps that belong together, and the rule by which they start.
public indirect enum Block: Sendable, Hashable {
    /// A sequence: each step starts when the one before it has settled. Its output is its last step's.
    case steps([Step])
    /// A graph: each step starts when all its `needs` have settled; one without needs starts at once. Its output is a map of the
    /// steps that nobody needs.
    case graph([Step])
    /// A state machine: one state at a time, from the initial one to a final one. Its output is the final state's.
    case states(StateMachine)

    /// The steps that stand in the block itself, in file order. A state machine has none: they stand in the blocks of its states.
    public var steps: [Step] {
        switch self {
        case .steps(let steps), .graph(let steps): steps
        case .states: []
        }
    }
}
