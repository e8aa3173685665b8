// Which steps an expression may look at: those that have surely settled before it is evaluated.

import Expressions

/// The ids of a block and the order among them.
final class BlockScope {
    enum Rule {
        /// Each step after the one before it.
        case sequence
        /// Each step after its needs, given as indices.
        case graph([[Int]])
    }

    let ids: [String?]
    let rule: Rule
    /// The step whose block this is; nil for the workflow's own.
    let parent: StepScope?
    /// The ids that are there.
    private(set) lazy var names = ids.compactMap { $0 }
    /// What is known of the types of the steps' outputs, as far as the steps have been read.
    var outputs: [Int: StaticType] = [:]
    private let loops: Set<Int>
    private let indices: [String: Int]
    // By step, the number of the last search that came past it.
    private var visits: [Int]
    private var search = 0

    init(ids: [String?], loops: Set<Int> = [], needs: [[String]]?, parent: StepScope?) {
        self.ids = ids
        self.loops = loops
        self.parent = parent
        var indices: [String: Int] = [:]
        for (index, id) in ids.enumerated() {
            if let id, indices[id] == nil { indices[id] = index }
        }
        self.indices = indices
        visits = [Int](repeating: 0, count: needs == nil ? 0 : ids.count)
        rule = needs.map { .graph($0.map { names in names.compactMap { indices[$0] } }) } ?? .sequence
    }

    /// Where the step with this id stands in the block.
    func index(of id: String) -> Int? { indices[id] }

    /// Whether the step is a loop.
    func isLoop(_ index: Int) -> Bool { loops.contains(index) }

    /// Whether the step `earlier` has settled whenever `later` begins.
    func settles(_ earlier: Int, before later: Int) -> Bool {
        switch rule {
        case .sequence: return earlier < later
        case .graph(let needs):
            if needs[later].contains(earlier) { return true }
            search += 1
            var open = needs[later]
            while let next = open.popLast() {
                if next == earlier { return true }
                if visits[next] == search { continue }
                visits[next] = search
                open.append(contentsOf: needs[next])
            }
            return false
        }
    }

    /// The circles among the needs, each as the indices along it, beginning with its first step in file order.
    var cycles: [[Int]] {
        guard case .graph(let needs) = rule else { return [] }
        var found: [[Int]] = []
        // 0 is new, 1 on the way, 2 done. The way is kept by hand: a long chain must not use up the stack.
        var state = [UInt8](repeating: 0, count: needs.count)
        for start in needs.indices where state[start] == 0 {
            var way: [(step: Int, next: Int)] = [(start, 0)]
            state[start] = 1
            while let (step, next) = way.last {
                guard next < needs[step].count else {
                    state[step] = 2
                    way.removeLast()
                    continue
                }
                way[way.count - 1].next += 1
                let need = needs[step][next]
                if need == step { continue }
                if state[need] == 0 {
                    state[need] = 1
                    way.append((need, 0))
                } else if state[need] == 1, let begin = way.firstIndex(where: { $0.step == need }) {
                    let circle = way[begin...].map(\.step)
                    let first = circle.indices.min { circle[$0] < circle[$1] } ?? 0
                    found.append(Array(circle[first...] + circle[..<first]))
                }
            }
        }
        return found
    }
}

/// A point in a workflow: before a step of a block, or after the whole block.
struct StepScope {
    let block: BlockScope
    /// The step; nil is the end of the block, when all its steps have settled.
    let index: Int?

    enum Answer {
        /// The step has settled by then.
        case settled(isLoop: Bool)
        /// It is this step itself, or one that holds it.
        case itself
        /// It comes later in the sequence.
        case later
        /// It belongs to the same graph, but nothing makes it settle first.
        case unordered
        /// No such step can be seen from here.
        case unknown
    }

    /// What `steps.ID` means here. An inner block hides a step of the same id outside.
    func look(up id: String) -> Answer {
        var scope: StepScope? = self
        while let here = scope {
            if let target = here.block.index(of: id) {
                let settled = Answer.settled(isLoop: here.block.isLoop(target))
                guard let index = here.index else { return settled }
                if target == index { return .itself }
                if here.block.settles(target, before: index) { return settled }
                switch here.block.rule {
                case .sequence: return .later
                case .graph: return .unordered
                }
            }
            scope = here.block.parent
        }
        return .unknown
    }

    /// Every id that can be seen from here, the nearest block first.
    var visible: [String] {
        var ids: [String] = []
        var scope: StepScope? = self
        while let here = scope {
            ids += here.block.names
            scope = here.block.parent
        }
        return ids
    }
}
