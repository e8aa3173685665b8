// Workflows of the mixture: every kind of loop, one that only an operator can bring to its end, and every rule of a join.

import WorkflowModel

extension Mixture {
    /// Loops.
    static func loops(_ places: AgentPlaces) -> [WorkflowKind] {
        var adjusted = WorkflowKind.succeeding("mix-adjusted", adjusted(places)) { _ in
            ["ok": .array([0, 1, 3].map { int(value($0)) }), "failed": 1]
        }
        adjusted.adjustment = Adjustment(loop: "gate", body: ["max_parallel": 0, "tolerate": "1"])
        return [
            .succeeding("mix-rounds", rounds(places)) { number in
                [
                    "countdown": [2, 1, 0], "asked": .array([0, 1].map { int(value($0)) }), "polled": 2, "last": 6, "broken": 3, "quiet": "succeeded",
                    "nothing": .array([]), "begun": int(number % 3),
                ]
            },
            adjusted,
        ]
    }

    private static func rounds(_ places: AgentPlaces) -> String {
        """
        workflow: mix-rounds
        \(places.head)steps:
          - { id: countdown, while: previous > 0, initial: 3, maxIterations: 5, set: "${{ previous - 1 }}" }
          - { id: asked, while: index < 2, maxIterations: 5, agent: loom, with: { n: "${{ index }}" } }
          - { id: polled, until: index == 1, every: 150ms, maxIterations: 5, agent: loom, with: { n: "${{ index }}" } }
          - id: batches
            each: ${{ range(0, 7) }}
            batch: 3
            collect: last
            do: [ { id: total, set: "${{ sum(item) }}" } ]
          - { id: broken, each: "${{ range(0, 9) }}", breakIf: index == 2, agent: loom, with: { n: "${{ item }}" } }
          - { id: quiet, each: "${{ range(0, 4) }}", maxParallel: 0, collect: none, agent: loom, with: { n: "${{ item }}" } }
          - { id: nothing, each: "${{ range(0, 0) }}", agent: loom, with: { n: "${{ item }}" } }
          - { id: begun, while: previous < input.n % 3, initial: 0, maxIterations: 5, set: "${{ previous + 1 }}" }
        output:
          countdown: ${{ steps.countdown.output }}
          asked: ${{ steps.asked.output.map(a, a.value) }}
          polled: ${{ size(steps.polled.output) }}
          last: ${{ steps.batches.output }}
          broken: ${{ size(steps.broken.ok) }}
          quiet: ${{ steps.quiet.status }}
          nothing: ${{ steps.nothing.output }}
          begun: ${{ size(steps.begun.output) }}
        """
    }

    // The first iteration waits for the second one, which may not start before the loop was adjusted; the third one fails, which the loop
    // tolerates since then.
    private static func adjusted(_ places: AgentPlaces) -> String {
        """
        workflow: mix-adjusted
        \(places.head)steps:
          - id: gate
            each: ${{ range(0, 4) }}
            as: door
            maxParallel: 1
            do:
              - { id: hear, if: door == 0, await: { event: opened, key: "${{ run.id }}" } }
              - { id: tell, if: door == 1, emit: { event: opened, key: "${{ run.id }}" } }
              - { id: ask, agent: loom, with: { n: "${{ door }}", refuse: "${{ door == 2 }}" } }
        output: { ok: "${{ steps.gate.ok.map(o, o.value) }}", failed: "${{ size(steps.gate.failed) }}" }
        """
    }

    /// Joins.
    static func joins(_ places: AgentPlaces) -> [WorkflowKind] {
        [
            .succeeding("mix-joins", joined(places)) { number in
                [
                    "tolerant": [int(value(0)), .null, int(value(2)), int(value(3)), .null], "failed": [1, 4], "drained": "E_NO",
                    "lenient": int(value(2)), "any": int(value(number)), "first": "quick", "half": true, "partial": 1,
                ]
            },
            .succeeding("mix-spoken", spoken(places)) { number in
                [
                    "block": int(value(number)), "all": 2, "any": true, "first": true, "strict": int(value(1) + value(2)), "either": true,
                    "heard": int(number), "light": int(value(number)), "lamp": "gone",
                ]
            },
        ]
    }

