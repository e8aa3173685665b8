// The keys of files, blocks, state machines and chains.

import WorkflowModel

extension Vocabulary {
    static let bodies = ["steps", "graph", "states"]

    /// A block: a list of steps, or a mapping that says which kind of block it is.
    static let blockShape: ValueShape = .either([.list(.construct(.step), atLeast: 1), .construct(.block)])

    private static let bodyKeys: [VocabularyKey] = [
        VocabularyKey(
            "steps", .list(.construct(.step), atLeast: 1), "A sequence: each step starts when the one before it has settled."),
        VocabularyKey(
            "graph", .list(.construct(.step), atLeast: 1),
            "A graph: each step starts when all its `needs` have settled; one without needs starts at once."),
        VocabularyKey(
            "states", .construct(.states), "A state machine: one state at a time, from `initial` to a final one.", part: .stateMachines),
    ]

    private static let headKeys: [VocabularyKey] = [
        VocabularyKey("workflow", .name(.workflow), "The workflow's name.", isRequired: true),
        VocabularyKey("description", .text, "What it is for, for people."),
        VocabularyKey("input", .schema, "JSON Schema 2020-12 of the run's input."),
        VocabularyKey("output", .template, "The run's output; without it, the output of the body."),
        VocabularyKey("defaults", .construct(.defaults), "What steps inherit that say nothing themselves."),
        VocabularyKey("agents", .map(.name(.agent), agentShape, atLeast: 0), "The agents that the file brings along, by name."),
        VocabularyKey("timeout", .duration, "How long a run may take, from its submission."),
        VocabularyKey("labels", .map(.name(.label), .text, atLeast: 0), "Labels that every run gets."),
        VocabularyKey("priority", .integer(DefinitionReader.priorities), "Larger goes first."),
        VocabularyKey("queue", .name(.queue), "The queue of its tasks."),
    ]

    private static let chainsShape: ValueShape = .list(.construct(.chain), atLeast: 0)

    private static let chainKeys: [VocabularyKey] = [
        VocabularyKey("onSuccess", chainsShape, "Workflows that are started when a run has succeeded.", part: .chains),
        VocabularyKey("onFailure", chainsShape, "Workflows that are started when a run has failed or timed out.", part: .chains),
        VocabularyKey("onCancel", chainsShape, "Workflows that are started when a run has been cancelled.", part: .chains),
    ]

    static let file = Vocabulary(
        what: "a workflow",
        keys: headKeys + bodyKeys + chainKeys,
        exactlyOne: bodies,
        later: ["concurrency", "schedules", "triggers", "retention"],
        elsewhere: [
            "name": "workflow", "id": "workflow", "inputs": "input", "outputs": "output", "tasks": "steps", "jobs": "steps",
            "activities": "steps", "dag": "graph", "inputSchema": "input", "tags": "labels", "summary": "description",
            "onError": "onFailure", "stateMachine": "states",
        ])

    static let block = Vocabulary(
        what: "a block", keys: bodyKeys, exactlyOne: bodies, elsewhere: ["tasks": "steps", "dag": "graph", "stateMachine": "states"])

    static let catchBlock = Vocabulary(
        what: "a catch block",
        keys: [
            VocabularyKey("do", blockShape, "What runs instead, with `error` in scope; its output becomes the step's.", isRequired: true)
        ],
        elsewhere: ["steps": "do", "run": "do", "then": "do", "catch": "do"])

    static let defaults = Vocabulary(
        what: "`defaults`",
        keys: [
            VocabularyKey("timeout", .duration, "The time-out of one attempt."),
            VocabularyKey("retry", retryShape, "The retry policy; it is taken whole."),
        ], later: ["effect", "breaker", "limit"])

    static let chain = Vocabulary(
        what: "a chained workflow",
        keys: [
            VocabularyKey("workflow", .name(.workflow), "The workflow to start.", isRequired: true),
            VocabularyKey("with", .template, "Its input, with `output` in scope after a success and `error` after a failure."),
            VocabularyKey("if", .condition, "Starts it only when this is true."),
        ], elsewhere: ["input": "with", "name": "workflow", "condition": "if", "when": "if"])

    // MARK: State machines

    static let states = Vocabulary(
        what: "`states`",
        keys: [
            VocabularyKey("initial", .name(.step), "The state in which the machine begins.", isRequired: true),
            VocabularyKey("maxTransitions", .integer(1...1_000_000), "How many transitions there may be; default 1000."),
            VocabularyKey(
                "unexpected", .word(["defer", "reject", "ignore"]),
                "What becomes of an event that no transition of the current state takes: kept (default), refused, or dropped."),
        ], elsewhere: ["start": "initial", "startAt": "initial"])

    private static let transitionsShape: ValueShape = .either([
        .construct(.transition), .list(.construct(.transition), atLeast: 1),
    ])

    static let state = Vocabulary(
        what: "a state",
        keys: [
            VocabularyKey("do", blockShape, "What runs on entry. `next`, `on` and `after` act once it has settled."),
            VocabularyKey("next", transitionsShape, "The transitions that are tried, in order, when `do` has settled."),
            VocabularyKey("on", .map(.name(.event), transitionsShape, atLeast: 1), "The transitions that events take, by event."),
            VocabularyKey(
                "after", .map(.duration, transitionsShape, atLeast: 1), "The transitions after a while, counted from entry, by duration."),
            VocabularyKey(
                "final", .either([.boolean, .word(State.Ending.allCases.map(\.rawValue))]),
                "Ends the machine: `true` or `succeeded`, `failed`, `cancelled`."),
            VocabularyKey("output", .template, "The state's output; of a final state, the machine's."),
        ],
        elsewhere: [
            "steps": "do", "entry": "do", "onEntry": "do", "transitions": "next", "always": "next", "events": "on", "timeout": "after",
            "end": "final", "type": "final",
        ])

    static let transition = Vocabulary(
        what: "a transition",
        keys: [
            VocabularyKey("if", .condition, "The guard; without one the transition is always taken."),
            VocabularyKey("to", .name(.step), "The state that it leads to.", isRequired: true),
        ], elsewhere: ["target": "to", "goto": "to", "state": "to", "guard": "if", "cond": "if", "when": "if"])
}
