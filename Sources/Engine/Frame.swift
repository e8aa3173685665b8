// What the engine knows of a run when it decides: a bounded neighbourhood, never the whole run.

public import WorkflowModel

/// What is known of a run. Facts that are missing are asked for (`Rejection.incomplete`), never guessed.
public struct Frame: Sendable {
    /// The version that the run keeps to its end.
    public let program: Program
    /// What is known of the run itself.
    public internal(set) var run: RunFacts
    /// What is known of its steps.
    public private(set) var steps: [StepPath: StepFacts]
    // The bytes of the outputs among `steps`.
    private var outputBytes = 0
    /// Whether a step that is not among `steps` is known not to have started.
    public private(set) var isComplete: Bool
    // Slices of the collections of loops, by number; some of them, and only of loops that are under way.
    private var items: [StepPath: [Int: [JSONText]]] = [:]
    // Results of loops that expressions of this transaction read, and loops of which every live row is known until its commit.
    private var results: [StepPath: LoopResults] = [:]
    private var knownUnder: Set<StepPath> = []
    // What was forgotten in this transaction, as it was. Its rows are still to be written: whoever asks the tables finds them as they
    // were before, so until the commit nobody has to ask.
    private var forgotten: [StepPath: StepFacts] = [:]
    private var forgottenNow: [StepPath] = []
    // What a decision that is under way has changed, so that it can be taken back.
    private var undo: [(StepPath, StepFacts?)] = []
    private var undoItems: [(StepPath, [Int: [JSONText]]?)] = []
    private var runBefore: RunFacts?
    // The tasks that were made ready since the last commit: nobody can have claimed them yet.
    private var readied: [StepPath] = []
    private var readiedBefore = 0
    // The decision under way: what it has found to do, and what it still has to look at.
    var commands: [Command] = []
    var agenda: [Work] = []
    var now = Timestamp(microseconds: 0)
    // What a suspended decision still has to look at.
    var agendaBefore: [Work] = []
    // Iterations that were made since the last commit, and the visits of machines that settled in this decision.
    var iterationsMade = 0
    private var iterationsMadeBefore = 0
    var lastVisits: [StepPath: [Int]] = [:]

    /// A frame.
    ///
    /// - Parameters:
    ///   - isComplete: pass true only when `steps` has every step of the run that has started.
    public init(program: Program, run: RunFacts, steps: [StepPath: StepFacts] = [:], isComplete: Bool) {
        self.program = program
        self.run = run
        self.steps = steps
        self.isComplete = isComplete
        outputBytes = steps.values.reduce(0) { $0 + $1.outputBytes }
    }

    // Returns what was known before.
    @discardableResult
    private mutating func put(_ path: StepPath, _ facts: StepFacts?) -> StepFacts? {
        outputBytes += facts?.outputBytes ?? 0
        let old: StepFacts?
        if let facts { old = steps.updateValue(facts, forKey: path) } else { old = steps.removeValue(forKey: path) }
        outputBytes -= old?.outputBytes ?? 0
        return old
    }

    /// Adds facts that were asked for. A path that was asked for and has no row is `notStarted`.
    public mutating func add(_ facts: [(StepPath, StepFacts)]) {
        for (path, fact) in facts {
            put(path, fact)
            // Seen under the row's lock, which the commit gives up.
            if case .task(let task) = fact, task.phase == .ready { readied.append(path) }
        }
    }

    /// Says that what was decided so far is committed: from now on a task that was made ready may have been claimed.
    public mutating func committed() {
        for path in readied {
            guard let place = steps.index(forKey: path), case .task(var task) = steps.values[place], task.phase == .ready else { continue }
            task.phase = .unknown
            steps.values[place] = .task(task)
        }
        readied.removeAll(keepingCapacity: true)
        iterationsMade = 0
        if !results.isEmpty { results = [:] }
        if !knownUnder.isEmpty { knownUnder = [] }
        if !forgotten.isEmpty { forgotten = [:] }
        for (path, slices) in items where slices.count > Self.slicesPerLoop {
            // Iterations begin in order, so the highest numbers are those in use.
            let kept = slices.keys.sorted().suffix(Self.slicesPerLoop)
            items[path] = slices.filter { kept.contains($0.key) }
        }
    }

