// The words of the language: which keys may stand where, which ones a later release will run, and what they are called elsewhere.

/// The keys of one kind of mapping.
struct Vocabulary: Sendable {
    /// What the mapping is, as messages call it.
    let what: String
    /// The keys that this release runs.
    let known: [String]
    /// The keys that belong to the language and are refused for now.
    let later: [String]
    /// What other tools call a key, and what it is called here.
    var elsewhere: [String: String] = [:]

    static let file = Vocabulary(
        what: "a workflow",
        known: [
            "workflow", "description", "input", "output", "defaults", "agents", "timeout", "labels", "priority", "queue", "steps", "graph",
        ],
        later: ["states", "concurrency", "onSuccess", "onFailure", "onCancel", "schedules", "triggers", "retention"],
        elsewhere: [
            "name": "workflow", "id": "workflow", "inputs": "input", "outputs": "output", "tasks": "steps", "jobs": "steps",
            "activities": "steps", "dag": "graph", "inputSchema": "input", "tags": "labels", "summary": "description",
        ])

    static let verbs = ["agent", "set", "do"]
    static let laterVerbs = ["workflow", "parallel", "switch", "await", "approve", "sleep", "emit", "validate", "fail", "succeed"]

    static let step = Vocabulary(
        what: "a step",
        known: verbs + ["id", "if", "needs", "with", "result", "output", "timeout", "retry", "onError", "queue", "priority"],
        later: laterVerbs + [
            "cache", "breaker", "totalTimeout", "startTimeout", "onTimeout", "onExhausted", "onParentEnd", "reconcile", "limit", "effect",
            "compensate", "needsWorker", "keep", "each", "while", "until", "as", "initial", "every", "batch", "maxParallel", "join",
            "collect", "maxIterations", "breakIf", "when", "labels", "wait",
        ],
        elsewhere: [
            "name": "id", "depends": "needs", "dependsOn": "needs", "depends_on": "needs", "after": "needs", "run": "agent",
            "uses": "agent", "call": "agent", "task": "agent", "steps": "do", "graph": "do", "input": "with", "inputs": "with",
            "args": "with", "params": "with", "parameters": "with", "arguments": "with", "outputs": "output", "retries": "retry",
            "condition": "if", "on_error": "onError", "catch": "onError", "for": "each", "foreach": "each", "schema": "result",
        ])

    static let block = Vocabulary(
        what: "a block", known: ["steps", "graph"], later: ["states"], elsewhere: ["tasks": "steps", "dag": "graph"])

    static let defaults = Vocabulary(what: "`defaults`", known: ["timeout", "retry"], later: ["effect", "breaker", "limit"])

    static let retry = Vocabulary(
        what: "a retry policy", known: ["on", "maxAttempts", "backoff", "delay", "factor", "maxDelay", "jitter", "maxElapsed"],
        later: ["when"],
        elsewhere: [
            "attempts": "maxAttempts", "maxRetries": "maxAttempts", "retries": "maxAttempts", "max": "maxAttempts", "limit": "maxAttempts",
            "interval": "delay", "initialDelay": "delay", "initialInterval": "delay", "multiplier": "factor", "backoffRate": "factor",
            "maxInterval": "maxDelay", "strategy": "backoff", "errors": "on",
        ])

    static let agentKinds = ["http", "exec"]
    static let laterAgentKinds = ["llm", "a2a", "mcp", "pull"]
    private static let agentKeys = ["kind", "timeout", "retry"]
    private static let laterAgentKeys = ["breaker", "limit", "effect", "cache"]

    static let httpAgent = Vocabulary(
        what: "an http agent", known: agentKeys + ["url", "method", "headers", "body", "connectTimeout", "success", "maxResponseBytes"],
        later: laterAgentKeys + ["query", "raw"], elsewhere: ["uri": "url", "endpoint": "url", "address": "url", "verb": "method"])

    static let execAgent = Vocabulary(
        what: "an exec agent", known: agentKeys + ["command", "stdin", "output", "environment", "maxOutputBytes"], later: laterAgentKeys,
        elsewhere: ["env": "environment", "cmd": "command", "run": "command", "args": "command", "input": "stdin"])

    static let noopAgent = Vocabulary(what: "a noop agent", known: agentKeys, later: laterAgentKeys)

    /// Any agent whose kind is not known: every key of every kind passes, so that one mistake makes one finding.
    static let anyAgent = Vocabulary(
        what: "an agent", known: Array(Set(httpAgent.known + execAgent.known)).sorted(),
        later: [
            "breaker", "limit", "effect", "cache", "query", "raw", "model", "provider", "system", "prompt", "messages", "tools", "tool",
            "server", "skill", "temperature", "maxTokens", "transport",
        ])

    /// The key that was most likely meant.
    func suggestion(for key: String) -> String? {
        elsewhere[key] ?? Suggestion.closest(to: key, among: known + later)
    }
}
