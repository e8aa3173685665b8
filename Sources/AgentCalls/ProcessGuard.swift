// The processes of exec agents must not outlive their worker, however it ends. A second process, the guard, watches the worker and ends
// what it has left behind.
//
// Only somebody else can do that after SIGKILL. What the kernel offers is not enough: the parent-death signal (PR_SET_PDEATHSIG) reaches
// the process that the worker has started and nobody below it, fires when the *thread* that started it ends, and is lost at a change of
// user. A wrapper around each call could end the whole group, but costs a second process for each call.
//
// The guard reads from a socket whose other end only the worker holds: it closes when the worker is gone, whatever took it away. Then
// the guard ends every process that carries the worker's mark. The mark is a variable of the environment, set for each process of an agent
// and inherited by what that starts, so it also reaches those that have left their process group or session; the process groups of
// those marked are ended with them, which reaches those that have cleared their environment. There is nothing to register, so there is no
// moment at which a process is there and not known.
import Synchronization
import WorkflowModel

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What the guard process does.
public enum ProcessGuard {
    /// The variable that carries the mark. Agents may not set variables that begin with `SKEIN_`.
    static let variable = "SKEIN_WORKER_MARK"
    private static let markLength = 32
    /// How often the processes are looked through at most, and how often in a row without finding one is enough. A process that was being
    /// started at the moment when the worker died may need a moment to be seen.
    private static let mostSweeps = 100
    private static let quietSweeps = 3
    private static let pauseMicroseconds: useconds_t = 20_000

    /// Waits until standard input closes, then ends every process that carries the mark which is its first line.
    ///
    /// This is the whole life of a guard process. Polite signals do not end it: those that a service manager sends to all
    /// processes of a worker must not take the guard away before the worker.
    public static func watch() {
        for number in [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE] { signal(number, SIG_IGN) }
        _ = chdir("/")
        var line: [UInt8] = []
        var isComplete = false
        var buffer = [UInt8](repeating: 0, count: 256)
        while true {
            let count = read(STDIN_FILENO, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            guard !isComplete else { continue }
            let piece = buffer.prefix(count)
            line += piece.prefix { $0 != 0x0A }
            isComplete = piece.contains(0x0A) || line.count > markLength
        }
        // Without a mark of ours there is nothing that could be recognised.
        guard isComplete, line.count == markLength, line.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }) else {
            return
        }
        endAll(markedWith: line)
    }

    private static func endAll(markedWith mark: [UInt8]) {
        let needle = Array("\(variable)=".utf8) + mark
        var quiet = 0
        for _ in 0..<mostSweeps {
            let marked = Set(processes().filter { carries(needle, $0) })
            quiet = marked.isEmpty ? quiet + 1 : 0
            if quiet == quietSweeps { return }
            for process in marked {
                let group = getpgid(process)
                // A group is ended when an agent leads it: marked, or already gone.
                if group > 1, group != getpgrp(), marked.contains(group) || kill(group, 0) != 0 { kill(-group, SIGKILL) }
                kill(process, SIGKILL)
            }
            usleep(pauseMicroseconds)
        }
    }

    // Linux shows processes as directories. Elsewhere there are none, and the guard finds nothing.
    private static func processes() -> [pid_t] {
        guard let directory = opendir("/proc") else { return [] }
        defer { closedir(directory) }
        var found: [pid_t] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }
            if let process = pid_t(name), process > 1, process != getpid() { found.append(process) }
        }
        return found
    }

    // The environment that the process was started with; a zombie has none.
    private static func carries(_ needle: [UInt8], _ process: pid_t) -> Bool {
        let file = open("/proc/\(process)/environ", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return false }
        defer { close(file) }
        var environment: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(file, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            environment += buffer.prefix(count)
        }
        return environment.split(separator: 0).contains { $0.elementsEqual(needle) }
    }
}