    private static let slicesPerLoop = 2

    /// Adds every live row of a loop's iterations, which was asked for: tasks with their phase as seen under the row's lock.
    ///
    /// The rows are as they were before this transaction: what the frame knows for certain, and what it has forgotten since, is newer.
    public mutating func add(live facts: [(StepPath, StepFacts)], under loop: StepPath) {
        add(
            facts.filter { path, _ in
                switch steps[path] {
                case nil: forgotten[path] == nil
                case .task(let task): task.phase == .unknown
                case .notStarted, .live, .settled: false
                }
            })
        knownUnder.insert(loop)
    }

    /// Adds a slice of a loop's collection, which was asked for.
    public mutating func add(items slice: [JSONText], ofSlice number: Int, at loop: StepPath) { items[loop, default: [:]][number] = slice }

    /// Adds the results of a loop, which were asked for. They are forgotten with the commit.
    public mutating func add(results found: LoopResults, of loop: StepPath) { results[loop] = found }

    /// Adds the input, where it was asked for.
    public mutating func add(input: JSONText) { run.input = input }

    // MARK: For the decision under way

    /// What is known of a step; nil when somebody has to look.
    func facts(of path: StepPath) -> StepFacts? {
        steps[path] ?? forgotten[path] ?? (isComplete || (!knownUnder.isEmpty && isLiveKnown(path)) ? .notStarted : nil)
    }

    // Whether every live row in the loop is known.
    func isLiveKnown(_ path: StepPath) -> Bool {
        isComplete || knownUnder.contains { path == $0 || path.text.hasPrefix($0.text + "[") }
    }

    // The iterations of a loop that are live, in order.
    func liveIterations(of loop: StepPath) -> [StepPath] {
        let prefix = loop.text + "["
        var found: [StepPath] = []
        for (path, facts) in steps where path.text.hasPrefix(prefix) {
            guard path.text.utf8.dropFirst(prefix.utf8.count).firstIndex(of: 0x5D) == path.text.utf8.index(before: path.text.utf8.endIndex)
            else { continue }
            switch facts {
            case .live, .task: found.append(path)
            case .notStarted, .settled: continue
            }
        }
        return found.sorted { ($0.text.utf8.count, $0) < ($1.text.utf8.count, $1) }
    }

    func item(_ index: Int, of loop: StepPath) -> JSONText? {
        let slice = items[loop]?[index / LoopItems.sliceSize]
        let place = index % LoopItems.sliceSize
        return slice.flatMap { place < $0.count ? $0[place] : nil }
    }

    mutating func keepItems(_ all: [JSONText], of loop: StepPath) {
        var slices: [Int: [JSONText]] = [:]
        for start in stride(from: 0, to: all.count, by: LoopItems.sliceSize) {
            slices[start / LoopItems.sliceSize] = Array(all[start..<min(start + LoopItems.sliceSize, all.count)])
        }
        undoItems.append((loop, items.updateValue(slices, forKey: loop)))
    }

    func loopResults(_ loop: StepPath) -> LoopResults? { results[loop] }

    // What is over for good, and read by nobody any more.
    mutating func forget(_ path: StepPath) {
        guard !isResult(path), let old = put(path, nil) else { return }
        undo.append((path, old))
        if forgotten.updateValue(old, forKey: path) == nil { forgottenNow.append(path) }
    }

    // The step that gave the run its output is read once more, when everything else has ended: also where it was in a loop.
    private func isResult(_ path: StepPath) -> Bool {
        if case .succeeded(let result) = run.root?.ending { path == result } else { false }
    }

    private mutating func unforget(downTo count: Int) {
        while forgottenNow.count > count { forgotten.removeValue(forKey: forgottenNow.removeLast()) }
    }

    mutating func forgetIterations(of loop: StepPath) {
        let prefix = loop.text + "["
        for path in steps.keys.filter({ $0.text.hasPrefix(prefix) }).sorted() { forget(path) }
    }

