// Where a simulation is played: one thread, a virtual clock, and fibers that go on one at a time when they are told to.

package import WorkflowModel

/// Runs fibers one at a time, in an order that the driver decides.
///
/// A fiber is an asynchronous function that gives up its turn wherever something else could happen in between. Nothing here starts
/// a thread: `resume` lets a fiber go on, and returns when it waits again or has ended.
package final class Stage {
    /// The virtual time.
    package var now: Timestamp
    /// The fibers that have not ended, in the order of their start.
    package private(set) var fibers: [Fiber] = []
    // When each of them could go on, as far as it depends on the clock: what is looked through at every turn is a list of numbers.
    private var wakes: [Int64] = []
    private let executor = StageExecutor()

    /// A stage whose clock stands at some moment.
    package init(now: Timestamp = Timestamp(microseconds: 1_700_000_000_000_000)) { self.now = now }

    /// Adds a fiber. It begins with its first turn.
    @discardableResult
    package func start(
        _ name: String, _ body: @escaping (Fiber) async throws(ModelError) -> Void
    ) -> Fiber {
        let fiber = Fiber(name: name, stage: self, place: fibers.count)
        fibers.append(fiber)
        wakes.append(fiber.wakesAt.microseconds)
        let whole = Carried(value: { () async in
            if await fiber.begin() {
                do throws(ModelError) { try await body(fiber) } catch { fiber.failure = error }
            }
            fiber.state = .ended
        })
        Task(executorPreference: executor) { await whole.value() }
        return fiber
    }

    /// Lets a fiber go on until it waits again or ends.
    package func resume(_ fiber: Fiber) {
        fiber.goOn()
        executor.drain()
        if case .ended = fiber.state { remove(fiber) }
    }

    private func remove(_ fiber: Fiber) {
        guard let index = fibers.firstIndex(where: { $0 === fiber }) else { return }
        fibers.remove(at: index)
        wakes.remove(at: index)
        fiber.place = nil
        for later in index..<fibers.count { fibers[later].place = later }
    }

    fileprivate func note(_ moment: Timestamp, of place: Int) { wakes[place] = moment.microseconds }

    /// How many fibers could go on now.
    var readyCount: Int {
        let moment = now.microseconds
        var count = 0
        for wake in wakes where wake <= moment { count += 1 }
        return count
    }

    /// One of those that could go on now, counted in the order of their start.
    func ready(_ number: Int) -> Fiber {
        let moment = now.microseconds
        var left = number
        for (place, wake) in wakes.enumerated() where wake <= moment {
            if left == 0 { return fibers[place] }
            left -= 1
        }
        preconditionFailure("There are not so many fibers that could go on.")
    }

    /// The next moment at which somebody could go on.
    func nextMoment() -> Timestamp { Timestamp(microseconds: wakes.min() ?? .max) }

    /// Ends all fibers: nobody waits any more.
    package func clear() {
        while let fiber = fibers.last {
            fiber.interrupt(.killed)
            resume(fiber)
            // What does not end by itself is left behind; it has been told.
            if let last = fibers.last, last === fiber, !fiber.isReady { remove(fiber) }
        }
    }
}