/// The worker's side: keeps one guard process running while there are exec calls.
final class GuardKeeper: Sendable {
    private struct State {
        var process: pid_t = 0
        /// The end of the socket that is never written to after the mark. It closes with this process.
        var link: CInt = -1
        var mark = ""
    }

    private let arguments: [String]?
    private let state = Mutex(State())

    /// A keeper that starts this program again with these arguments; nil keeps no guard.
    init(arguments: [String]?) { self.arguments = arguments }

    deinit {
        let link = state.withLock { $0.link }
        if link >= 0 { close(link) }
    }

    /// The variable with the mark for the environment of a process, once a guard is there that will look for it. Nil where none is kept.
    func mark() throws(CallFailure) -> (name: String, value: String)? {
        #if os(Linux)
        guard let arguments else { return nil }
        let mark = state.withLock { state -> String? in
            if state.process > 0, waitpid(state.process, nil, WNOHANG) == 0 { return state.mark }
            // None yet, or somebody has ended it. The mark stays the same: what runs already carries it.
            if state.link >= 0 { close(state.link) }
            if state.mark.isEmpty { state.mark = Self.randomMark() }
            guard let (process, link) = Self.start(arguments, mark: state.mark) else {
                state.process = 0
                state.link = -1
                return nil
            }
            state.process = process
            state.link = link
            return state.mark
        }
        guard let mark else {
            throw CallFailure(
                .connect, .spawnFailed, "The process that ends what a killed worker leaves behind could not be started, so no agent is.")
        }
        return (ProcessGuard.variable, mark)
        #else
        return nil
        #endif
    }

    private static func randomMark() -> String {
        (0..<2).map { _ in
            let digits = String(UInt64.random(in: 0 ... .max), radix: 16)
            return String(repeating: "0", count: 16 - digits.utf8.count) + digits
        }.joined()
    }

    #if os(Linux)
    // POSIX_SPAWN_SETSID, which the C library shows only to those who ask for its extensions.
    private static let newSession: Int16 = 0x80

    // What a started program would inherit beside the three standard files. This process opens nothing of that kind, but whoever started it
    // may have handed something down. (The guard could not close it: it would not know what belongs to its own run time.)
    private static func inheritable() -> [CInt] {
        guard let directory = opendir("/proc/self/fd") else { return [] }
        defer { closedir(directory) }
        var found: [CInt] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }
            guard let descriptor = CInt(name), descriptor > STDERR_FILENO else { continue }
            let flags = fcntl(descriptor, F_GETFD)
            if flags >= 0, flags & FD_CLOEXEC == 0 { found.append(descriptor) }
        }
        return found
    }

    // In a session of its own, so that what ends the worker's process group, or its terminal, does not end the guard.
    private static func start(_ arguments: [String], mark: String) -> (pid_t, CInt)? {
        // Not inherited by anybody from its first moment on, which a pipe can do only with an extension that Swift does not see: who else
        // held this process's end would keep the guard waiting.
        var ends: [CInt] = [-1, -1]
        guard socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else { return nil }
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
            close(ends[0])
        }
        posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
        for descriptor in inheritable() { posix_spawn_file_actions_addclose(&actions, descriptor) }
        posix_spawnattr_setflags(&attributes, newSession)
        // The program that this process runs, also when its file was replaced meanwhile.
        let words = [CommandLine.arguments.first ?? "skein-worker"] + arguments
        var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        var nothing: [UnsafeMutablePointer<CChar>?] = [nil]
        defer { for pointer in pointers { free(pointer) } }
        var process: pid_t = 0
        let line = Array((mark + "\n").utf8)
        guard posix_spawn(&process, "/proc/self/exe", &actions, &attributes, &pointers, &nothing) == 0 else {
            close(ends[1])
            return nil
        }
        // Far less than the socket takes: this does not wait.
        guard write(ends[1], line, line.count) == line.count else {
            close(ends[1])
            return nil
        }
        return (process, ends[1])
    }
    #endif
}
