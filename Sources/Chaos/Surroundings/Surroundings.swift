// Everything around the processes of a campaign that can be harmed: their links to the database, a network, clocks, a disk.

import Foundation
import Synchronization
import WorkflowModel

/// What there is depends on the machine; what there is not is said, and why.
final class Surroundings: Sendable {
    /// The kinds of faults that cannot strike here, and why.
    let impossible: [Fault: String]
    let disk: SmallDisk?
    let network: NetworkNamespace?
    /// The agents' address: one that all processes can reach.
    var agentHost: String { network?.host ?? "127.0.0.1" }
    private let directory: URL
    private let faults: Set<Fault>
    private let items = Mutex(Items())

    private struct Items {
        var proxies: [String: DatabaseProxy] = [:]
        var clocks: [String: FakeClock] = [:]
    }

    /// How large the database's disk is.
    private static let diskMebibytes = 3072

    init(_ faults: Set<Fault>, in directory: URL) {
        self.directory = directory
        self.faults = faults
        var impossible: [Fault: String] = [:]
        func tried<T>(_ fault: Fault, _ make: () throws -> T) -> T? {
            guard faults.contains(fault) else { return nil }
            do { return try make() } catch {
                impossible[fault] = "\(error)"
                return nil
            }
        }
        disk = tried(.fillDisk) { try SmallDisk(at: directory.appending(path: "postgres"), mebibytes: Self.diskMebibytes) }
        network = tried(.cutNetwork) { try NetworkNamespace() }
        _ = tried(.jumpClock) { try FakeClock("try", in: directory) }
        self.impossible = impossible
    }

    /// What a process needs in order to live here.
    struct Home: Sendable {
        var settings: [String: String]
        var launcher: [String] = []
    }

    /// - Parameters:
    ///   - isApart: it lives in the namespace, if there is one.
    ///   - hasClock: its clock can jump, if any can.
    func home(_ name: String, server: OwnServer, isApart: Bool, hasClock: Bool) async throws -> Home {
        let host = isApart ? network?.host ?? "127.0.0.1" : "127.0.0.1"
        let socket = server.socketDirectory.appending(path: ".s.PGSQL.5432").path(percentEncoded: false)
        let proxy = try await DatabaseProxy.start(host: host, socket: socket)
        let clock = hasClock && faults.contains(.jumpClock) && impossible[.jumpClock] == nil ? try FakeClock(name, in: directory) : nil
        items.withLock { items in
            items.proxies[name] = proxy
            items.clocks[name] = clock
        }
        var home = Home(settings: ["SKEIN_DATABASE_URL": "postgresql://postgres@\(host):\(proxy.port)/postgres"])
        if let clock { home.settings.merge(clock.environment) { $1 } }
        if isApart, let network { home.launcher = network.launcher }
        return home
    }

    var proxies: [(name: String, proxy: DatabaseProxy)] {
        items.withLock { $0.proxies.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } }
    }
    var clocks: [(name: String, clock: FakeClock)] { items.withLock { $0.clocks.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } } }

    /// What was lost on the way.
    func record(_ recorder: Recorder) {
        let proxies = proxies.map(\.proxy)
        recorder.write(
            "lost",
            [
                "answers_to_commits": .int(Int64(proxies.reduce(0) { $0 + $1.lost.commits })),
                "answers_to_batches": .int(Int64(proxies.reduce(0) { $0 + $1.lost.statements })),
                "notifications": .int(Int64(proxies.reduce(0) { $0 + $1.mutedNotifications })),
            ])
    }

    func remove() {
        network?.remove()
        disk?.unmount()
    }
}
