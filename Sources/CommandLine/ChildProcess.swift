// A program that `skein dev` runs beside itself.

import EmbeddedPostgres
import Foundation
import Synchronization

/// A running child. It leads a process group of its own, and the kernel kills it when this process dies.
final class ChildProcess: Sendable {
    let name: String
    let startedAt = ContinuousClock.now
    private let process: Process

    private init(name: String, process: Process) {
        self.name = name
        self.process = process
    }

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - name: what it is called in notices.
    ///   - log: the file that its standard error and output are appended to.
    ///   - onReady: called with its first line on standard output, which is how our programs say that they are ready.
    ///   - onExit: called when it has ended, with a few words that say how.
    static func start(
        _ name: String, program: URL, arguments: [String], environment: [String: String], log: URL,
        onReady: @escaping @Sendable (String) -> Void, onExit: @escaping @Sendable (String) -> Void
    ) throws -> ChildProcess {
        let descriptor = open(log.plainPath, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw CommandFailure(.unexpected, "\(log.plainPath) cannot be written: \(String(cString: strerror(errno)))")
        }
        let output = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        let process = Process()
        // KILL: what a worker was at is taken up by another one, that is the point of the product; what must not happen is a stray.
        (process.executableURL, process.arguments) = SpawningThread.command(program, arguments, signalOnParentDeath: "KILL")
        process.environment = environment
        process.standardInput = FileHandle.nullDevice
        process.standardError = output
        let pipe = Pipe()
        process.standardOutput = pipe
        let firstLine = FirstLine()
        pipe.fileHandleForReading.readabilityHandler = { handle in
            let data = handle.availableData
            if data.isEmpty {
                handle.readabilityHandler = nil
                return
            }
            try? output.write(contentsOf: data)
            if let line = firstLine.add(data) { onReady(line) }
        }
        process.terminationHandler = { process in
            switch process.terminationReason {
            case .exit: onExit("exit code \(process.terminationStatus)")
            case .uncaughtSignal: onExit("signal \(process.terminationStatus)")
            @unknown default: onExit("status \(process.terminationStatus)")
            }
        }
        let child = ChildProcess(name: name, process: process)
        do {
            try SpawningThread.start(process)
        } catch {
            throw CommandFailure(.unexpected, "\(program.plainPath) cannot be started: \(error.localizedDescription)")
        }
        return child
    }

    var processID: Int32 { process.processIdentifier }
    var isRunning: Bool { process.isRunning }

    func send(_ signal: Int32) {
        if process.isRunning { kill(process.processIdentifier, signal) }
    }

    /// Kills it and everything that it has started: a worker's calls of local programs lead process groups of their own.
    func killTree() {
        guard process.isRunning else { return }
        let below = Self.descendants(of: process.processIdentifier)
        // The child first, so that it starts nothing more.
        kill(process.processIdentifier, SIGKILL)
        for descendant in below { kill(descendant, SIGKILL) }
    }

    // From /proc, where there is one: the parent is the second word behind the name in parentheses, which may hold anything.
    private static func descendants(of root: Int32) -> [Int32] {
        var children: [Int32: [Int32]] = [:]
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
            guard let processID = Int32(name), let status = try? String(contentsOfFile: "/proc/\(name)/stat", encoding: .utf8),
                let end = status.lastIndex(of: ")"),
                let parent = status[end...].split(separator: " ").dropFirst(2).first.flatMap({ Int32($0) })
            else { continue }
            children[parent, default: []].append(processID)
        }
        var found: [Int32] = []
        var open = [root]
        while let next = open.popLast() {
            let below = children[next] ?? []
            found += below
            open += below
        }
        return found
    }

    // The first complete line, once.
    private final class FirstLine: Sendable {
        private let text = Mutex<[UInt8]?>([])

        func add(_ data: Data) -> String? {
            text.withLock { text in
                guard var bytes = text else { return nil }
                bytes += data
                guard let end = bytes.firstIndex(of: 0x0A) else {
                    text = bytes
                    return nil
                }
                text = nil
                return String(decoding: bytes[..<end], as: UTF8.self)
            }
        }
    }

    /// The last lines of a log.
    static func tail(of log: URL, lines: Int = 12) -> [String] {
        guard let file = try? FileHandle(forReadingFrom: log) else { return [] }
        defer { try? file.close() }
        let size = (try? file.seekToEnd()) ?? 0
        try? file.seek(toOffset: size > 16_384 ? size - 16_384 : 0)
        let text = String(decoding: (try? file.readToEnd()) ?? Data(), as: UTF8.self)
        return text.split(separator: "\n").suffix(lines).map { Console.printable(String($0)) }
    }
}

/// Blocking work, on a thread that may block.
enum Blocking {
    static func run<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Swift.Result { try work() }) }
        }
    }
}

/// Ports of the loopback interface.
enum LoopbackPort {
    /// How many ports after the wanted one are tried.
    static let tries = 100

    /// The wanted port, or the next free one; 0 gives any.
    static func free(from wanted: Int) throws -> Int {
        for port in wanted..<(wanted + tries) where port <= 65_535 {
            if let found = bind(port) { return found }
        }
        throw CommandFailure(.unexpected, "no port from \(wanted) on is free", fix: "give another with --port, or --port 0 for any")
    }

    private static func bind(_ port: Int) -> Int? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        // As the server does it: connections of an earlier life that linger are no obstacle.
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                Foundation.bind(descriptor, generic, length) == 0 && listen(descriptor, 1) == 0
                    && getsockname(descriptor, generic, &length) == 0
            }
        }
        return isBound ? Int(UInt16(bigEndian: address.sin_port)) : nil
    }
}
