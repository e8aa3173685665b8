// The keys of what stands below a verb.

import WorkflowModel

extension Vocabulary {
    static let parallel = Vocabulary(
        what: "`parallel`",
        keys: [
            VocabularyKey("branches", .map(.name(.step), blockShape, atLeast: 1), "The branches, by name.", isRequired: true),
            VocabularyKey(
                "join", .either([.word(joinWords), .construct(.join)]),
                "How many branches must succeed, and what a failure does to the others."),
            VocabularyKey(
                "output", .template,
                "The answer, with branches.NAME.STEP.output in scope; without it, a map from branches to their outputs."),
        ], elsewhere: ["steps": "branches", "tasks": "branches", "policy": "join", "aggregate": "output"])

    static let switchCase = Vocabulary(
        what: "a case of `switch`",
        keys: [
            VocabularyKey("if", .condition, "The condition.", isRequired: true),
            VocabularyKey("do", blockShape, "What runs when it is the first one that is true.", isRequired: true),
        ], elsewhere: ["when": "if", "case": "if", "condition": "if", "then": "do", "steps": "do", "default": "else"])

    static let switchElse = Vocabulary(
        what: "the `else` of `switch`",
        keys: [VocabularyKey("else", blockShape, "What runs when no condition is true.", isRequired: true)],
        elsewhere: ["default": "else", "otherwise": "else"])

    static let await = Vocabulary(
        what: "`await`",
        keys: [
            VocabularyKey("event", .name(.event), "The event's name."),
            VocabularyKey("match", .condition, "What must hold for the event, with `event` in scope."),
            VocabularyKey(
                "any", .list(.construct(.eventPattern), atLeast: 1), "Several events, of which the first to come is taken."),
            VocabularyKey("key", .templateText, "The correlation key; without it, events are taken that are addressed to this run."),
            VocabularyKey("timeout", .duration, "How long it waits."),
            VocabularyKey("lookback", .duration, "How far back before the run's start keyed events are still taken."),
            VocabularyKey(
                "consume", .word(EventWait.Consumption.allCases.map(\.rawValue)),
                "Whether other waits may get the same event; default exclusive."),
        ], exactlyOne: ["event", "any"], elsewhere: ["name": "event", "signal": "event", "if": "match", "correlation": "key"])

    static let eventPattern = Vocabulary(
        what: "an event of `any`",
        keys: [
            VocabularyKey("event", .name(.event), "The event's name.", isRequired: true),
            VocabularyKey("match", .condition, "What must hold for the event, with `event` in scope."),
        ], elsewhere: ["name": "event", "signal": "event", "if": "match"])

    static let approval = Vocabulary(
        what: "`approve`",
        keys: [
            VocabularyKey("by", .list(.templateText, atLeast: 1), "Who may decide: people or groups.", isRequired: true),
            VocabularyKey("count", .integer(1...1000), "How many of them must agree; default 1."),
            VocabularyKey("form", .schema, "JSON Schema of what a person fills in."),
            VocabularyKey("notSelf", .boolean, "Whether the one who started the run may not decide; default false."),
        ], later: ["message"], elsewhere: ["approvers": "by", "users": "by", "groups": "by", "quorum": "count", "schema": "form"])

    static let sleepFor = Vocabulary(
        what: "`sleep`",
        keys: [
            VocabularyKey(
                "duration", .either([.duration, .templateText]), "How long: a duration, or an expression that gives one.", isRequired: true)
        ], elsewhere: ["for": "duration", "seconds": "duration"])

    static let sleepUntil = Vocabulary(
        what: "`sleep`",
        keys: [
            VocabularyKey(
                "until", .templateText, "The moment: a timestamp such as 2026-01-31T08:00:00Z, or an expression that gives one.",
                isRequired: true)
        ])

