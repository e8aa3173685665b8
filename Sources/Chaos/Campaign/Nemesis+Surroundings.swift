// Harm to what lies between the processes, and around them.

import Foundation
import NIOCore

extension Nemesis {
    private func proxy(_ generator: inout SeededGenerator) -> (name: String, proxy: DatabaseProxy)? {
        surroundings.proxies.randomElement(using: &generator)
    }

    /// The next few answers are lost. It is a fault once one of them was.
    func loseCommits(_ generator: inout SeededGenerator) async {
        guard let (name, proxy) = proxy(&generator) else { return }
        let count = Int.random(in: 1...4, using: &generator)
        let wait = Int.random(in: 0...9, using: &generator) == 0 ? 8000 : Int.random(in: 0...1500, using: &generator)
        let before = proxy.lost
        proxy.loseAnswers(count, wait: .milliseconds(Int64(wait)))
        let end = ContinuousClock.now + .seconds(3)
        await Task.detached {
            while ContinuousClock.now < end, proxy.withState({ $0.answersToLose }) > 0 { try? await Task.sleep(for: .milliseconds(20)) }
        }.value
        proxy.loseAnswers(0, wait: .zero)
        let after = proxy.lost
        for _ in 0..<(after.commits + after.statements - before.commits - before.statements) { note(.loseCommits, name) }
    }

    func cutConnections(_ generator: inout SeededGenerator) async {
        guard let (name, proxy) = proxy(&generator) else { return }
        note(.cutConnections, name)
        proxy.cut(Bool.random(using: &generator) ? 1 : 0.3)
    }

    /// Nothing gets through for a while, in one direction or in both. In the end all of it does, or the connections are gone.
    func fallSilent(_ generator: inout SeededGenerator) async {
        guard let (name, proxy) = proxy(&generator) else { return }
        let silence: DatabaseProxy.Silence = [.complete, .answers, .requests].randomElement(using: &generator) ?? .complete
        let isCut = Bool.random(using: &generator)
        note(.silence, name)
        proxy.fallSilent(silence)
        await pass(.milliseconds(Int.random(in: 300...6000, using: &generator)))
        if isCut { proxy.cut() }
        proxy.fallSilent([])
        healed(.silence, name)
    }

    func delay(_ generator: inout SeededGenerator) async {
        guard let (name, proxy) = proxy(&generator) else { return }
        note(.delay, name)
        proxy.setDelay(.milliseconds(Int64.random(in: 10...200, using: &generator)))
        await pass(.milliseconds(Int.random(in: 1000...6000, using: &generator)))
        proxy.setDelay(.zero)
        healed(.delay, name)
    }

    /// Everybody's, so that nothing is woken and whoever waits has to look by itself.
    func muteNotifications(_ generator: inout SeededGenerator) async {
        let proxies = surroundings.proxies.map(\.proxy)
        note(.muteNotifications)
        for proxy in proxies { proxy.setMute(true) }
        await pass(.milliseconds(Int.random(in: 2000...8000, using: &generator)))
        for proxy in proxies { proxy.setMute(false) }
        healed(.muteNotifications)
    }

    func cutNetwork(_ generator: inout SeededGenerator) async {
        guard let network = surroundings.network else { return }
        note(.cutNetwork)
        do {
            try network.cut(true)
            await pass(.milliseconds(Int.random(in: 300...7000, using: &generator)))
            try network.cut(false)
        } catch {
            complain("the network could not be cut: \(error)")
        }
        healed(.cutNetwork)
    }

    private static let jumps = [-7200, -300, -3, 5, 60, 3600, 86_400]

    func jumpClock(_ generator: inout SeededGenerator) async {
        guard let (name, clock) = surroundings.clocks.randomElement(using: &generator) else { return }
        do {
            note(.jumpClock, name)
            try clock.set(Self.jumps.randomElement(using: &generator) ?? 0)
            await pass(.milliseconds(Int.random(in: 3000...12_000, using: &generator)))
            try clock.set(0)
            healed(.jumpClock, name)
        } catch {
            complain("the clock of \(name) could not be set: \(error)")
        }
    }

    /// The server can write nothing for a while, not even its log of changes: it gives up, and is started again when there is room.
    func fillDisk(_ generator: inout SeededGenerator) async {
        guard let disk = surroundings.disk else { return }
        let time = Duration.milliseconds(Int.random(in: 300...3000, using: &generator))
        await withServer {
            note(.fillDisk)
            await Task.detached { disk.fill() }.value
            await pass(time)
            disk.free()
            await reviveDatabase()
            healed(.fillDisk)
        }
    }
}
