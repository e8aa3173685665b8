// Workflows of the mixture: values that are checked, and everything that can be said about a call.

import WorkflowModel

extension Mixture {
    /// Values that are checked: what is wrong fails, and is caught or passed over.
    static func values(_ places: AgentPlaces) -> [WorkflowKind] {
        [
            .succeeding(
                "mix-checks",
                """
                workflow: mix-checks
                description: Values that are checked.
                input: { type: object, required: [n], properties: { n: { type: integer } } }
                labels: { part: values }
                priority: 5
                queue: side
                defaults: { timeout: 60s, retry: { maxAttempts: 4, on: [connect, timeout, 5xx], backoff: fixed, delay: 200ms } }
                \(places.head)steps:
                  - { id: given, set: { n: "${{ input.n }}", list: [1, 2, 3] } }
                  - id: right
                    validate:
                      value: ${{ steps.given.output }}
                      schema: { type: object, required: [n, list], properties: { n: { type: integer }, list: { type: array, items: { type: integer } } } }
                  - id: wrong
                    validate: { value: "${{ input.n }}", schema: { type: integer, multipleOf: 3 } }
                    onError: { do: [ { id: told, set: "${{ error.type }}" } ] }
                  - { id: refused, agent: loom, with: { n: 0, refuse: true }, onError: continue }
                  - id: ask
                    agent: loom
                    queue: default
                    priority: -5
                    with: { n: "${{ steps.right.output.n }}" }
                    result: { type: object, required: [value, fence], properties: { value: { type: integer } } }
                    output: { value: "${{ result.value }}", fence: "${{ result.fence }}" }
                output:
                  n: ${{ steps.right.output.n }}
                  wrong: ${{ steps.wrong.output }}
                  refused: ${{ steps.refused.error.type }}
                  asked: ${{ steps.ask.output.value }}
                """
            ) { number in
                ["n": int(number), "wrong": number % 3 == 0 ? int(number) : "schema", "refused": "4xx", "asked": int(value(number))]
            }
        ]
    }

    /// Calls with all settings of their agents, processes among them, and every way to try again.
    static func calls(_ places: AgentPlaces) -> [WorkflowKind] {
        [
            .succeeding("mix-retries", retries(places)) { number in
                ["sum": int((0..<5).reduce(0) { $0 + value(number + $1) }), "mended": int(value(1))]
            },
            .succeeding("mix-requests", requests(places)) { number in int(5 * value(number)) },
        ]
    }

    // Each fails once or twice, and is tried again after a time that is found in another way.
    private static func retries(_ places: AgentPlaces) -> String {
        func step(_ id: Int, _ retry: String) -> String {
            """
              - id: call\(id)
                agent: loom
                with: { n: "${{ input.n + \(id) }}", trouble: unavailable, times: \(1 + id % 2) }
                retry: \(retry)

            """
        }
        let rest = "{ on: [connect, timeout, rateLimited], maxAttempts: 5, maxElapsed: 10m }"
        return """
            workflow: mix-retries
            \(places.head)graph:
            \(step(0, "[ { on: [503], maxAttempts: 6, backoff: none }, \(rest) ]"))\
            \(step(1, "[ { on: [5xx], maxAttempts: 6, backoff: linear, delay: 50ms, maxDelay: 200ms, jitter: equal }, \(rest) ]"))\
            \(step(2, "[ { on: [5xx], maxAttempts: 6, backoff: fibonacci, delay: 50ms, maxDelay: 200ms, jitter: none }, \(rest) ]"))\
            \(step(3, "[ { on: [5xx], maxAttempts: 6, backoff: exponential, factor: 3, delay: 50ms, maxDelay: 300ms, jitter: decorrelated }, \(rest) ]"))\
            \(step(4, "{ maxAttempts: 9, backoff: fixed, delay: 100ms, jitter: full }"))\
              - id: spent
                agent: loom
                with: { n: 0, trouble: unavailable, times: 9 }
                retry: { maxAttempts: 2, delay: 50ms }
                onError: { do: [ { id: mend, agent: loom, with: { n: 1 } } ] }
            output:
              sum: ${{ \((0..<5).map { "steps.call\($0).output.value" }.joined(separator: " + ")) }}
              mended: ${{ steps.spent.output.value }}
            """
    }

    // Agents with every setting, and some that are processes.
    private static func requests(_ places: AgentPlaces) -> String {
        // Writes down its call and its answer, as the agent behind HTTP does.
        let script = """
            read n; me="\\"key\\":\\"$IDEMPOTENCY_KEY\\",\\"fence\\":$SKEIN_FENCE"; value=$(( (n * n + 1) % 1000 ))
            printf '{"e":"call","t":0,%s,"run":"%s","step":"%s","attempt":%s}\\n' "$me" "$SKEIN_RUN_ID" "$SKEIN_STEP" "$SKEIN_ATTEMPT" >> "$CALLS"
            printf '{"e":"answer","t":0,%s,"kind":"reply","status":200,"body":"{\\\\"fence\\\\":%s,\\\\"value\\\\":%s}"}\\n' "$me" "$SKEIN_FENCE" "$value" >> "$CALLS"
            printf '{%s,"value":%s}' "$me" "$value"
            """
        func caller(_ method: String) -> JSONValue {
            [
                "kind": "http", "url": .string(places.url), "method": .string(method), "headers": ["x-note": "this is ${{ with.n }}"],
                "body": ["n": "${{ with.n }}"], "timeout": "60s", "connectTimeout": "30s", "maxResponseBytes": "64KiB",
                "success": "status == 200 && result.value >= 0", "retry": ["on": ["connect", "timeout"], "maxAttempts": 4],
            ]
        }
        func process(_ output: String) -> JSONValue {
            [
                "kind": "exec", "command": ["sh", "-c", .string(script)], "stdin": "${{ string(with.n) + '\\n' }}", "output": .string(output),
                "environment": ["CALLS": .string(places.processLog)], "timeout": "60s", "maxOutputBytes": "4KiB", "retry": ["maxAttempts": 2],
            ]
        }
        func step(_ agent: String, _ answer: String = "result") -> JSONValue {
            let output: JSONValue = ["value": .string("${{ \(answer).value }}"), "fence": .string("${{ \(answer).fence }}")]
            return ["id": .string(agent), "agent": .string(agent), "with": ["n": "${{ input.n }}"], "timeout": "60s", "output": output]
        }
        let file: JSONValue = [
            "workflow": "mix-requests",
            "agents": ["put": caller("PUT"), "post": caller("POST"), "one": process("json"), "two": process("text"), "three": process("lines")],
            "steps": [step("put"), step("post"), step("one"), step("two", "json.parse(result)"), step("three", "json.parse(result[0])")],
            "output": .string("${{ \(["put", "post", "one", "two", "three"].map { "steps.\($0).output.value" }.joined(separator: " + ")) }}"),
        ]
        return file.compactText
    }

    static func int(_ value: Int) -> JSONValue { .int(Int64(value)) }
}
