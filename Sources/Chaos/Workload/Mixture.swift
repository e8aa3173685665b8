// Workflows of all constructs that are the same in every campaign: loops, forks, sub-workflows, chains, catch blocks, state machines, waits.
// Each one's output is known beforehand.

package import WorkflowModel

/// A workflow of the mixture, and what comes of a run of it.
package enum Mixture: String, CaseIterable, Sendable {
    case weave = "mix-weave"
    case loops = "mix-loops"
    case forks = "mix-forks"
    case family = "mix-family"
    case rescue = "mix-rescue"
    case machine = "mix-machine"
    case listener = "mix-listener"
    case crowd = "mix-crowd"

    /// How many signals a run waits for.
    var signals: Int {
        switch self {
        case .machine, .listener: 3
        case .weave, .loops, .forks, .family, .rescue, .crowd: 0
        }
    }

    /// The workflows, as those of the workload.
    static func kinds(_ agent: String) -> [WorkflowKind] {
        definitions(agent).compactMap { name, source in
            guard let kind = Mixture(rawValue: name) else { return WorkflowKind(name: name, source: source, isStartedByOthers: true) }
            var workflow = WorkflowKind(name: name, source: source)
            workflow.ending = { number in Ending("succeeded", kind.output(number)) }
            workflow.signals = kind.signals
            if kind == .family { workflow.followers = ["succeeded": [Follower(workflow: "mix-chained", output: int(value(3)))]] }
            return workflow
        }
    }

    /// What the agent makes of a number.
    static func value(_ number: Int) -> Int { (number * number + 1) % 1000 }

    /// The output of the run with this number.
    package func output(_ number: Int) -> JSONValue {
        switch self {
        case .weave: return Self.int(Self.value(number + 7))
        case .loops:
            let rows = (0..<3 + number % 3).map { Self.value($0) + Self.value($0 + 1) }
            return ["rows": .array(rows.map(Self.int)), "rounds": .int(3)]
        case .forks:
            return ["sum": Self.int(Self.value(Self.value(number)) + Self.value(number + 1)), "raced": .int(3), "choice": .string(number % 4 < 2 ? "low" : "high")]
        case .family: return .array((0..<3).map { Self.int(Self.value(number + $0) + Self.value(1)) })
        case .rescue: return ["mended": Self.int(Self.value(number)), "type": "4xx"]
        case .machine: return ["done": Self.int(Self.value(number))]
        case .listener: return [1, 2, 3]
        case .crowd: return ["found": 7, "slept": 8, "enough": true]
        }
    }

    /// All definitions, those first that others start.
    package static func definitions(_ agent: String) -> [(name: String, source: String)] {
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
            // Eight calls: two that fan out and come together, and one at the side.
            (
                Self.weave.rawValue,
                """
                workflow: mix-weave
                \(head)graph:
                  - { id: start, agent: loom, with: { n: "${{ input.n }}" } }
                  - { id: left, needs: [start], agent: loom, with: { n: 1 } }
                  - { id: middle, needs: [start], agent: loom, with: { n: 2 } }
                  - { id: right, needs: [start], agent: loom, with: { n: 3 } }
                  - { id: upper, needs: [left, middle], agent: loom, with: { n: 4 } }
                  - { id: lower, needs: [middle, right], agent: loom, with: { n: 5 } }
                  - { id: side, agent: loom, with: { n: "${{ input.n }}" } }
                  - { id: end, needs: [upper, lower, side], agent: loom, with: { n: "${{ input.n + 7 }}" } }
                output: ${{ steps.end.output.value }}
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
