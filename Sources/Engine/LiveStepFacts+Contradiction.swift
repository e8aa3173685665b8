// Whether what is stored of a live step can be true. Rows that somebody has edited by hand must not lead the engine astray.

package import WorkflowModel

extension LiveStepFacts {
    // More than any run can count to; sums of two of them fit everywhere.
    private static let counts = 0...Int(Int32.max)
    // Until the year 9999.
    private static let moments: ClosedRange<Int64> = 0...253_402_300_799_000_000

    /// What about these facts cannot be of a step of the program; nil when all can.
    ///
    /// - Parameter path: the step.
    package func contradiction(of path: StepPath, in program: Program) -> String? {
        let verb = program.node(at: path)?.verb
        switch self {
        case .pending(let pending):
            return Self.fits(pending.unmet | pending.met) ? nil : "it counts \(pending.unmet) needs that are unmet and \(pending.met) that are met"
        case .block(let block), .choice(let block): return Self.contradiction(block)
        case .caught(let caught):
            guard Self.fits(caught.attempts | caught.losses) else { return "it counts \(caught.attempts) attempts and \(caught.losses) losses" }
            return Self.contradiction(caught.block)
        case .loop(let loop):
            guard case .loop? = verb else { return "it is kept as a loop, and is none" }
            let changed = loop.adjustment
            guard Self.fits(loop.created | loop.live | loop.succeeded | loop.failed) else {
                return "it counts \(loop.created) iterations, \(loop.live) under way, \(loop.succeeded) succeeded, \(loop.failed) failed"
            }
            guard Self.fits((loop.total ?? 0) | (changed?.maxParallel ?? 0) | (changed?.tolerance ?? 0)) else {
                return "it is to have \(loop.total ?? 0) iterations, \(changed?.maxParallel ?? 0) at once, and bear \(changed?.tolerance ?? 0) failures"
            }
            return nil
        case .parallel(let fork):
            guard case .parallel? = verb else { return "it is kept as a fork, and is none" }
            guard Self.fits(fork.unsettled | fork.live | fork.succeeded | fork.failed) else {
                return "it counts \(fork.unsettled) branches to settle, \(fork.live) under way, \(fork.succeeded) succeeded, \(fork.failed) failed"
            }
            return nil
        case .machine(let machine):
            guard case .machine(let plan)? = verb else { return "it is kept as a state machine, and is none" }
            guard plan.states.indices.contains(machine.state) else { return "the machine is in state \(machine.state), which it does not have" }
            guard machine.visits.count == plan.states.count else {
                return "the machine counts the visits of \(machine.visits.count) states, and has \(plan.states.count)"
            }
            guard (0...plan.states[machine.state].after.count).contains(machine.nextTimeout) else {
                return "the state has no time-out \(machine.nextTimeout)"
            }
            guard Self.moments.contains(machine.enteredAt.microseconds) else { return "the state was entered at no moment of time" }
            guard Self.fits(machine.visits.reduce(machine.transitions, |)) else {
                return "it counts \(machine.transitions) transitions, and \(machine.visits) visits"
            }
            return Self.contradiction(machine.block)
        case .sleep, .wait: return nil
        case .child(let child): return Self.fits(child.task.attempt) ? nil : "it counts \(child.task.attempt) attempts"
        }
    }

    private static func contradiction(_ block: BlockFacts) -> String? {
        fits(block.unsettled | block.live) ? nil : "it counts \(block.unsettled) steps to settle, and \(block.live) under way"
    }

    // Of several numbers the bits of all of them: one that is negative or too large shows.
    private static func fits(_ bits: Int) -> Bool { counts.contains(bits) }
}
