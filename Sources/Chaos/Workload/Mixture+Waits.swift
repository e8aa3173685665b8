// Workflows of the mixture: waits that end in every way, events from outside and from within, a machine that goes by the clock.

import WorkflowModel

extension Mixture {
    /// Waits.
    static func waits(_ places: AgentPlaces) -> [WorkflowKind] {
        var mail = WorkflowKind.succeeding("mix-mail", mail(places)) { number in int(2 * number + value(number)) }
        mail.awaitsLetter = true
        return [
            .succeeding("mix-patience", patience(places)) { number in
                ["silent": true, "any": "late", "total": "timeout", "letter": int(number), "news": 10]
            },
            mail,
            .succeeding("mix-clock", clock(places)) { number in value(number) % 2 == 0 ? "even" : "odd" },
        ]
    }

    private static func patience(_ places: AgentPlaces) -> String {
        """
        workflow: mix-patience
        steps:
          - { id: silent, await: { event: \(Workload.never), timeout: 300ms }, onTimeout: continue }
          - id: any
            await: { any: [ { event: \(Workload.never) }, { event: nowhere, match: event.k > 0 } ] }
            timeout: 300ms
            onTimeout: { do: [ { id: told, set: late } ] }
          - { id: total, do: [ { id: long, sleep: 10m } ], totalTimeout: 400ms, onError: { do: [ { id: told, set: "${{ error.type }}" } ] } }
          - id: letters
            parallel:
              branches:
                post:
                  - { id: other, emit: { event: letter, run: "${{ run.id }}", data: { k: -1 } } }
                  - { id: tell, emit: { event: letter, run: "${{ run.id }}", data: { k: "${{ input.n }}" } } }
                box: [ { id: hear, await: { event: letter, match: event.k == input.n }, output: "${{ event.k }}" } ]
              output: ${{ branches.box.hear.output }}
          - id: news
            parallel:
              branches:
                press: [ { id: tell, emit: { event: news, key: "${{ run.id }}", data: { k: 5 } } } ]
                one: [ { id: hear, await: { event: news, key: "${{ run.id }}", consume: broadcast }, output: "${{ event.k }}" } ]
                two: [ { id: hear, await: { event: news, key: "${{ run.id }}", consume: broadcast }, output: "${{ event.k }}" } ]
              output: ${{ branches.one.hear.output + branches.two.hear.output }}
          - { id: past, sleep: { until: "${{ string(run.startedAt) }}" } }
        output:
          silent: ${{ steps.silent.output == null }}
          any: ${{ steps.any.output }}
          total: ${{ steps.total.output }}
          letter: ${{ steps.letters.output }}
          news: ${{ steps.news.output }}
        """
    }

    // Whoever sends it knows only the run's label, which is that of a run in the other namespace, too.
    private static func mail(_ places: AgentPlaces) -> String {
        """
        workflow: mix-mail
        \(places.head)steps:
          - id: both
            parallel:
              branches:
                one:
                  - id: hear
                    await: { event: \(Workload.letter), key: "${{ input.label }}", consume: broadcast, lookback: 1h }
                    output: ${{ event.k }}
                two:
                  - { id: ask, agent: loom, with: { n: "${{ input.n }}" } }
                  - id: hear
                    await: { event: \(Workload.letter), key: "${{ input.label }}", consume: broadcast, lookback: 1h }
                    output: ${{ event.k }}
              output: ${{ branches.one.hear.output + branches.two.hear.output + branches.two.ask.output.value }}
        output: ${{ steps.both.output }}
        """
    }

    private static func clock(_ places: AgentPlaces) -> String {
        """
        workflow: mix-clock
        \(places.head)states:
          initial: idle
          maxTransitions: 20
          unexpected: reject
          idle: { after: { 300ms: { to: asking } } }
          asking:
            do: [ { id: work, agent: loom, with: { n: "${{ input.n }}" } } ]
            next: [ { if: "${{ steps.work.output.value % 2 == 0 }}", to: even }, { to: waiting } ]
          waiting: { on: { \(Workload.never): { to: broken } }, after: { 200ms: [ { to: odd } ] } }
          even: { final: true, output: even }
          odd: { final: true, output: odd }
          broken: { final: failed }
        """
    }
}
