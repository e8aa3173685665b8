// State machines: one state at a time, and the ways from one to the next.

/// A block of states.
public struct StateMachine: Sendable, Hashable {
    /// What becomes of an event that no transition of the current state takes.
    public enum UnexpectedEvents: String, Sendable, Hashable, CaseIterable {
        /// It is kept until a state takes it.
        case `defer`
        /// Its sender is told.
        case reject
        /// It is dropped.
        case ignore
    }

    /// The state in which the machine begins.
    public var initial: String
    /// How many transitions there may be; one more fails the block.
    public var maxTransitions: Int
    /// What becomes of an event that no transition of the current state takes.
    public var unexpected: UnexpectedEvents
    /// The states, in file order.
    public var states: [State]

    /// How many transitions there may be where the file does not say.
    public static let defaultMaxTransitions = 1000

    /// A machine.
    public init(
        initial: String, maxTransitions: Int = StateMachine.defaultMaxTransitions, unexpected: UnexpectedEvents = .defer, states: [State]
    ) {
        self.initial = initial
        self.maxTransitions = maxTransitions
        self.unexpected = unexpected
        self.states = states
    }

    /// The state of this name.
    public func state(_ name: String) -> State? { states.first { $0.name == name } }
}

/// One state. Its block runs on entry; `on` and `after` act once it has settled.
public struct State: Sendable, Hashable {
    /// How a final state ends its block.
    public enum Ending: String, Sendable, Hashable, CaseIterable {
        /// With the state's output.
        case succeeded
        /// With a failure of the type `custom`.
        case failed
        /// As cancelled.
        case cancelled
    }

    /// The name: formed as the id of a step.
    public var name: String
    /// What runs on entry; nil is nothing.
    public var block: Block?
    /// The transitions that are tried in order when the block has settled. Where none holds and neither `on` nor `after` is there, the
    /// machine fails.
    public var next: [Transition]
    /// The transitions of each event, in file order.
    public var on: [EventTransitions]
    /// The transitions after a while, counted from entry, in file order.
    public var after: [TimedTransitions]
    /// Whether and how the state ends the machine.
    public var ending: Ending?
    /// The template of the state's output, with the steps of its block in scope; nil is the block's output.
    public var output: JSONValue?

    /// A state.
    public init(
        name: String, block: Block? = nil, next: [Transition] = [], on: [EventTransitions] = [], after: [TimedTransitions] = [],
        ending: Ending? = nil, output: JSONValue? = nil
    ) {
        self.name = name
        self.block = block
        self.next = next
        self.on = on
        self.after = after
        self.ending = ending
        self.output = output
    }

    /// Every transition of the state, in file order within each kind: `next`, `on`, `after`.
    public var transitions: [Transition] { next + on.flatMap(\.transitions) + after.flatMap(\.transitions) }
}

/// The way to another state.
public struct Transition: Sendable, Hashable {
    /// The guard, as the source of a CEL expression; nil always holds. A guard that fails to evaluate fails the run.
    public var condition: String?
    /// The state that it leads to.
    public var target: String

    /// A transition.
    public init(condition: String? = nil, target: String) {
        self.condition = condition
        self.target = target
    }
}

/// The transitions that an event may take, with `event` in scope; the first whose guard holds is taken.
public struct EventTransitions: Sendable, Hashable {
    /// The event's name.
    public var event: String
    /// The transitions, in order.
    public var transitions: [Transition]

    /// Transitions of an event.
    public init(event: String, transitions: [Transition]) {
        self.event = event
        self.transitions = transitions
    }
}

/// The transitions that are tried when a while has passed since the state was entered.
public struct TimedTransitions: Sendable, Hashable {
    /// The while.
    public var delay: Duration
    /// The transitions, in order.
    public var transitions: [Transition]

    /// Transitions after a while.
    public init(delay: Duration, transitions: [Transition]) {
        self.delay = delay
        self.transitions = transitions
    }
}
