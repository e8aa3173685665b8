// A campaign over all constructs: loops, forks, sub-workflows, chains, catch blocks, state machines, waits. Each workflow's output is known beforehand.

import Foundation
import WorkflowModel

/// A workflow of the mixture, and what comes of a run of it.
enum Mixture: String, CaseIterable, Sendable {
    case loops = "mix-loops"
    case forks = "mix-forks"
    case family = "mix-family"
    case rescue = "mix-rescue"
    case machine = "mix-machine"
    case listener = "mix-listener"
    case crowd = "mix-crowd"

    /// The workflow of the run with this number.
    init(number: Int) { self = Self.allCases[number % Self.allCases.count] }

    /// Workflows that only others start, and how many runs of each come of one run of those.
    static let others: [(workflow: String, parent: Mixture, count: Int)] = [("mix-child", .family, 3), ("mix-chained", .family, 1)]

    /// How many signals a run waits for.
    var signals: Int {
        switch self {
        case .machine, .listener: 3
        case .loops, .forks, .family, .rescue, .crowd: 0
        }
    }
    static let signal = "tick"

    /// What the agent makes of a number.
    static func value(_ number: Int) -> Int { number * number + 1 }

    /// The output of the run with this number.
    func output(_ number: Int) -> JSONValue {
        func int(_ value: Int) -> JSONValue { .int(Int64(value)) }
        switch self {
        case .loops:
            let rows = (0..<3 + number % 3).map { Self.value($0) + Self.value($0 + 1) }
            return ["rows": .array(rows.map(int)), "rounds": .int(3)]
        case .forks:
            return ["sum": int(Self.value(Self.value(number)) + Self.value(number + 1)), "raced": .int(3), "choice": .string(number % 4 < 2 ? "low" : "high")]
        case .family: return .array((0..<3).map { int(Self.value(number + $0) + Self.value(1)) })
        case .rescue: return ["mended": int(Self.value(number)), "type": "4xx"]
        case .machine: return ["done": int(Self.value(number))]
        case .listener: return [1, 2, 3]
        case .crowd: return ["found": 7, "slept": 8, "enough": true]
        }
    }

