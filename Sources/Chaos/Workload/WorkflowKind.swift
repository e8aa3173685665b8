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

/// A run that is started when another one has ended.
struct Follower: Sendable {
    let workflow: String
    let output: JSONValue
}

/// The runs that a step starts.
struct Children: Sendable {
    /// How they end, in any order.
    let statuses: [String]
    /// Whether the step waits for them.
    var isAwaited = true
}

/// What an operator changes of a running loop, without which the run would never end.
struct Adjustment: Sendable {
    let loop: String
    let body: JSONValue
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
    /// A run waits for an event from outside, with the run's label as its key.
    var awaitsLetter = false
    /// Every run is cancelled in the middle.
    var isCancelled = false
    /// Every run has to be adjusted.
    var adjustment: Adjustment?
    /// The runs that are started at the end, by how it ended.
    var followers: [String: [Follower]] = [:]
    /// The sub-workflows of some steps, by path, when the run ends as it must.
    var children: [String: Children] = [:]
    /// It is changed again and again: its output says which edition a run had.
    var hasEditions = false
}

extension WorkflowKind {
    /// One whose runs succeed with this output.
    static func succeeding(_ name: String, _ source: String, _ output: @escaping @Sendable (Int) -> JSONValue) -> WorkflowKind {
        var kind = WorkflowKind(name: name, source: source)
        kind.ending = { Ending("succeeded", output($0)) }
        return kind
    }

    /// One that others start.
    static func helping(_ name: String, _ source: String) -> WorkflowKind { WorkflowKind(name: name, source: source, isStartedByOthers: true) }
}

/// Where the agents of the workflows are.
struct AgentPlaces: Sendable {
    /// The address of those that are called by HTTP.
    let url: String
    /// The file in which processes that are agents write down their calls.
    let processLog: String

    /// The beginning of a file of a fixed workflow.
    var head: String { "agents: { loom: { kind: http, url: \"\(url)\" } }\n" }
}

/// Which workflow the run with a number is of, and what is done with it.
package struct Workload: Sendable {
    /// All of them, those first that others start.
    package let kinds: [WorkflowKind]
    private let startable: [WorkflowKind]
    /// The agent's address.
    let agent: String

    /// How many random workflows there are, and how many that these start.
    private static let randomKinds = 24
    private static let randomChildren = 4

    /// The workload of a seed, with agents at this address.
    ///
    /// - Parameter processLog: the file in which agents that are processes write down their calls.
    package init(seed: UInt64, agent: String, processLog: String, hasBadAgents: Bool) {
        var generator = WorkflowGenerator(seed: seed, agent: agent, hasBadAgents: hasBadAgents)
        let places = AgentPlaces(url: agent, processLog: processLog)
        var kinds = Mixture.kinds(agent)
        kinds += Mixture.values(places) + Mixture.calls(places) + Mixture.loops(places) + Mixture.joins(places)
        kinds += Mixture.waits(places) + Mixture.endings(places) + Mixture.relatives(places)
        for number in 0..<Self.randomChildren { kinds.append(generator.child(number)) }
        for number in 0..<Self.randomKinds { kinds.append(generator.workflow(number)) }
        self.kinds = kinds
        self.agent = agent
        startable = kinds.filter { !$0.isStartedByOthers }
    }

    func kind(_ number: Int) -> WorkflowKind { startable[number % startable.count] }

    /// The names of the workflows of which clients start runs.
    var startedNames: [String] { startable.map(\.name) }

    /// Whether an ordinary run is cancelled at a random moment: then it ends as cancelled, or as it would have.
    func mayBeCancelled(_ number: Int) -> Bool { number % 29 == 11 }

    // MARK: Namespaces

    /// The other namespace. Its runs have the same names and keys as those of the first one.
    static let otherNamespace = "other"

    // Every third time that all kinds have had their turn, the turn is the other namespace's.
    private func isElsewhere(_ number: Int) -> Bool { number / startable.count % 3 == 2 }

    /// The namespace of a run.
    func namespace(_ number: Int) -> String { isElsewhere(number) ? Self.otherNamespace : "default" }

    /// The key under which a run is started. In the other namespace it is that of another run in the first one.
    func label(_ number: Int) -> String { "run-\(isElsewhere(number) ? number - startable.count : number)" }

    /// The input of a run.
    func input(_ number: Int) -> JSONValue { ["n": .int(Int64(number)), "label": .string(label(number))] }

    /// The name of the signals that runs wait for.
    static let signal = "tick"
    /// The name of the events from outside that runs wait for.
    static let letter = "parcel"
    /// The name of an event that never comes.
    static let never = "never"
}
