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
            if case .suspended = error { throw error }
            frame.rollBack()
            throw error
        }
        return frame.commit()
    }

    /// Goes on with a decision that was suspended, at the same moment. What it throws means what it means for `decide`; after
    /// `incomplete` it is called again with the facts.
    public static func proceed(_ frame: inout Frame) throws(Rejection) -> [Command] {
        frame.proceed()
        do throws(Rejection) {
            try frame.workOffAgenda()
        } catch {
            if case .suspended = error { throw error }
            frame.rollBack()
            throw error
        }
        return frame.commit()
    }
}

// What a decision still has to look at. A queue instead of recursion: a chain of ten thousand computed steps must not need a deep stack.
// Where an instance is optional, nil is the root block.
enum Work {
    // A block's first steps.
    case startBlock(Instance?)
    // A step or part.
    case start(Instance)
    // What a step's or part's ending means to what it is in.
    case settled(Instance, wasLive: Bool)
    // Nothing of an ending scope is live any more.
    case drained(Instance?)
    // A scope has its result.
    case finish(Instance?)
    // A loop has room for iterations.
    case fill(Instance)
    // A machine enters a state.
    case enter(Instance, state: Int)
    // A graph may wait for nothing but steps that run only when it fails.
    case quiesced(Instance?)
}

extension Frame {
    mutating func take(_ input: Input) throws(Rejection) {
        guard !run.isEnded else { throw .alreadyEnded }
        guard run.root != nil else {
            switch input {
            case .start: return begin()
            // A run that is cancelled before it started has nothing to stop: it starts and ends in one decision.
            case .cancel(let reason):
                noteCancel(reason)
                return begin()
            case .outcome, .timer, .event, .childEnded, .adjust: throw .wrongPhase
            }
        }
        switch input {
        case .start: throw .wrongPhase
        case .outcome(let outcome): try take(outcome)
        case .timer(let path, let kind): try elapsed(kind, path)
        case .cancel(let reason): try endTree(.cancelled, event: "cancel_requested", reason: reason)
        case .event(let path, let event): try take(event, at: path)
        case .childEnded(let ending): try take(ending)
        case .adjust(let path, let adjustment): try adjust(path, adjustment)
        }
    }

    mutating func workOffAgenda() throws(Rejection) {
        var next = 0
        while next < agenda.count {
            let work = agenda[next]
            next += 1
            // Only a loop that settles can suspend a decision.
            let mark: Mark? = program.isDynamic ? self.mark : nil
            do throws(Rejection) {
                try workOff(work)
            } catch {
                guard case .incomplete(let missing) = error, let mark, hasSettled(anyOf: missing.results) else { throw error }
                throw .suspended(suspend(at: mark, before: next - 1), missing)
            }
        }
        agenda.removeAll(keepingCapacity: true)
    }

    private mutating func workOff(_ work: Work) throws(Rejection) {
        switch work {
        case .startBlock(let block): startBlock(block)
        case .start(let instance): try start(instance)
        case .settled(let instance, let wasLive): try propagate(instance, wasLive: wasLive)
        case .drained(let instance): try drained(instance)
        case .finish(let instance): try finish(instance)
        case .fill(let loop): try fill(loop)
        case .enter(let machine, let state): try enter(machine, state: state)
        case .quiesced(let block): try quiesced(block)
        }
    }

    // Whether one of these loops settled in the decision under way.
    private func hasSettled(anyOf loops: Set<StepPath>) -> Bool {
        !loops.isEmpty
            && commands.contains { command in
                if case .recordStep(let record) = command { loops.contains(record.path) } else { false }
            }
    }

    private mutating func begin() {
        run.root = BlockFacts(unsettled: program.root.unsettledAtStart)
        if run.cancelRequested {
            run.root?.ending = .cancelled
            agenda.append(.finish(nil))
        } else {
            agenda.append(.startBlock(nil))
        }
    }

    // What has settled tells what it is in.
    private mutating func propagate(_ instance: Instance, wasLive: Bool) throws(Rejection) {
        let around = parent(of: instance)
        guard let facts = try scope(around) else { return }
        guard case .settled(let settled) = self.facts(of: instance.path) else { throw .staleTask(instance.path) }
        switch facts {
        case .block(let block): try stepSettled(instance, settled, wasLive: wasLive, in: around, block)
        case .loop(let loop): if let around { try iterationSettled(instance, settled, in: around, loop) }
        case .parallel(let fork): if let around { try branchSettled(instance, settled, in: around, fork) }
        case .choice: if let around { try partSettled(settled, in: around, facts) }
        // A step that settled in the same decision in which its block failed has nothing to tell the block that catches it.
        case .caught:
            guard let around, program.nodes[instance.node].placement == .handler else { return }
            try partSettled(settled, in: around, facts)
        case .machine(let machine): if let around { try visitSettled(instance, settled, in: around, machine) }
        case .pending, .sleep, .wait, .child: throw .staleTask(instance.path)
        }
    }

    // The number of the next row in the run's history.
    mutating func nextSequence() -> Int {
        run.historyLength += 1
        return run.historyLength
    }

    mutating func recordEvent(_ kind: String, at path: StepPath? = nil, _ body: JSONValue? = nil) {
        commands.append(.recordEvent(EventRecord(kind: kind, path: path, sequence: nextSequence(), at: now, body: body)))
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
