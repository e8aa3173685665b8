// Definition → its normal form: what the database keeps, what is hashed, and what a diff compares.

import Crypto
public import WorkflowModel

/// Writes definitions in their normal form.
///
/// Shorthands are written out, defaults of the workflow are left out, and a retry policy is written with all its settings: a later
/// release with other defaults must not change what a registered version does.
public enum DefinitionEncoder {
    /// The normal form. Decoding it gives an equal definition.
    public static func json(_ definition: WorkflowDefinition) -> JSONValue {
        var object = JSONObject()
        object["workflow"] = .string(definition.name)
        object["description"] = definition.summary.map { .string($0) }
        object["input"] = definition.inputSchema
        if definition.defaults != StepDefaults() {
            var defaults = JSONObject()
            defaults["timeout"] = definition.defaults.timeout.map(duration)
            defaults["retry"] = definition.defaults.retry.map(retry)
            object["defaults"] = .object(defaults)
        }
        if !definition.agents.isEmpty {
            var agents = JSONObject()
            for named in definition.agents { agents[named.name] = agent(named.agent) }
            object["agents"] = .object(agents)
        }
        object["timeout"] = definition.timeout.map(duration)
        if !definition.labels.isEmpty { object["labels"] = labels(definition.labels) }
        if definition.priority != 0 { object["priority"] = .int(Int64(definition.priority)) }
        if definition.queue != "default" { object["queue"] = .string(definition.queue) }
        put(definition.body, into: &object)
        object["output"] = definition.output
        for (key, chains) in [
            ("onSuccess", definition.onSuccess), ("onFailure", definition.onFailure), ("onCancel", definition.onCancel),
        ] where !chains.isEmpty {
            object[key] = .array(chains.map(chain))
        }
        return .object(object)
    }

    /// The normal form of an agent alone, as workers get it.
    public static func json(agent: AgentDefinition) -> JSONValue { Self.agent(agent) }

    static func agent(_ agent: AgentDefinition) -> JSONValue {
        var object = JSONObject()
        object["kind"] = .string(agent.kind.name)
        switch agent.kind {
        case .http(let http):
            object["url"] = .string(http.url)
            object["method"] = .string(http.method)
            if !http.headers.isEmpty { object["headers"] = templates(http.headers) }
            object["body"] = http.body
            object["connectTimeout"] = http.connectTimeout.map(duration)
            object["maxResponseBytes"] = http.maxResponseBytes.map { .int(Int64($0)) }
            object["success"] = http.success.map { .string($0) }
        case .exec(let exec):
            object["command"] = .array(exec.command.map { .string($0) })
            object["stdin"] = exec.stdin
            object["output"] = .string(exec.output.rawValue)
            if !exec.environment.isEmpty { object["environment"] = templates(exec.environment) }
            object["maxOutputBytes"] = exec.maxOutputBytes.map { .int(Int64($0)) }
        case .noop: break
        }
        object["timeout"] = agent.timeout.map(duration)
        object["retry"] = agent.retry.map(retry)
        return .object(object)
    }

    private static func templates(_ templates: [NamedTemplate]) -> JSONValue {
        var object = JSONObject()
        for template in templates { object[template.name] = .string(template.value) }
        return .object(object)
    }

    static func retry(_ policy: RetryPolicy) -> JSONValue {
        .array(
            policy.entries.map { entry in
                var object = JSONObject()
                object["on"] = entry.on.map { .array($0.map { .string($0) }) }
                object["maxAttempts"] = .int(Int64(entry.maxAttempts))
                object["backoff"] = .string(entry.backoff.rawValue)
                object["delay"] = duration(entry.delay)
                object["factor"] = .double(entry.factor)
                object["maxDelay"] = duration(entry.maxDelay)
                object["jitter"] = .string(entry.jitter.rawValue)
                object["maxElapsed"] = entry.maxElapsed.map(duration)
                return .object(object)
            })
    }

    static func labels(_ labels: [String: String]) -> JSONValue {
        var object = JSONObject()
        for (key, value) in labels.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) { object[key] = .string(value) }
        return .object(object)
    }

    static func duration(_ duration: Duration) -> JSONValue { .string(DurationText.format(duration)) }
}

/// The SHA-256 of the canonical normal form, in hexadecimal: two files with the same meaning have the same hash, however they are written.
public func contentHash(_ definition: WorkflowDefinition) -> String {
    SHA256.hash(data: Array(DefinitionEncoder.json(definition).canonicalText.utf8)).reduce(into: "") { text, byte in
        let digits = String(byte, radix: 16)
        text += digits.count == 1 ? "0\(digits)" : digits
    }
}