    mutating func forgetItems(of loop: StepPath) {
        if let old = items.removeValue(forKey: loop) { undoItems.append((loop, old)) }
    }

    private mutating func takeBack(steps: Int, items count: Int) {
        for (path, facts) in undo[steps...].reversed() { put(path, facts) }
        for (loop, slices) in undoItems[count...].reversed() { items[loop] = slices }
        clearUndo()
    }

    private mutating func clearUndo() {
        undo.removeAll(keepingCapacity: true)
        undoItems.removeAll(keepingCapacity: true)
    }

    mutating func set(_ path: StepPath, _ facts: StepFacts) {
        undo.append((path, put(path, facts)))
    }

    // A task that is made ready: certain until the commit, anybody's afterwards.
    mutating func setReady(_ path: StepPath, _ task: TaskFacts) {
        var task = task
        task.phase = .ready
        readied.append(path)
        set(path, .task(task))
    }

    mutating func begin(at moment: Timestamp) {
        clearUndo()
        forgottenNow.removeAll(keepingCapacity: true)
        commands = []
        agenda = []
        runBefore = run
        iterationsMadeBefore = iterationsMade
        lastVisits = [:]
        readiedBefore = readied.count
        now = moment
    }

    // Where a decision was before it looked at the next thing.
    struct Mark {
        let undo: Int
        let undoItems: Int
        let commands: Int
        let agenda: Int
        let readied: Int
        let run: RunFacts
        let iterationsMade: Int
        let forgotten: Int
    }

    var mark: Mark {
        Mark(
            undo: undo.count, undoItems: undoItems.count, commands: commands.count, agenda: agenda.count, readied: readied.count,
            run: run, iterationsMade: iterationsMade, forgotten: forgottenNow.count)
    }

    // Takes back what came after the mark, keeps what came before it, and leaves the agenda from `next` on for later.
    mutating func suspend(at mark: Mark, before next: Int) -> [Command] {
        takeBack(steps: mark.undo, items: mark.undoItems)
        run = mark.run
        readied.removeLast(readied.count - mark.readied)
        commands.removeLast(commands.count - mark.commands)
        iterationsMade = mark.iterationsMade
        unforget(downTo: mark.forgotten)
        agendaBefore = Array(agenda[next..<mark.agenda])
        agenda = []
        return commit()
    }

    // Goes on from there.
    mutating func proceed() {
        clearUndo()
        forgottenNow.removeAll(keepingCapacity: true)
        commands = []
        agenda = agendaBefore
        runBefore = run
        readiedBefore = readied.count
        iterationsMadeBefore = iterationsMade
    }

    mutating func rollBack() {
        takeBack(steps: 0, items: 0)
        if let runBefore { run = runBefore }
        iterationsMade = iterationsMadeBefore
        unforget(downTo: 0)
        readied.removeLast(readied.count - readiedBefore)
        commands = []
        agenda = []
    }

    mutating func commit() -> [Command] {
        clearUndo()
        runBefore = nil
        defer { commands = [] }
        return commands
    }
}

/// How collections are kept.
public enum LoopItems {
    /// How many items are in a slice.
    public static let sliceSize = 256
}

extension Frame {
    /// How much memory the frame takes, in facts: what a cache counts.
    package var weight: Int { 1 + steps.count + ((run.input?.text.utf8.count ?? 0) + outputBytes + itemBytes) / 256 }

    private var itemBytes: Int {
        items.values.reduce(0) { $0 + $1.values.reduce(0) { $0 + $1.reduce(0) { $0 + $1.text.utf8.count } } }
    }
}

extension StepFacts {
    fileprivate var outputBytes: Int { if case .settled(let settled) = self { settled.output?.text.utf8.count ?? 0 } else { 0 } }
}

extension Frame {
    /// Takes over what others write to the run's row beside the fold.
    package mutating func refresh(cancelRequested: Bool, cancelReason: String?) {
        run.cancelRequested = cancelRequested
        run.cancelReason = cancelReason
    }
}
