// The workers of a simulated run: careless, mortal, and sometimes late.

import Engine
import Simulation
import WorkflowModel

/// What workers, operators and coordinators of this run are like, in percent.
struct Temper {
    // Of 200 actions, how many begin a pause.
    var pause = 0
    var failure = 0
    var loss = 0
    var release = 0
    var cancel = 0
    var crash = 0
    var forgetting = 0
    var wrongAnswer = 0
    var adjustment = 0
    // Whether only such failures happen as the step's policy still answers with another attempt.
    var isFaultless = false
}

struct Workers {
    var random: SeededGenerator
    var temper: Temper
    /// Leases that were given up or lost, and whose workers do not know it.
    var stale: [ModelStore.Lease] = []

    mutating func claim(_ node: StepPath, in store: inout ModelStore) {
        _ = store.claim(node, session: Int64(1 + random.below(3)))
    }

    mutating func settle(_ node: StepPath, in store: inout ModelStore) {
        guard let row = store.tasks[node], let lease = row.lease else { return }
        let draw = random.below(100)
        // In a faultless run a sixth lost worker would be a failure for good.
        if draw < temper.loss, !temper.isFaultless || row.losses < EngineDefaults.lossLimit {
            stale.append(lease)
            store.reap(node)
        } else if draw < temper.loss + temper.release {
            stale.append(lease)
            store.settle(lease, random.chance(80) ? .released : .cancelled)
        } else if random.chance(temper.failure), let failure = failure(of: row, store.program) {
            store.settle(lease, failure.type == .timeout ? .timedOut : .failed, failure: failure)
        } else {
            let answer =
                random.chance(temper.wrongAnswer)
                ? JSONText("wrong") : JSONText(DeterministicAgent.answer(node, row.input.value))
            store.settle(lease, .succeeded, output: answer)
        }
        // The report is sent twice, or by two workers that both believe they hold the lease.
        if random.chance(10) { store.settle(lease, .failed, failure: Failure(type: .exit, message: "the second report")) }
    }

    private mutating func failure(of row: ModelStore.TaskRow, _ program: Program) -> Failure? {
        let types: [FailureType] = [.timeout, .connect, .serverError, .rateLimited, .clientError, .exit, .protocolError, .tls, .custom]
        var failure = Failure(type: random.pick(types), message: "no")
        if random.chance(15) { failure.code = "E_BUSY" }
        if random.chance(15) { failure.retryAfter = .milliseconds(random.pick([0, 10, 5000, 100_000_000])) }
        guard temper.isFaultless else { return failure }
        // Only what the policy still answers with another attempt.
        let policy = program.nodes[row.node].retry.entries
        guard let index = ModelStore.retryIndex(policy, for: failure) else { return nil }
        let used = index < row.retryCounts.count ? row.retryCounts[index] : 0
        return used + 1 < policy[index].maxAttempts ? failure : nil
    }

    /// A sub-workflow ends, somehow.
    mutating func endChild(_ path: StepPath, in store: inout ModelStore) {
        guard let child = store.children[path], child.ending == nil else { return }
        if child.isCancelled, random.chance(70) {
            return store.endChild(path, .cancelled, failure: Failure(type: .cancelled, message: "the run was cancelled"))
        }
        if !temper.isFaultless, random.chance(temper.failure) {
            let inner = random.chance(50) ? StepPath("inner[3].x") : nil
            let failure = Failure(type: random.pick([.serverError, .clientError, .custom, .timeout]), message: "no", path: inner)
            return store.endChild(path, random.pick([.failed, .timedOut]), failure: failure)
        }
        store.endChild(path, .succeeded, output: DeterministicAgent.answer(path, child.start.input.value))
    }

    // Workers wait for no run's lock, only for the rows that the fold has locked.
    mutating func workMeanwhile(_ store: inout ModelStore, _ locked: Set<StepPath>) {
        let leased = store.leased.filter { !locked.contains($0) }
        let claimable = store.claimable.filter { !locked.contains($0) }
        if !leased.isEmpty, random.chance(50) {
            settle(random.pick(leased), in: &store)
        } else if !claimable.isEmpty {
            claim(random.pick(claimable), in: &store)
        }
    }
}