    static let emission = Vocabulary(
        what: "`emit`",
        keys: [
            VocabularyKey("event", .name(.event), "The event's name.", isRequired: true),
            VocabularyKey("key", .templateText, "The correlation key."),
            VocabularyKey("data", .template, "The event's data."),
            VocabularyKey("run", .templateText, "The run that it is addressed to; without it, all that wait for its name and key."),
        ], later: ["url"], elsewhere: ["name": "event", "payload": "data", "with": "data", "body": "data", "to": "run"])

    static let validation = Vocabulary(
        what: "`validate`",
        keys: [
            VocabularyKey("value", .template, "The value.", isRequired: true),
            VocabularyKey("schema", .schema, "The JSON Schema.", isRequired: true),
        ], elsewhere: ["data": "value", "input": "value"])

    static let failing = Vocabulary(
        what: "`fail`",
        keys: [
            VocabularyKey("message", .templateText, "What went wrong, for people.", isRequired: true),
            VocabularyKey("code", .text, "What the failure is called."),
        ], elsewhere: ["error": "message", "reason": "message", "type": "code"])

    // MARK: Agents

    static let agentKinds = ["http", "exec"]
    static let laterAgentKinds = ["llm", "a2a", "mcp", "pull"]
    private static let laterAgentKeys = ["breaker", "limit", "effect", "cache"]

    private static func agentKeys(_ kind: String) -> [VocabularyKey] {
        [
            VocabularyKey("kind", .word([kind]), "How the agent is called.", isRequired: true),
            VocabularyKey("timeout", .duration, "The time-out of one attempt."),
            VocabularyKey("retry", retryShape, "The retry policy."),
        ]
    }

    static let httpAgent = Vocabulary(
        what: "an http agent",
        keys: agentKeys("http") + [
            VocabularyKey("url", .templateText, "The address, http or https.", isRequired: true),
            VocabularyKey("method", .word(DefinitionReader.methods), "The method; default POST."),
            VocabularyKey("headers", .map(.any, .templateText, atLeast: 0), "Header fields."),
            VocabularyKey("body", .template, "The body; default is `with` as JSON."),
            VocabularyKey("connectTimeout", .duration, "When the connection must stand."),
            VocabularyKey("success", .condition, "Whether the call succeeded, over `status`, `headers` and `result`; default any 2xx."),
            VocabularyKey("maxResponseBytes", .size, "The largest answer that is read."),
        ],
        later: laterAgentKeys + ["query", "raw"], elsewhere: ["uri": "url", "endpoint": "url", "address": "url", "verb": "method"])

    static let execAgent = Vocabulary(
        what: "an exec agent",
        keys: agentKeys("exec") + [
            VocabularyKey(
                "command", .list(.either([.templateText, .number(-1e18...1e18)]), atLeast: 1),
                "The program and its arguments, never a shell line.", isRequired: true),
            VocabularyKey("stdin", .template, "What the process reads; default is `with` as JSON."),
            VocabularyKey("output", .word(ExecAgent.Output.allCases.map(\.rawValue)), "How the answer is read; default json."),
            VocabularyKey("environment", .map(.any, .templateText, atLeast: 0), "Environment variables."),
            VocabularyKey("maxOutputBytes", .size, "The largest answer that is read."),
        ], later: laterAgentKeys,
        elsewhere: ["env": "environment", "cmd": "command", "run": "command", "args": "command", "input": "stdin"])

    static let noopAgent = Vocabulary(what: "a noop agent", keys: agentKeys("noop"), later: laterAgentKeys)

    /// Any agent whose kind is not known: every key of every kind passes, so that one mistake makes one finding.
    static let anyAgent: Vocabulary = {
        var keys: [VocabularyKey] = []
        for key in httpAgent.keys + execAgent.keys where !keys.contains(where: { $0.name == key.name }) { keys.append(key) }
        return Vocabulary(
            what: "an agent", keys: keys.sorted { $0.name < $1.name },
            later: [
                "breaker", "limit", "effect", "cache", "query", "raw", "model", "provider", "system", "prompt", "messages", "tools", "tool",
                "server", "skill", "temperature", "maxTokens", "transport",
            ])
    }()
}
