// Ending what is under way: a cancelled run, a run or a step out of time, the losers of a join, the siblings of a step that failed.

import WorkflowModel

extension Frame {
    // The run's whole tree ends. Queued work ends now, running work is told, and the run ends when the last of it has settled.
    mutating func endTree(_ ending: BlockEnding, event: String?, reason: String? = nil) throws(Rejection) {
        guard var root = run.root else { throw .wrongPhase }
        // The first reason to end counts; a second one changes nothing. But a cancel and the time-out also end what a failing run does to
        // clean up.
        if let first = root.ending {
            guard case .failed = first, program.root.hasCleanup, ending.isFromOutside else { return }
        }
        if case .cancelled = ending { noteCancel(reason) }
        if let event { recordEvent(event, reason.map { ["reason": .string($0)] }) }
        root.ending = ending
        let facts = try cancelLive(in: nil, .block(root))
        keep(nil, facts)
        if facts.live == 0 { agenda.append(.drained(nil)) }
    }

    // The reason that was given first counts.
    mutating func noteCancel(_ reason: String?) {
        run.cancelRequested = true
        run.cancelReason = run.cancelReason ?? reason
    }

    // A scope ends: nothing in it starts any more, and it settles when nothing in it is live.
    mutating func end(_ instance: Instance, _ facts: LiveStepFacts, _ ending: BlockEnding, except settled: Instance? = nil)
        throws(Rejection)
    {
        stopWaiting(instance, facts)
        let ended = try cancelLive(in: instance, facts.with(ending: ending), except: settled)
        keep(instance, ended)
        if ended.live == 0 { agenda.append(.drained(instance)) }
    }

    // Cancels what is live in a scope and in the scopes within it. Answers with the scope's counters after it: what a worker or a child
    // run still has stays live until its ending is folded.
    //
    // - Parameter sparesCleanup: whether steps that clean up after a failure go on.
    mutating func cancelLive(
        in scope: Instance?, _ facts: LiveStepFacts, except settled: Instance? = nil, sparesCleanup: Bool = false
    ) throws(Rejection) -> LiveStepFacts {
        var missing = MissingFacts()
        gather(&missing, in: scope, facts)
        if !missing.isEmpty { throw .incomplete(missing) }

        var facts = facts
        for child in parts(of: scope, facts) where child != settled {
            let isSpared = sparesCleanup && program.nodes[child.node].isCleanup
            switch self.facts(of: child.path) {
            case nil, .notStarted, .settled: continue
            case .live(.pending):
                commands.append(.drop(path: child.path))
                set(child.path, .notStarted)
            case .task(let task):
                guard !isSpared else { continue }
                switch task.phase {
                case .leased, .settled, .unknown:
                    guard !task.isUnwanted else { continue }
                    var told = task
                    told.isUnwanted = true
                    set(child.path, .task(told))
                    commands.append(.tellWorker(path: child.path))
                case .ready, .waiting:
                    commands.append(.dequeue(path: child.path, hasTimer: task.phase == .waiting))
                    cancelled(child, attempts: task.attempt - 1, startedAt: task.startedAt, losses: task.losses)
                    facts = facts.losingLive()
                }
            case .live(let live):
                guard !isSpared else { continue }
                if try cancel(child, live) { facts = facts.losingLive() }
            }
        }
        return facts
    }

    // Cancels a live step or part; true when it has settled with that.
    private mutating func cancel(_ instance: Instance, _ live: LiveStepFacts) throws(Rejection) -> Bool {
        switch live {
        case .pending: return false
        case .sleep, .wait:
            stopWaiting(instance, live)
            commands.append(.drop(path: instance.path))
            cancelled(instance, attempts: 0, startedAt: live.startedAt, losses: 0)
            return true
        case .child(var child): return cancel(instance, &child)
        case .block, .loop, .parallel, .choice, .caught, .machine:
            if live.ending == nil { stopWaiting(instance, live) }
            let ended = try cancelLive(
                in: instance, live.with(ending: live.ending.map { $0 == .satisfied ? .cancelled : $0 } ?? .cancelled))
            guard ended.live == 0 else {
                keep(instance, ended)
                return false
            }
            commands.append(.drop(path: instance.path))
            cancelled(instance, attempts: 0, startedAt: live.startedAt, losses: 0)
            return true
        }
    }

    private mutating func cancel(_ instance: Instance, _ child: inout ChildFacts) -> Bool {
        guard case .workflow(let call) = program.nodes[instance.node].verb else { return false }
        if child.task.phase == .waiting {
            commands.append(.removeTimer(path: instance.path, kind: .backoff))
        } else if call.onParentEnd == .cancel {
            if child.ending == nil {
                commands.append(.cancelChild(path: instance.path))
                child.ending = .cancelled
                keep(instance, .child(child))
            }
            return false
        } else if child.ending != nil {
            // It took too long and is being cancelled already.
            return false
        }
        commands.append(.drop(path: instance.path))
        let attempts = child.task.phase == .waiting ? child.task.attempt - 1 : child.task.attempt
        cancelled(instance, attempts: attempts, startedAt: child.task.startedAt, losses: 0)
        return true
    }

