// The keys of steps: verbs, what may be said about each of them, loops and joins.

import WorkflowModel

extension Vocabulary {
    static let verbs = [
        "agent", "workflow", "do", "parallel", "switch", "await", "approve", "sleep", "emit", "set", "validate", "fail", "succeed",
    ]
    static let loops = ["each", "while", "until"]
    /// What belongs to loops only.
    static let loopSettings = [
        "as", "initial", "every", "batch", "maxParallel", "join", "collect", "maxIterations", "breakIf",
    ]

    static let retryShape: ValueShape = .either([.construct(.retry), .list(.construct(.retry), atLeast: 0)])
    static let agentShape: ValueShape = .either([.construct(.httpAgent), .construct(.execAgent), .construct(.noopAgent)])
    private static let handlingShape: ValueShape = .either([.word(["fail", "continue"]), .construct(.catchBlock)])
    private static let joinShape: ValueShape = .either([.word(joinWords), .construct(.join)])
    static let joinWords = ["all", "any", "first"]

    private static let verbKeys: [VocabularyKey] = [
        VocabularyKey("agent", .either([.name(.agent), agentShape]), "Calls an agent, by name or described here."),
        VocabularyKey("workflow", .name(.workflow), "Runs a sub-workflow with `with` as its input.", part: .subWorkflows),
        VocabularyKey("do", blockShape, "Runs a nested block."),
        VocabularyKey("parallel", .construct(.parallel), "Runs named branches side by side and joins them.", part: .parallel),
        VocabularyKey(
            "switch", .list(.either([.construct(.switchCase), .construct(.switchElse)]), atLeast: 1),
            "Runs the block of the first condition that is true.", part: .choices),
        VocabularyKey("await", .either([.name(.event), .construct(.await)]), "Waits for an event.", part: .events),
        VocabularyKey("approve", .construct(.approval), "Waits for people to decide.", part: .approvals),
        VocabularyKey(
            "sleep", .either([.duration, .construct(.sleepFor), .construct(.sleepUntil)]), "Waits for a while, or until a moment.",
            part: .sleep),
        VocabularyKey("emit", .either([.name(.event), .construct(.emission)]), "Publishes an event.", part: .emission),
        VocabularyKey("set", .template, "Computes a value."),
        VocabularyKey("validate", .construct(.validation), "Checks a value against a JSON Schema.", part: .validation),
        VocabularyKey("fail", .either([.templateText, .construct(.failing)]), "Ends the block with a failure.", part: .endings),
        VocabularyKey("succeed", .template, "Ends the whole run with this output.", part: .endings),
    ]

    private static let loopKeys: [VocabularyKey] = [
        VocabularyKey("each", .collection, "Runs the verb once for each item of a list.", part: .loops),
        VocabularyKey("while", .condition, "Runs the verb as long as this is true, tested before each iteration.", part: .loops),
        VocabularyKey("until", .condition, "Runs the verb until this is true, tested after each iteration.", part: .loops),
        VocabularyKey("as", .name(.step), "The name of the item in expressions; default `item`.", part: .loops),
        VocabularyKey("initial", .template, "`previous` in the first iteration.", part: .loops),
        VocabularyKey("every", .duration, "The pause between two iterations.", part: .loops),
        VocabularyKey("batch", .integer(1...10_000), "How many items make one iteration.", part: .loops),
        VocabularyKey(
            "maxParallel", .either([.integer(0...10_000), .word(["unlimited"])]),
            "How many iterations run at once: 1 (default) is one after the other, 0 or unlimited all of them.", part: .loops),
        VocabularyKey("join", joinShape, "How many iterations must succeed, and what a failure does to the others.", part: .loops),
        VocabularyKey(
            "collect", .word(Loop.Collection.allCases.map(\.rawValue)), "What is kept of the iterations' outputs; default `list`.",
            part: .loops),
        VocabularyKey("maxIterations", .integer(1...1_000_000_000), "The most iterations.", part: .loops),
        VocabularyKey("breakIf", .condition, "Ends the loop after an iteration for which this is true.", part: .loops),
    ]

    private static let idKey = VocabularyKey("id", .name(.step), "The id, unique in its block.", isRequired: true)

