// What the nodes of a program do: the definition's verbs with their expressions compiled and their parts numbered.

package import Expressions
package import JSONSchema
package import WorkflowModel

package enum NodeVerb: Sendable {
    case agent(AgentDefinition)
    case set
    case nothing
    case validate(CompiledSchema)
    case fail(FailPlan)
    case succeed
    case sleep(SleepPlan)
    case emit(EmitPlan)
    case wait(WaitPlan)
    case workflow(WorkflowCall)
    case block(BlockPlan)
    case loop(LoopPlan)
    case parallel(ParallelPlan)
    case choice(ChoicePlan)
    case machine(MachinePlan)
}

package struct BlockPlan: Sendable {
    package enum Kind: Sendable {
        case sequence
        case graph
    }

    package let kind: Kind
    package let children: [Int]
    // The steps that nobody needs: the output of a graph.
    package var sinks: [Int] = []
    // Whether some step runs when the block is failing.
    package var hasCleanup = false
    // The steps of a graph that need nothing and run only when the block is failing.
    package var idle: [Int] = []
}

package struct FailPlan: Sendable {
    package let message: Evaluation
    package let code: String?
}

package enum SleepPlan: Sendable {
    case duration(Duration)
    case computed(Evaluation)
    case until(Evaluation)
}

package struct EmitPlan: Sendable {
    package let event: String
    package let key: Evaluation?
    package let data: Evaluation?
    package let run: Evaluation?
}

package struct WaitPlan: Sendable {
    package let patterns: [(event: String, match: Condition?)]
    package let key: Evaluation?
    package let lookback: Duration?
    package let isExclusive: Bool
}

package struct LoopPlan: Sendable {
    package enum Source: Sendable {
        case each(Evaluation)
        case `while`(Condition)
        case until(Condition)
    }

    package var body: Int
    package var source: Source?
    package let variable: String
    package var initial: Evaluation?
    package let every: Duration?
    package let batch: Int?
    package let maxParallel: Int?
    package let join: JoinPolicy
    package let collect: Loop.Collection
    package let maxIterations: Int?
    package var breakIf: Condition?
    // Whether `previous` is read anywhere.
    package var previousIsRead = false
}

package struct ParallelPlan: Sendable {
    package let branches: [Int]
    package let join: JoinPolicy
    package var output: Evaluation?
}

package struct ChoicePlan: Sendable {
    package var cases: [(condition: Condition?, node: Int)]
    package let otherwise: Int?
}

package struct MachinePlan: Sendable {
    package let initial: Int
    package let maxTransitions: Int
    package let unexpected: StateMachine.UnexpectedEvents
    package var states: [StatePlan]
}

package struct StatePlan: Sendable {
    package let name: String
    package let visit: Int
    package let ending: State.Ending?
    package var next: [TransitionPlan] = []
    package var on: [(event: String, transitions: [TransitionPlan])] = []
    // The shortest first.
    package var after: [(delay: Duration, transitions: [TransitionPlan])] = []
}

package struct TransitionPlan: Sendable {
    package let condition: Condition?
    package let target: Int
}

package struct ChainPlan: Sendable {
    package let workflow: String
    package let condition: Condition?
    package let with: Evaluation?
}

// A compiled template with what it reads.
package struct Evaluation: Sendable {
    package let template: CompiledTemplate
    package let reads: Reads
    // Where it is evaluated: inside this node.
    package let inside: Int?
}

package struct Condition: Sendable {
    package let expression: CompiledExpression
    package let reads: Reads
    package let inside: Int?
}

// What an expression reads: known from the definition, so that a frame can be loaded with no more than that.
package struct Reads: Sendable {
    // Which step each `steps.ID` means, innermost block first.
    package var steps: [(id: String, node: Int)] = []
    package var input = false
    package var run = false
    // The step whose failure is `error`.
    package var error: Int?
    // Loop variables, and names for indexes.
    package var items: [(name: String, loop: Int)] = []
    package var indexes: [(name: String, loop: Int)] = []
    package var previous: Int?
    package var branches: [(name: String, id: String, node: Int)] = []
    package var states: [(name: String, machine: Int, state: Int)] = []
    package var event = false
    package var result = false
    // `output` and `error` of a run that has ended, in a chain.
    package var ending = false
}