/// A line of execution.
package final class Fiber {
    /// What a fiber is doing.
    package enum State: Equatable {
        /// It could go on.
        case ready
        /// It goes on at this moment.
        case running
        /// It waits for somebody to unblock it.
        case blocked
        /// It waits for a moment, or for somebody to wake it.
        case sleeping(until: Timestamp)
        /// It is over.
        case ended
    }

    /// What it is called in traces.
    package let name: String
    /// The stage that it is on.
    package unowned let stage: Stage
    /// The process that it belongs to.
    var owner: Process?
    /// Whether the server is working for it: that goes on whatever happens to its process.
    var isInServer = false { didSet { noteWake() } }
    /// How long the server will stand still in the middle of what it does for it next, and after how many chances to.
    var linger: (time: Duration, chances: Int)?
    /// Which notifications wake it.
    var hears: Notices = []
    /// What it is doing.
    package fileprivate(set) var state = State.ready { didSet { noteWake() } }
    /// Why it ended, if it did not come to its end.
    package fileprivate(set) var failure: ModelError?
    private var continuation: UnsafeContinuation<Void, Never>?
    private var hasBegun = false
    private var interruption: ModelError?

    // Its place on the stage.
    fileprivate var place: Int?

    fileprivate init(name: String, stage: Stage, place: Int) {
        self.name = name
        self.stage = stage
        self.place = place
    }

    /// Until when its process stands still; what the server does for it goes on.
    var stoppedUntil = Timestamp.distantPast { didSet { noteWake() } }

    private func noteWake() { if let place { stage.note(wakesAt, of: place) } }

    func mayGoOn(at moment: Timestamp) -> Bool {
        switch state {
        case .ready: isInServer || stoppedUntil <= moment
        case .sleeping(let until): until <= moment && (isInServer || stoppedUntil <= moment)
        case .running, .blocked, .ended: false
        }
    }

    // When it could go on, as far as it depends on the clock.
    fileprivate var wakesAt: Timestamp {
        switch state {
        case .ready: isInServer ? .distantPast : stoppedUntil
        case .sleeping(let until): isInServer ? until : max(until, stoppedUntil)
        case .running, .blocked, .ended: .distantFuture
        }
    }

    /// Whether it can go on now.
    package var isReady: Bool {
        switch state {
        case .ready: true
        case .sleeping(let moment): moment <= stage.now
        case .running, .blocked, .ended: false
        }
    }

    // MARK: What the fiber does

    /// Lets others go first. Throws when the fiber was interrupted meanwhile.
    package func turn() async throws(ModelError) { try await wait(.ready) }

    /// Waits for `unblock`.
    package func block() async throws(ModelError) { try await wait(.blocked) }

    /// Waits for a moment, or for `wake`.
    package func sleep(until moment: Timestamp) async throws(ModelError) { try await wait(.sleeping(until: moment)) }

    private func wait(_ next: State) async throws(ModelError) {
        if let interruption, interruption == .killed { throw interruption }
        state = next
        await withUnsafeContinuation { continuation = $0 }
        if let interruption {
            if interruption != .killed { self.interruption = nil }
            throw interruption
        }
    }

    // MARK: What is done to it

    /// Ends a `block`.
    package func unblock() { if state == .blocked { state = .ready } }

    /// Ends a `sleep`, unless it is the server that sleeps.
    package func wake() { if !isInServer, case .sleeping = state { state = .ready } }

    /// Ends whatever it waits for with an error. `killed` is for good.
    package func interrupt(_ error: ModelError) {
        guard state != .ended, interruption != .killed else { return }
        interruption = error
        if state != .running { state = .ready }
    }

    fileprivate func begin() async -> Bool {
        if !hasBegun { await withUnsafeContinuation { continuation = $0 } }
        return interruption != .killed
    }

    fileprivate func goOn() {
        hasBegun = true
        state = .running
        let waiting = continuation
        continuation = nil
        waiting?.resume()
    }
}

// Takes what the fibers are about to do, and does it when it is drained. Nobody but the thread of its stage puts something in or takes something
// out, so there is nothing to lock.
private final class StageExecutor: TaskExecutor, @unchecked Sendable {
    private var jobs: [UnownedJob] = []

    func enqueue(_ job: consuming ExecutorJob) { jobs.append(UnownedJob(job)) }

    func drain() {
        let executor = asUnownedTaskExecutor()
        var next = 0
        while next < jobs.count {
            let job = jobs[next]
            next += 1
            job.runSynchronously(on: executor)
        }
        jobs.removeAll(keepingCapacity: true)
    }
}

// Sendable in name only, and rightly so: the one task that it is given to runs on the executor of its stage, which is drained by the
// thread that made both, and by no other.
private struct Carried<Value>: @unchecked Sendable {
    let value: Value
}
