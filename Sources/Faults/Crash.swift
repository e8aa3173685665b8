// Carries out what a test has planned for a point: the process kills itself, stops itself, or loses the answer to its commit.

#if DEBUG
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What happens at a point.
package enum CrashAction: String, CaseIterable, Sendable {
    /// SIGKILL.
    case kill
    /// SIGSTOP: the process goes on when somebody sends it SIGCONT, and knows nothing of the time between.
    case pause
    /// The answer to the commit is lost, and the connection with it. At `sent` only.
    case lose
}

/// What a test has planned: `name[:nth hit][:kill|pause|lose]`, such as `fold.executed:2:pause`; or `record`, to write down every point that is
/// passed.
package struct CrashPlan: Hashable, Sendable {
    package let point: CrashPoint
    package let hit: Int
    package let action: CrashAction

    package init(_ point: CrashPoint, hit: Int = 1, _ action: CrashAction) {
        self.point = point
        self.hit = hit
        self.action = action
    }

    /// Nil for a text that is no plan.
    package init?(_ text: String) {
        let parts = text.split(separator: ":").map(String.init)
        guard let name = parts.first, let point = CrashPoint(name), parts.count <= 3 else { return nil }
        var hit = 1
        var action = CrashAction.kill
        for part in parts.dropFirst() {
            if let number = Int(part), number > 0 {
                hit = number
            } else if let word = CrashAction(rawValue: part) {
                action = word
            } else {
                return nil
            }
        }
        guard action != .lose || point.phase == .sent else { return nil }
        self.init(point, hit: hit, action)
    }

    package var text: String { "\(point):\(hit):\(action.rawValue)" }
}

/// The plan of this process. `SKEIN_CRASH_POINT` is the plan, or `@` and the path of a file that holds it and that is read at every point, so
/// that a test can change its mind; `SKEIN_CRASH_LOG` is a file to which the name of every point is added at which something happened.
package enum Crash {
    private struct State {
        var text: String?
        var plan: CrashPlan?
        var isRecording = false
        var hits = 0
        var isSpent = false
        var recorded: Set<CrashPoint> = []
    }

    private static let source = environment("SKEIN_CRASH_POINT")
    private static let log = environment("SKEIN_CRASH_LOG")
    private static let state = Mutex(State())
    private static let recordAll = "record"

    /// Whether something is planned for the boundary, so that its phases have to be told apart.
    package static func isArmed(_ boundary: Boundary) -> Bool {
        guard source != nil else { return false }
        return state.withLock { state in
            refresh(&state)
            return state.isRecording || (!state.isSpent && state.plan?.point.boundary == boundary)
        }
    }

    /// The process is at a point. When its time has come this does not return, or returns when somebody has sent SIGCONT.
    ///
    /// - Returns: whether the answer to the commit is to be lost.
    @discardableResult
    package static func reach(_ point: CrashPoint) -> Bool {
        guard source != nil else { return false }
        let action = state.withLock { state -> CrashAction? in
            refresh(&state)
            if state.isRecording {
                if state.recorded.insert(point).inserted { write(point) }
                return nil
            }
            guard let plan = state.plan, plan.point == point, !state.isSpent else { return nil }
            state.hits += 1
            guard state.hits == plan.hit else { return nil }
            state.isSpent = true
            write(point)
            return plan.action
        }
        switch action {
        case nil: return false
        case .kill:
            kill(getpid(), SIGKILL)
            while true { pause() }
        case .pause:
            // To this thread: it goes no further.
            raise(SIGSTOP)
            return false
        case .lose: return true
        }
    }

    private static func refresh(_ state: inout State) {
        guard let source else { return }
        let text = source.hasPrefix("@") ? contents(of: String(source.dropFirst())) : source
        guard text != state.text else { return }
        let recorded = state.recorded
        state = State(text: text, recorded: recorded)
        state.isRecording = text == recordAll
        if state.isRecording || text.isEmpty { return }
        state.plan = CrashPlan(text)
        precondition(state.plan != nil, "SKEIN_CRASH_POINT: \(text) is no plan; plans look like fold.executed:2:pause.")
    }

    private static func write(_ point: CrashPoint) {
        guard let log, let file = fopen(log, "a") else { return }
        fputs("\(point)\n", file)
        fclose(file)
    }

    // The first line.
    private static func contents(of path: String) -> String {
        guard let file = fopen(path, "r") else { return "" }
        defer { fclose(file) }
        var buffer = [CChar](repeating: 0, count: 256)
        guard fgets(&buffer, Int32(buffer.count), file) != nil else { return "" }
        return String(decoding: buffer.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func environment(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }
}
#endif