    /// The agent that all of them call: slow by its key, and refusing what says that it is to be refused.
    static let agent: AgentServer.Script = { call in
        let body = try? JSONValue(parsing: call.body)
        let hash = call.key.utf8.reduce(UInt64(0xCBF2_9CE4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
        let delay = Duration.milliseconds(200 + Int(hash >> 32) % 1301)
        guard let number = body?["n"]?.intValue, body?["refuse"] != true else {
            return .reply(["key": .string(call.key), "fence": .int(call.fence)], status: 422, after: delay)
        }
        return .reply(["key": .string(call.key), "fence": .int(call.fence), "value": .int(Int64(value(Int(number))))], after: delay)
    }

    /// All definitions, those first that others start.
    static func definitions(_ agent: String) -> [(name: String, source: String)] {
        let head = "agents: { loom: { kind: http, url: \"\(agent)\" } }\n"
        return [
            (
                "mix-child",
                """
                workflow: mix-child
                \(head)steps:
                  - { id: first, agent: loom, with: { n: "${{ input.n }}" } }
                  - { id: second, agent: loom, with: { n: 1 } }
                output: ${{ steps.first.output.value + steps.second.output.value }}
                """
            ),
            (
                "mix-chained",
                """
                workflow: mix-chained
                \(head)steps:
                  - { id: note, agent: loom, with: { n: "${{ size(input.values) }}" } }
                output: ${{ steps.note.output.value }}
                """
            ),
            (
                Self.loops.rawValue,
                """
                workflow: mix-loops
                \(head)steps:
                  - id: rows
                    each: ${{ range(0, 3 + input.n % 3) }}
                    as: row
                    maxParallel: 2
                    do:
                      - { id: cells, each: "${{ [row, row + 1] }}", as: cell, agent: loom, with: { n: "${{ cell }}" } }
                      - { id: total, set: "${{ sum(steps.cells.output.map(c, c.value)) }}" }
                  - id: rounds
                    until: ${{ previous.value >= 5 }}
                    maxIterations: 10
                    agent: loom
                    with: { n: "${{ index }}" }
                output: { rows: "${{ steps.rows.output }}", rounds: "${{ size(steps.rounds.output) }}" }
                """
            ),
            (
                Self.forks.rawValue,
                """
                workflow: mix-forks
                \(head)steps:
                  - id: fork
                    parallel:
                      branches:
                        left:
                          - { id: a, agent: loom, with: { n: "${{ input.n }}" } }
                          - { id: b, agent: loom, with: { n: "${{ steps.a.output.value }}" } }
                        right:
                          - { id: c, agent: loom, with: { n: "${{ input.n + 1 }}" } }
                      output: ${{ branches.left.b.output.value + branches.right.c.output.value }}
                  - id: race
                    parallel:
                      branches:
                        one: [ { id: run, agent: loom, with: { n: 1 } } ]
                        two: [ { id: run, agent: loom, with: { n: 2 } } ]
                        three: [ { id: run, agent: loom, with: { n: 3 } } ]
                      join: { quorum: 2 }
                  - id: choice
                    switch:
                      - { if: "${{ input.n % 4 < 2 }}", do: [ { id: low, set: low } ] }
                      - { else: [ { id: high, set: high } ] }
                output: { sum: "${{ steps.fork.output }}", raced: "${{ size(steps.race.output) }}", choice: "${{ steps.choice.output }}" }
                """
            ),
            (
                Self.family.rawValue,
                """
                workflow: mix-family
                steps:
                  - id: children
                    each: ${{ range(0, 3) }}
                    maxParallel: 0
                    workflow: mix-child
                    with: { n: "${{ input.n + item }}" }
                output: ${{ steps.children.output }}
                onSuccess: [ { workflow: mix-chained, with: { values: "${{ output }}" } } ]
                """
            ),
            (
                Self.rescue.rawValue,
                """
                workflow: mix-rescue
                \(head)steps:
                  - id: attempt
                    agent: loom
                    with: { n: 0, refuse: true }
                    onError:
                      do:
                        - { id: pause, sleep: { duration: 300ms } }
                        - { id: mend, agent: loom, with: { n: "${{ input.n }}" } }
                        - { id: tell, set: { mended: "${{ steps.mend.output.value }}", type: "${{ error.type }}" } }
                output: ${{ steps.attempt.output }}
                """
            ),
            (
                Self.machine.rawValue,
                """
                workflow: mix-machine
                \(head)states:
                  initial: one
                  one: { on: { tick: { to: two } } }
                  two: { do: [ { id: work, agent: loom, with: { n: 2 } } ], on: { tick: { if: "${{ event.k == 2 }}", to: three } } }
                  three: { on: { tick: { to: finish } }, after: { 10m: { to: late } } }
                  finish: { do: [ { id: work, agent: loom, with: { n: "${{ input.n }}" } } ], next: [ { to: done } ] }
                  done: { final: true, output: { done: "${{ states.finish.output.value }}" } }
                  late: { final: failed }
                """
            ),
            (
                Self.listener.rawValue,
                """
                workflow: mix-listener
                steps:
                  - id: heard
                    each: ${{ range(0, 3) }}
                    await: { event: tick }
                    output: ${{ event.k }}
                output: ${{ steps.heard.output }}
                """
            ),
            // Iterations that settle together: timers of the same moment, a quorum that is reached by several at once, an end in the middle.
            (
                Self.crowd.rawValue,
                """
                workflow: mix-crowd
                \(head)steps:
                  - id: slept
                    each: ${{ range(0, 8) }}
                    maxParallel: 4
                    do:
                      - { id: nap, sleep: { duration: 700ms } }
                      - { id: woke, set: "${{ item }}" }
                  - id: some
                    each: ${{ range(0, 6) }}
                    maxParallel: 0
                    join: { quorum: 3 }
                    do:
                      - { id: nap, sleep: { duration: 700ms } }
                      - { id: ask, agent: loom, with: { n: "${{ item }}" } }
                  - id: search
                    each: ${{ range(0, 12) }}
                    maxParallel: 3
                    do:
                      - id: found
                        if: ${{ item == 7 }}
                        succeed:
                          found: ${{ item }}
                          slept: ${{ size(steps.slept.output.filter(n, n == steps.slept.output[n])) }}
                          enough: ${{ size(steps.some.ok) >= 3 }}
                      - { id: nap, sleep: { duration: 700ms } }
                """
            ),
        ]
    }
}
