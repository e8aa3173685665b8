// The heart of Skein: what becomes of a run when something happens to it. Pure: no clock, no randomness, no database, no log.

public import WorkflowModel

/// Decides. It gets everything it needs and returns what should happen; it refuses, and never repairs.
public enum Engine {
    /// What a run becomes when `input` reaches it, and what has to be written.
    ///
    /// The same frame, input and moment always give the same commands. When it throws, the frame is as it was before.
    ///
    /// - Parameters:
    ///   - frame: what is known of the run; it becomes what is known afterwards.
    ///   - input: what happened.
    ///   - now: the moment of the decision, by the database's clock.
    /// - Returns: what to write, in the order in which it came about.
    public static func decide(_ frame: inout Frame, _ input: Input, at now: Timestamp) throws(Rejection) -> [Command] {
        frame.begin(at: now)
        do throws(Rejection) {
            try frame.take(input)
            try frame.workOffAgenda()
        } catch {
            frame.rollBack()
            throw error
        }
        return frame.commit()
    }
}

// What a decision still has to look at. A queue instead of recursion: a chain of ten thousand computed steps must not need a deep stack.
enum Work {
    case startBlock(Int?)
    case start(Int)
    case settled(Int, wasLive: Bool)
    case finishBlock(Int?)
}

extension Frame {
    mutating func take(_ input: Input) throws(Rejection) {
        guard !run.isEnded else { throw .alreadyEnded }
        switch (input, run.root) {
        case (.start, nil): begin()
        case (.start, .some): throw .wrongPhase
        case (.outcome(let outcome), .some): try take(outcome)
        case (.backoffElapsed(let path), .some): try wake(path)
        case (.deadlinePassed, .some):
            try endTree(.timedOut(Failure(type: .timeout, message: "the run took longer than its time-out")), event: "timed_out")
        case (.cancel(let reason), .some): try endTree(.cancelled, event: "cancel_requested", reason: reason)
        // A run that is cancelled before it started has nothing to stop: it starts and ends in one decision.
        case (.cancel(let reason), nil):
            noteCancel(reason)
            begin()
        case (.outcome, nil), (.backoffElapsed, nil), (.deadlinePassed, nil): throw .wrongPhase
        }
    }

    mutating func workOffAgenda() throws(Rejection) {
        var next = 0
        while next < agenda.count {
            let work = agenda[next]
            next += 1
            switch work {
            case .startBlock(let node): startBlock(node)
            case .start(let node): try start(program.nodes[node])
            case .settled(let node, let wasLive): try propagate(program.nodes[node], wasLive: wasLive)
            case .finishBlock(let node): try finishBlock(node)
            }
        }
        agenda.removeAll(keepingCapacity: true)
    }

    private mutating func begin() {
        run.root = BlockFacts(unsettled: program.root.unsettledAtStart)
        if run.cancelRequested {
            run.root?.ending = .cancelled
            agenda.append(.finishBlock(nil))
        } else {
            agenda.append(.startBlock(nil))
        }
    }

    private mutating func wake(_ path: StepPath) throws(Rejection) {
        guard let node = program.node(at: path) else { throw .unknownStep(path) }
        switch facts(of: path) {
        case .task(let task):
            guard task.phase == .waiting || task.phase == .unknown, try !isEnding(node.parent) else { throw .staleTask(path) }
            setReady(path, task)
            commands.append(.wake(path: path))
        case nil: throw .incomplete(MissingFacts(steps: [path]))
        case .settled: throw .alreadySettled(path)
        case .notStarted, .pending, .block: throw .staleTask(path)
        }
    }

    // The number of the next row in the run's history.
    mutating func nextSequence() -> Int {
        run.historyLength += 1
        return run.historyLength
    }

    mutating func recordEvent(_ kind: String, _ body: JSONValue? = nil) {
        commands.append(.recordEvent(EventRecord(kind: kind, sequence: nextSequence(), at: now, body: body)))
    }
}

extension BlockPlan {
    // Only a graph has to count: a sequence is done when its last step is.
    var unsettledAtStart: Int {
        switch kind {
        case .sequence: 0
        case .graph: children.count
        }
    }
}