    private static let modifierKeys: [VocabularyKey] = [
        VocabularyKey("if", .condition, "Runs the step only when this is true; else it is skipped."),
        VocabularyKey("needs", .list(.name(.step), atLeast: 0), "In a graph: the steps that must settle first."),
        VocabularyKey(
            "when", .word(RunRule.allCases.map(\.rawValue)), "Which endings of what came before let the step run.", part: .runRules),
        VocabularyKey("with", .template, "What the agent or sub-workflow is given."),
        VocabularyKey("result", .schema, "JSON Schema of the answer."),
        VocabularyKey("output", .template, "The step's output, with `result` in scope; without it, the answer."),
        VocabularyKey("timeout", .duration, "The time-out of one attempt; of a wait, how long it waits."),
        VocabularyKey("totalTimeout", .duration, "The time-out over all attempts or iterations.", part: .stepTimeouts),
        VocabularyKey("startTimeout", .duration, "How long an attempt may wait in its queue.", part: .startTimeouts),
        VocabularyKey("onTimeout", handlingShape, "What a time-out of a wait does.", part: .stepTimeouts),
        VocabularyKey("retry", retryShape, "When and how often a failed attempt is followed by another one."),
        VocabularyKey("onError", handlingShape, "What a failure for good does: `fail` (default), `continue`, or a catch block."),
        VocabularyKey("wait", .boolean, "Whether the step waits for the sub-workflow; default true.", part: .subWorkflows),
        VocabularyKey(
            "onParentEnd", .word(WorkflowCall.ParentEnd.allCases.map(\.rawValue)),
            "What becomes of the sub-workflow when its parent ends first.", part: .subWorkflows),
        VocabularyKey(
            "effect", .word(Effect.allCases.map(\.rawValue)), "What happens when the agent gets the same request twice.", part: .effects),
        VocabularyKey("queue", .name(.queue), "The queue; default is the workflow's."),
        VocabularyKey("priority", .integer(DefinitionReader.priorities), "The priority; default is the workflow's."),
        VocabularyKey("labels", .map(.name(.label), .text, atLeast: 0), "Labels of the step.", part: .stepLabels),
    ]

    static let step = Vocabulary(
        what: "a step",
        keys: [idKey] + verbKeys + modifierKeys + loopKeys,
        exactlyOne: verbs,
        later: ["cache", "breaker", "onExhausted", "reconcile", "limit", "compensate", "needsWorker", "keep"],
        elsewhere: [
            "name": "id", "depends": "needs", "dependsOn": "needs", "depends_on": "needs", "after": "needs", "run": "agent",
            "uses": "agent", "call": "agent", "task": "agent", "steps": "do", "graph": "do", "states": "do", "input": "with",
            "inputs": "with", "args": "with", "params": "with", "parameters": "with", "arguments": "with", "outputs": "output",
            "retries": "retry", "condition": "if", "on_error": "onError", "catch": "onError", "for": "each", "foreach": "each",
            "schema": "result", "subworkflow": "workflow", "choice": "switch", "branches": "parallel", "fork": "parallel",
            "concurrency": "maxParallel", "wait_for": "await", "waitFor": "await", "delay": "sleep", "throw": "fail", "raise": "fail",
        ])

    static let retry = Vocabulary(
        what: "a retry policy",
        keys: [
            VocabularyKey(
                "on", .list(.either([.text, .integer(100...599)]), atLeast: 1), "The failure types, codes or statuses it is for."),
            VocabularyKey("maxAttempts", .integer(1...1000), "The most attempts, the first included.", isRequired: true),
            VocabularyKey("backoff", .word(RetryEntry.Backoff.allCases.map(\.rawValue)), "How the delay grows; default exponential."),
            VocabularyKey("delay", .duration, "The first delay; default 1s."),
            VocabularyKey("factor", .number(1...100), "The growth of an exponential back-off; default 2."),
            VocabularyKey("maxDelay", .duration, "The longest delay; default 60s."),
            VocabularyKey("jitter", .word(RetryEntry.Jitter.allCases.map(\.rawValue)), "How the delay is spread; default full."),
            VocabularyKey("maxElapsed", .duration, "No attempt starts later than this after the first one."),
        ],
        later: ["when"],
        elsewhere: [
            "attempts": "maxAttempts", "maxRetries": "maxAttempts", "retries": "maxAttempts", "max": "maxAttempts", "limit": "maxAttempts",
            "interval": "delay", "initialDelay": "delay", "initialInterval": "delay", "multiplier": "factor", "backoffRate": "factor",
            "maxInterval": "maxDelay", "strategy": "backoff", "errors": "on",
        ])

    static let join = Vocabulary(
        what: "a join policy",
        keys: [
            VocabularyKey("policy", .word(joinWords), "all (default), any (the first success), or first (the first to settle)."),
            VocabularyKey("quorum", .integer(1...1_000_000), "So many must succeed."),
            VocabularyKey("ratio", .either([.number(0...1), .percentage]), "This share must succeed, rounded up."),
            VocabularyKey(
                "tolerate", .either([.integer(0...1_000_000_000), .percentage]), "So many, or this share rounded down, may fail."),
            VocabularyKey(
                "onError", .word(JoinPolicy.ErrorHandling.allCases.map(\.rawValue)), "What a failure does to the others; default failFast."),
            VocabularyKey("deadline", .duration, "How long the join waits."),
            VocabularyKey(
                "onDeadline", .word(JoinPolicy.DeadlineHandling.allCases.map(\.rawValue)), "What happens at the deadline; default fail."),
        ],
        elsewhere: ["timeout": "deadline", "type": "policy", "mode": "policy", "onTimeout": "onDeadline", "max": "quorum"])
}
