// The workflows of a campaign, and what must come of their runs.

import WorkflowModel

/// How a run must end.
struct Ending: Sendable {
    var status: String
    var output: JSONValue

    init(_ status: String, _ output: JSONValue = .null) {
        self.status = status
        self.output = output
    }
}

/// A workflow of which runs are started.
package struct WorkflowKind: Sendable {
    package let name: String
    /// The definition.
    package let source: String
    /// Nobody starts it but another workflow.
    var isStartedByOthers = false
    /// The oracle: how the run with this number must end. Whatever the engine makes of the definition, this was known before.
    var ending: @Sendable (Int) -> Ending = { _ in Ending("succeeded") }
    /// How many signals a run waits for.
    var signals = 0
    /// Every run is cancelled in the middle.
    var isCancelled = false
}

/// Which workflow the run with a number is of, and what is done with it.
package struct Workload: Sendable {
    /// All of them, those first that others start.
    package let kinds: [WorkflowKind]
    private let startable: [WorkflowKind]

    /// How many random workflows there are, and how many that these start.
    private static let randomKinds = 24
    private static let randomChildren = 4

    /// The workload of a seed, with agents at this address.
    package init(seed: UInt64, agent: String, hasBadAgents: Bool) {
        var generator = WorkflowGenerator(seed: seed, agent: agent, hasBadAgents: hasBadAgents)
        var kinds = Mixture.kinds(agent)
        for number in 0..<Self.randomChildren { kinds.append(generator.child(number)) }
        for number in 0..<Self.randomKinds { kinds.append(generator.workflow(number)) }
        kinds += generator.specials()
        self.kinds = kinds
        startable = kinds.filter { !$0.isStartedByOthers }
    }

    func kind(_ number: Int) -> WorkflowKind { startable[number % startable.count] }

    /// Whether an ordinary run is cancelled at a random moment: then it ends as cancelled, or as it would have.
    func mayBeCancelled(_ number: Int) -> Bool { number % 29 == 11 }

    /// The name of the signals that runs wait for.
    static let signal = "tick"
    /// The name of an event that never comes.
    static let never = "never"
}