    private static func joined(_ places: AgentPlaces) -> String {
        """
        workflow: mix-joins
        \(places.head)steps:
          - id: tolerant
            each: ${{ range(0, 5) }}
            maxParallel: unlimited
            join: { tolerate: 40% }
            agent: loom
            with: { n: "${{ item }}", refuse: "${{ item % 3 == 1 }}" }
          - id: drained
            parallel:
              branches:
                good: [ { id: run, agent: loom, with: { n: 1 } } ]
                bad: [ { id: stop, fail: { message: no, code: E_NO } } ]
              join: { policy: all, onError: drain }
            onError: { do: [ { id: told, set: "${{ error.code }}" } ] }
          - id: lenient
            parallel:
              branches:
                good: [ { id: run, agent: loom, with: { n: 2 } } ]
                bad: [ { id: stop, fail: no } ]
              join: { policy: all, onError: continue }
              output: ${{ branches.good.run.output.value }}
          - id: any
            parallel:
              branches:
                good: [ { id: run, agent: loom, with: { n: "${{ input.n }}" } } ]
                bad: [ { id: stop, fail: no } ]
              join: any
              output: ${{ branches.good.run.output.value }}
          - id: first
            parallel:
              branches:
                quick: [ { id: run, set: quick } ]
                slow: [ { id: run, sleep: 1h } ]
              join: first
              output: ${{ branches.quick.run.output }}
          - { id: half, each: "${{ range(0, 4) }}", maxParallel: 0, join: { ratio: 50% }, agent: loom, with: { n: "${{ item }}" } }
          - id: partial
            parallel:
              branches:
                there: [ { id: run, set: 1 } ]
                missing: [ { id: run, await: \(Workload.never) } ]
              join: { policy: all, deadline: 400ms, onDeadline: partial }
              output: ${{ branches.there.run.output }}
        output:
          tolerant: "${{ steps.tolerant.output.map(t, t == null ? null : t.value) }}"
          failed: ${{ steps.tolerant.failed.map(f, f.index) }}
          drained: ${{ steps.drained.output }}
          lenient: ${{ steps.lenient.output }}
          any: ${{ steps.any.output }}
          first: ${{ steps.first.output }}
          half: ${{ size(steps.half.ok) >= 2 }}
          partial: ${{ steps.partial.output }}
        """
    }

    // What would be the same if nothing were said.
    private static func spoken(_ places: AgentPlaces) -> String {
        """
        workflow: mix-spoken
        \(places.head)steps:
          - { id: block, do: { steps: [ { id: ask, when: success, agent: loom, with: { n: "${{ input.n }}" }, onError: fail } ] } }
          - { id: all, each: "${{ range(0, 2) }}", join: all, collect: list, agent: loom, with: { n: "${{ item }}" } }
          - { id: any, each: "${{ range(0, 3) }}", maxParallel: 0, join: any, agent: loom, with: { n: "${{ item }}" } }
          - { id: first, each: "${{ range(0, 3) }}", maxParallel: 0, join: first, agent: loom, with: { n: "${{ item }}" } }
          - id: strict
            parallel:
              branches:
                one: [ { id: run, agent: loom, with: { n: 1 } } ]
                two: [ { id: run, agent: loom, with: { n: 2 } } ]
              join: all
              output: ${{ branches.one.run.output.value + branches.two.run.output.value }}
          - id: either
            each: ${{ range(0, 3) }}
            maxParallel: 0
            join: { policy: any, onError: failFast }
            agent: loom
            with: { n: "${{ item }}" }
          - id: earliest
            each: ${{ range(0, 3) }}
            maxParallel: 0
            join: { policy: first, deadline: 1h, onDeadline: fail }
            agent: loom
            with: { n: "${{ item }}" }
          - id: talk
            parallel:
              branches:
                mouth: [ { id: tell, emit: { event: word, key: "${{ run.id }}", data: { k: "${{ input.n }}" } } } ]
                ear:
                  - id: hear
                    await: { event: word, key: "${{ run.id }}", consume: exclusive }
                    timeout: 1h
                    onTimeout: fail
                    output: ${{ event.k }}
              output: ${{ branches.ear.hear.output }}
          - id: light
            do:
              states:
                initial: green
                unexpected: ignore
                green: { do: [ { id: ask, agent: loom, with: { n: "${{ input.n }}" } } ], next: { to: red }, output: "${{ steps.ask.output.value }}" }
                red: { on: { \(Workload.never): { to: grey } }, after: { 50ms: { to: dark } } }
                dark: { final: succeeded, output: "${{ states.green.output }}" }
                grey: { final: cancelled }
          - id: lamp
            do: { states: { initial: lit, unexpected: defer, lit: { next: { to: burnt } }, burnt: { final: true, output: gone } } }
        output:
          block: ${{ steps.block.output.value }}
          all: ${{ size(steps.all.output) }}
          any: ${{ size(steps.any.ok) >= 1 }}
          first: ${{ size(steps.first.ok) >= 1 }}
          strict: ${{ steps.strict.output }}
          either: ${{ size(steps.either.ok) >= 1 && size(steps.earliest.ok) >= 1 }}
          heard: ${{ steps.talk.output }}
          light: ${{ steps.light.output }}
          lamp: ${{ steps.lamp.output }}
        """
    }
}
