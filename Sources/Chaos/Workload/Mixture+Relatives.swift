// Workflows of the mixture: how blocks and runs end, and the runs that they start.

import WorkflowModel

extension Mixture {
    /// Blocks that fail and are tidied up, and runs that do not succeed and are followed by others.
    static func endings(_ places: AgentPlaces) -> [WorkflowKind] {
        let alarm = WorkflowKind.helping("mix-alarm", "workflow: mix-alarm\nsteps: [ { id: told, set: \"${{ input.reason }}\" } ]")
        var failing = WorkflowKind(name: "mix-fails", source: failing(places))
        failing.ending = { _ in Ending("failed") }
        failing.followers = ["failed": [Follower(workflow: alarm.name, output: "E_PLANNED")]]
        var late = WorkflowKind(name: "mix-late", source: late(places))
        late.ending = { _ in Ending("timed_out") }
        late.followers = ["timed_out": [Follower(workflow: alarm.name, output: "timeout")]]
        var endless = WorkflowKind(name: "mix-endless", source: endless(places))
        endless.ending = { _ in Ending("cancelled") }
        endless.isCancelled = true
        endless.followers = ["cancelled": [Follower(workflow: alarm.name, output: "tidy up")]]
        return [
            alarm, failing, late, endless,
            .succeeding("mix-finally", finally(places)) { _ in ["code": "E_BODY", "heard": 7, "net": "4xx"] },
        ]
    }

    private static func failing(_ places: AgentPlaces) -> String {
        """
        workflow: mix-fails
        \(places.head)steps:
          - { id: ask, agent: loom, with: { n: "${{ input.n }}" } }
          - { id: stop, fail: { message: "as it must be with ${{ steps.ask.output.value }}", code: E_PLANNED } }
        onFailure:
          - { workflow: mix-alarm, with: { reason: "${{ error.code }}" }, if: error.type != 'timeout' }
          - { workflow: mix-alarm, with: { reason: never }, if: error.type == 'timeout' }
        """
    }

    private static func late(_ places: AgentPlaces) -> String {
        """
        workflow: mix-late
        timeout: 4s
        steps: [ { id: wait, await: \(Workload.never) } ]
        onFailure: [ { workflow: mix-alarm, with: { reason: "${{ error.type }}" } } ]
        """
    }

    private static func endless(_ places: AgentPlaces) -> String {
        """
        workflow: mix-endless
        \(places.head)steps:
          - { id: first, agent: loom, with: { n: "${{ input.n }}" } }
          - { id: wait, await: \(Workload.never) }
        onCancel: [ { workflow: mix-alarm, with: { reason: tidy up } } ]
        """
    }

    // That the last step of the first block has run is known from the event that it sends.
    private static func finally(_ places: AgentPlaces) -> String {
        """
        workflow: mix-finally
        \(places.head)steps:
          - id: body
            do:
              - { id: stop, fail: { message: on purpose, code: E_BODY } }
              - { id: passed, set: 1 }
              - { id: mend, when: failure, agent: loom, with: { n: 3 } }
              - { id: tidy, when: always, emit: { event: tidied, run: "${{ run.id }}", data: { k: 7 } } }
            onError: { do: [ { id: told, set: "${{ error.code }}" } ] }
          - { id: heard, await: tidied, output: "${{ event.k }}" }
          - id: net
            do:
              graph:
                - { id: refused, agent: loom, with: { n: 0, refuse: true } }
                - { id: mend, needs: [refused], when: failure, agent: loom, with: { n: 4 } }
                - { id: after, needs: [refused, mend], when: always, agent: loom, with: { n: 5 } }
            onError: { do: [ { id: told, set: "${{ error.type }}" } ] }
        output: { code: "${{ steps.body.output }}", heard: "${{ steps.heard.output }}", net: "${{ steps.net.output }}" }
        """
    }

    /// Sub-workflows that are not waited for, that fail and are tried again, that call themselves, and that change while others use them.
    static func relatives(_ places: AgentPlaces) -> [WorkflowKind] {
        var parent = WorkflowKind.succeeding("mix-offspring", offspring) { number in
            ["told": "E_REFUSED", "sum": int((0...number % 3).reduce(0) { $0 + value($1) })]
        }
        parent.children = [
            "detached": Children(statuses: ["succeeded"], isAwaited: false), "follower": Children(statuses: ["cancelled"], isAwaited: false),
            "tries": Children(statuses: ["failed", "failed"]), "nested": Children(statuses: ["succeeded"]),
        ]
        var edition = WorkflowKind(name: editionName, source: self.edition(0, places.url))
        edition.ending = { Ending("succeeded", ["value": int(value($0))]) }
        edition.hasEditions = true
        return [
            .helping("mix-waiter", "workflow: mix-waiter\nsteps: [ { id: wait, await: \(Workload.never) } ]"),
            .helping("mix-refuser", "workflow: mix-refuser\nsteps: [ { id: stop, fail: { message: on purpose, code: E_REFUSED } } ]"),
            .helping("mix-recursion", recursion(places)),
            parent, edition,
            .succeeding("mix-readers", readers) { _ in true },
        ]
    }

    private static let offspring = """
        workflow: mix-offspring
        steps:
          - { id: detached, workflow: mix-child, with: { n: "${{ input.n }}" }, wait: false, onParentEnd: abandon }
          - { id: follower, workflow: mix-waiter, wait: false, onParentEnd: cancel }
          - id: tries
            workflow: mix-refuser
            retry: { maxAttempts: 2, on: [custom], delay: 100ms }
            onError: { do: [ { id: told, set: "${{ error.code }}" } ] }
          - { id: nested, workflow: mix-recursion, with: { n: "${{ input.n % 3 }}" } }
        output: { told: "${{ steps.tries.output }}", sum: "${{ steps.nested.output }}" }
        """

    private static func recursion(_ places: AgentPlaces) -> String {
        """
        workflow: mix-recursion
        \(places.head)steps:
          - { id: ask, agent: loom, with: { n: "${{ input.n }}" } }
          - { id: below, if: input.n > 0, workflow: mix-recursion, with: { n: "${{ input.n - 1 }}" } }
        output: "${{ steps.ask.output.value + (input.n > 0 ? steps.below.output : 0) }}"
        """
    }

    // MARK: Editions

    /// The workflow that is changed while its runs are under way.
    static let editionName = "mix-edition"

    /// One of its editions: what it answers names it.
    static func edition(_ number: Int, _ agent: String) -> String {
        let file: JSONValue = [
            "workflow": .string(editionName), "agents": ["loom": ["kind": "http", "url": .string(agent)]],
            "steps": [["id": "ask", "agent": "loom", "with": ["n": "${{ input.n }}"]]],
            "output": ["edition": int(number), "value": "${{ steps.ask.output.value }}"],
        ]
        return file.compactText
    }

    // A run uses the editions that there were when it was started, however long it takes.
    private static let readers = """
        workflow: mix-readers
        steps:
          - { id: early, workflow: \(editionName), with: { n: 1 } }
          - { id: nap, sleep: 800ms }
          - { id: late, workflow: \(editionName), with: { n: 2 } }
        output: ${{ steps.early.output.edition == steps.late.output.edition }}
        """
}
