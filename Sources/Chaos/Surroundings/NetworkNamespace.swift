// A network namespace with one cable to the rest of the machine, which can be pulled. Takes root.

import Foundation

/// Lives as long as its owner; what a campaign that was killed has left behind goes with the next one.
final class NetworkNamespace: Sendable {
    private let name: String
    private let cable: String
    /// The address of the rest of the machine, as seen from inside.
    let host: String

    private static let prefix = "skein-chaos-"

    init() throws {
        guard geteuid() == 0 else { throw HarnessError("takes root") }
        Self.removeLeftovers()
        let process = getpid()
        name = "\(Self.prefix)\(process)"
        cable = "skein\(process)"
        let net = "10.213.\(process % 254)"
        // An address of its own, because those of a cable go with it when it is pulled.
        host = "10.214.\(process % 254).1"
        do {
            for command in [
                "netns add \(name)", "link add \(cable) type veth peer name inside netns \(name)", "addr add \(net).1/24 dev \(cable)",
                "addr add \(host)/32 dev lo", "link set \(cable) up", "-n \(name) addr add \(net).2/24 dev inside", "-n \(name) link set inside up",
                "-n \(name) link set lo up", "-n \(name) route add default via \(net).1",
            ] { try Tool.run(["ip"] + command.split(separator: " ").map(String.init)) }
        } catch {
            remove()
            throw error
        }
    }

    /// The command line that runs another one inside.
    var launcher: [String] { [Tool.find("ip")?.path(percentEncoded: false) ?? "ip", "netns", "exec", name] }

    /// Pulls the cable, or plugs it in again.
    func cut(_ isCut: Bool) throws { try Tool.run(["ip", "link", "set", cable, isCut ? "down" : "up"]) }

    func remove() {
        // The cable goes with it, and with the cable its other end.
        try? Tool.run(["ip", "netns", "delete", name])
        try? Tool.run(["ip", "link", "delete", cable])
        try? Tool.run(["ip", "addr", "delete", "\(host)/32", "dev", "lo"])
    }

    private static func removeLeftovers() {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/run/netns")) ?? [] where name.hasPrefix(prefix) {
            guard let owner = Int32(name.dropFirst(prefix.count)), kill(owner, 0) != 0, errno == ESRCH else { continue }
            try? Tool.run(["ip", "netns", "delete", name])
            try? Tool.run(["ip", "addr", "delete", "10.214.\(owner % 254).1/32", "dev", "lo"])
        }
    }
}