    // The step's row, without what follows in its scope: that is ending, and its counters are the caller's.
    private mutating func cancelled(_ instance: Instance, attempts: Int, startedAt: Timestamp?, losses: Int) {
        let facts = SettledFacts(
            status: .cancelled, failure: Self.cancellation, attempts: attempts, startedAt: startedAt, finishedAt: now)
        clearTimers(instance)
        if program.nodes[instance.node].isLoop { forgetItems(of: instance.path) }
        record(instance, facts, losses: losses)
    }

    mutating func record(_ instance: Instance, _ facts: SettledFacts, losses: Int = 0) {
        commands.append(
            .recordStep(
                StepRecord(
                    path: instance.path, node: instance.node, sequence: nextSequence(), settled: facts, losses: losses, attempt: nil)))
        set(instance.path, .settled(facts))
    }

    // The steps and parts of a scope that may be live.
    private func parts(of scope: Instance?, _ facts: LiveStepFacts) -> [Instance] {
        guard let scope else { return program.root.children.map { child($0, of: nil) } }
        if case .caught(let caught) = facts {
            let handler = caught.isTimeout ? program.nodes[scope.node].timeoutNode : program.nodes[scope.node].catchNode
            return handler.map { [child($0, of: scope)] } ?? []
        }
        switch program.nodes[scope.node].verb {
        case .agent, .set, .nothing, .validate, .fail, .succeed, .sleep, .emit, .wait, .workflow: return []
        case .block(let plan): return plan.children.map { child($0, of: scope) }
        case .parallel(let plan): return plan.branches.map { child($0, of: scope) }
        case .choice(let plan): return (plan.cases.map(\.node) + [plan.otherwise].compactMap { $0 }).map { child($0, of: scope) }
        case .loop(let plan): return liveIterations(of: scope.path).map { Instance(node: plan.body, path: $0) }
        case .machine(let plan):
            guard case .machine(let machine) = facts, !machine.isWaiting, machine.visits[machine.state] > 0 else { return [] }
            return [visit(machine.visits[machine.state], of: machine.state, plan, in: scope)]
        }
    }

    // What has to be known before a scope can be cancelled: every step of it, and of each task whether a worker has it.
    private func gather(_ missing: inout MissingFacts, in scope: Instance?, _ facts: LiveStepFacts) {
        if let scope, case .loop(let loop) = facts, !isLiveKnown(scope.path) {
            if loop.live > 0 { missing.liveUnder.insert(scope.path) }
            return
        }
        for part in parts(of: scope, facts) {
            switch self.facts(of: part.path) {
            case nil: missing.lockedTasks.insert(part.path)
            case .task(let task) where task.phase == .unknown: missing.lockedTasks.insert(part.path)
            case .live(let live): gather(&missing, in: part, live)
            case .notStarted, .task, .settled: continue
            }
        }
    }

    // Whether what a step is in, or anything around that, starts nothing more. Steps that clean up go on in a block that is failing.
    func isEnding(_ step: Instance) throws(Rejection) -> Bool {
        var missing: Set<StepPath> = []
        var inner = step
        while true {
            let around = parent(of: inner)
            let ending: BlockEnding?
            if let around {
                switch facts(of: around.path) {
                case .live(let facts): ending = facts.ending
                case nil:
                    missing.insert(around.path)
                    ending = nil
                case .settled: throw .alreadySettled(around.path)
                case .notStarted, .task: throw .staleTask(around.path)
                }
            } else {
                guard let root = run.root else { throw .wrongPhase }
                ending = root.ending
            }
            switch ending {
            case nil: break
            case .failed where program.nodes[inner.node].isCleanup: break
            case .failed, .cancelled, .timedOut, .satisfied, .succeeded: return true
            }
            guard let around else { break }
            inner = around
        }
        if !missing.isEmpty { throw .incomplete(MissingFacts(steps: missing)) }
        return false
    }
}

extension BlockEnding {
    fileprivate var isFromOutside: Bool {
        switch self {
        case .cancelled, .timedOut: true
        case .failed, .satisfied, .succeeded: false
        }
    }
}

extension LiveStepFacts {
    // One of the live ones has settled as cancelled.
    func losingLive() -> LiveStepFacts {
        switch addingLive(-1) {
        case .block(var block):
            if block.unsettled > 0 { block.unsettled -= 1 }
            return .block(block)
        case .parallel(var fork):
            fork.unsettled -= 1
            return .parallel(fork)
        case let other: return other
        }
    }
}
