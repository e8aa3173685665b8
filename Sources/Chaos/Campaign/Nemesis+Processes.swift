// Harm to coordinators and workers.

import Foundation

extension Nemesis {
    func kill(_ processes: [ServerProcess], sparing: Int = 0, _ fault: Fault, _ generator: inout SeededGenerator) async {
        guard let process = pick(processes, sparing: sparing, &generator) else { return }
        let down = Self.restartDelay(&generator)
        note(fault, process.name, process.processID)
        process.send(SIGKILL)
        if await ended(process, within: .seconds(10)) == nil { complain("\(process.name) survived SIGKILL") }
        await restart(process, fault, after: down)
    }

    func drain(_ processes: [ServerProcess], sparing: Int = 0, _ fault: Fault, _ generator: inout SeededGenerator) async {
        guard let process = pick(processes, sparing: sparing, &generator) else { return }
        let down = Self.restartDelay(&generator)
        note(fault, process.name, process.processID)
        process.send(SIGTERM)
        // A worker may wait for its calls; a database that is away at this moment makes a drain end otherwise than with 0.
        if await ended(process, within: .seconds(60)) == nil {
            complain("\(process.name) did not end within 60 s of SIGTERM")
            process.send(SIGKILL)
            _ = await ended(process, within: .seconds(10))
        }
        await restart(process, fault, after: down)
    }

    private static func restartDelay(_ generator: inout SeededGenerator) -> Duration {
        Bool.random(using: &generator) ? .zero : .milliseconds(Int.random(in: 0...2000, using: &generator))
    }

    private func restart(_ process: ServerProcess, _ fault: Fault, after delay: Duration) async {
        await pass(delay)
        do { try process.start() } catch { complain("\(process.name) could not be started: \(error)") }
        healed(fault, process.name)
        release(process)
    }

    // Waits for the end of a process in the face of cancellation.
    private func ended(_ process: ServerProcess, within deadline: Duration) async -> ProcessEnding? {
        await Task.detached { try? await process.ending(within: deadline) }.value
    }

    /// Stands still for a while, whatever comes of it.
    func stop(_ processes: [ServerProcess], _ fault: Fault, _ generator: inout SeededGenerator) async {
        guard let process = pick(processes, &generator) else { return }
        note(fault, process.name, process.processID)
        process.send(SIGSTOP)
        await pass(.milliseconds(Int.random(in: 200...6000, using: &generator)))
        process.send(SIGCONT)
        healed(fault, process.name)
        release(process)
    }

    private static let longestStop: Duration = .seconds(12)

    // A late result is most dangerous while another worker holds the task: so that is the moment when the stopped one goes on.
    func stopPastLease(_ generator: inout SeededGenerator) async {
        guard let worker = pick(workers(&generator), sparing: 1, &generator) else { return }
        note(.stopWorker, worker.name, worker.processID)
        let open = agent.tally.openCalls
        worker.send(SIGSTOP)
        let (log, lease) = (agent.tally, campaign.lease)
        await pass(lease)
        await Task.detached {
            let end = ContinuousClock.now + Self.longestStop
            while ContinuousClock.now < end, !log.isWithOthers(open) { try? await Task.sleep(for: .milliseconds(10)) }
        }.value
        worker.send(SIGCONT)
        healed(.stopWorker, worker.name)
        // It has a moment to report what it finished meanwhile, before anything else may happen to it.
        await pass(.seconds(2))
        release(worker)
    }
}
