// The workflows that are under way while processes crash, and the agent that they call.

#if DEBUG
import Foundation
import WorkflowModel

extension CrashStage {
    /// Says which attempt it was called for. Slow enough to be caught in the middle; a step called `flaky` succeeds the second time.
    static let echo: AgentServer.Script = { call in
        if call.step == "flaky", call.attempt == 1 { return .reply(["no": true], status: 503) }
        return .reply(["fence": .int(call.fence)], after: .milliseconds(call.step == "first" ? 150 : 20))
    }

    static let medleyOutput: JSONValue = ["flaky": true, "rows": 2, "child": true]

    static func workflows(_ url: String) -> [(name: String, source: String)] {
        let head = "agents: { echo: { kind: http, url: \"\(url)\" } }\n"
        return [
            (
                "pair",
                """
                workflow: pair
                \(head)steps:
                  - { id: first, agent: echo }
                  - { id: second, agent: echo }
                output: { first: "${{ steps.first.output.fence }}", second: "${{ steps.second.output.fence }}" }
                """
            ),
            // A retry, a loop, a timer and a sub-workflow.
            (
                "medley",
                """
                workflow: medley
                \(head)steps:
                  - { id: flaky, agent: echo, retry: { maxAttempts: 3, backoff: fixed, delay: 20ms } }
                  - { id: rows, each: "${{ [1, 2] }}", agent: echo }
                  - { id: nap, sleep: { duration: 30ms } }
                  - { id: child, workflow: pair }
                output:
                  flaky: ${{ steps.flaky.output.fence > 0 }}
                  rows: ${{ size(steps.rows.output) }}
                  child: ${{ steps.child.output.first < steps.child.output.second }}
                """
            ),
            (
                "listener",
                """
                workflow: listener
                steps:
                  - { id: heard, await: { event: tick }, output: "${{ event.n }}" }
                output: ${{ steps.heard.output }}
                """
            ),
            (
                "subscriber",
                """
                workflow: subscriber
                steps:
                  - { id: heard, await: { event: news, key: "${{ input.key }}" }, output: "${{ event.n }}" }
                output: ${{ steps.heard.output }}
                """
            ),
            (
                "loop",
                """
                workflow: loop
                steps:
                  - { id: rows, each: "${{ [1, 2, 3] }}", maxParallel: 1, await: { event: tick }, output: "${{ event.n }}" }
                """
            ),
            (
                "poison",
                """
                workflow: poison
                \(head)steps:
                  - { id: poison, agent: echo }
                """
            ),
        ]
    }
}
#endif
