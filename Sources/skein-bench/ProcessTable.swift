// CPU and memory of processes, as the kernel counts them.

import Foundation

struct ProcessTable {
    private struct Entry {
        let parent: Int32
        // Own time, and that of children that have ended and were waited for.
        let own: Double
        let ended: Double
    }

    private var entries: [Int32: Entry] = [:]

    static func read() -> ProcessTable {
        var table = ProcessTable()
        let tick = Double(sysconf(Int32(_SC_CLK_TCK)))
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
            guard let id = Int32(name), let text = try? String(contentsOfFile: "/proc/\(name)/stat", encoding: .utf8),
                let end = text.lastIndex(of: ")")
            else { continue }
            let fields = text[text.index(after: end)...].split(separator: " ")
            guard fields.count > 14, let parent = Int32(fields[1]) else { continue }
            let times = (11...14).map { (Double(fields[$0]) ?? 0) / tick }
            table.entries[id] = Entry(parent: parent, own: times[0] + times[1], ended: times[2] + times[3])
        }
        return table
    }

    func seconds(of id: Int32) -> Double { entries[id]?.own ?? 0 }

    /// A server and all its backends, those that have ended included.
    func treeSeconds(of root: Int32) -> Double {
        guard let entry = entries[root] else { return 0 }
        return entry.own + entry.ended + entries.values.filter { $0.parent == root }.reduce(0) { $0 + $1.own }
    }

    /// The time that the cores were not idle since the machine's start.
    static func machineSeconds() -> Double {
        let text = (try? String(contentsOfFile: "/proc/stat", encoding: .utf8)) ?? ""
        // user, nice, system, idle, iowait, irq, softirq, steal
        let fields = text.prefix { $0 != "\n" }.split(separator: " ").dropFirst().prefix(8).map { Double($0) ?? 0 }
        return fields.enumerated().reduce(0) { $0 + ($1.offset == 3 || $1.offset == 4 ? 0 : $1.element) } / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// The time that all threads of a process have run, to the nanosecond. Threads that have ended are not in it.
    static func fineSeconds(of id: Int32) -> Double {
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(id)/task")) ?? []
        let nanoseconds = threads.reduce(0.0) { sum, thread in
            let text = (try? String(contentsOfFile: "/proc/\(id)/task/\(thread)/schedstat", encoding: .utf8)) ?? ""
            return sum + (text.split(separator: " ").first.flatMap { Double($0) } ?? 0)
        }
        return nanoseconds / 1e9
    }

    static func residentMebibytes(of id: Int32) -> Double { statusMebibytes(of: id, "VmRSS:") }

    /// The most that was resident since the process began, or since `forgetPeak`.
    static func peakMebibytes(of id: Int32) -> Double { statusMebibytes(of: id, "VmHWM:") }

    static func forgetPeak(of id: Int32) { try? "5".write(toFile: "/proc/\(id)/clear_refs", atomically: false, encoding: .utf8) }

    private static func statusMebibytes(of id: Int32, _ key: String) -> Double {
        let status = (try? String(contentsOfFile: "/proc/\(id)/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix(key) } ?? ""
        return (line.split(separator: " ").dropFirst().first.flatMap { Double($0) } ?? 0) / 1024
    }
}
