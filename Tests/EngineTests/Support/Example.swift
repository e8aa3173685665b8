// Runs a workflow file with its sub-workflows and chained ones through the model store, and compares with what is expected of it.

import Definitions
import Engine
import Foundation
import Simulation
import Testing
import WorkflowModel

/// A workflow file with what is expected of it: `NAME.yaml` and `NAME.expected.json`.
struct Example: CustomTestStringConvertible {
    let folder: URL
    let name: String

    var testDescription: String { name }

    static let examples = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../deploy/examples").standardized
    static let patterns = examples.appending(path: "patterns")

    /// All files in a folder that have an expectation and can be played here, by name.
    static func all(in folder: URL) -> [Example] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        let all = files.filter { $0.hasSuffix(".expected.json") }.sorted().map { Example(folder: folder, name: String($0.dropLast(14))) }
        return all.filter(\.isPlayable)
    }

    /// Whether its agents only give back what they are given, and nothing in it is about workers, clusters and pauses. One that cannot be
    /// read counts, so that its test says why.
    var isPlayable: Bool {
        guard let expected = try? expected else { return true }
        let text = expected.compactText
        if text.contains("\"pause\"") || text.contains("\"$") { return false }
        let files = [name + ".yaml"] + (expected["with"]?.arrayValue ?? []).compactMap(\.stringValue)
        return files.allSatisfy { file in
            guard let definition = try? definition(file), let program = try? Program(definition) else { return true }
            return program.nodes.allSatisfy { node in
                guard case .agent(let agent) = node.verb else { return true }
                return switch agent.kind {
                case .noop: true
                case .exec(let process): process.command == ["cat"] && process.stdin == nil && process.output == .json
                case .http: false
                }
            }
        }
    }

    func definition(_ file: String) throws -> WorkflowDefinition {
        let text = try String(contentsOf: folder.appending(path: file), encoding: .utf8)
        let decoded = DefinitionDecoder.decode(
            text, fileName: file, options: DecodingOptions(allowNoop: true, parts: LanguagePart.controlFlow))
        guard let definition = decoded.definition else { throw Violation(file, decoded.errors.map { "\($0)" }.joined(separator: "\n")) }
        return definition
    }

    var expected: JSONValue {
        get throws { try JSONValue(parsing: String(contentsOf: folder.appending(path: name + ".expected.json"), encoding: .utf8)) }
    }

    /// Plays every case.
    func play() throws {
        let expected = try expected
        var known: [String: WorkflowDefinition] = [:]
        for file in [name + ".yaml"] + (expected["with"]?.arrayValue ?? []).compactMap(\.stringValue) {
            let definition = try definition(file)
            known[definition.name] = definition
        }
        guard let main = known[name] else { throw Violation(name, "the file is not called like its workflow") }
        for (number, expectation) in (expected["cases"]?.arrayValue ?? []).enumerated() {
            var play = Play(known: known)
            let root = try play.submit(main, expectation["input"] ?? [:])
            try play.finish(expectation["acts"]?.arrayValue ?? [])
            do throws(Violation) {
                try play.check(root, expectation)
            } catch {
                throw Violation("\(name), case \(number + 1)", error.description)
            }
        }
    }
}

/// Runs that start each other.
struct Play {
    let known: [String: WorkflowDefinition]
    var stores: [ModelStore] = []
    // Which step of which run waits for a run.
    private var parents: [Int: (run: Int, path: StepPath)] = [:]
    private var taken: [Int: (children: Int, chains: Int)] = [:]

    init(known: [String: WorkflowDefinition]) { self.known = known }

    @discardableResult
    mutating func submit(_ definition: WorkflowDefinition, _ input: JSONValue, depth: Int = 0) throws -> Int {
        var store = try ModelStore(definition, input: input)
        store.run.depth = depth
        for name in store.run.callees.keys where known[name] == nil { store.run.callees[name] = nil }
        stores.append(store)
        try stores[stores.count - 1].fold()
        return stores.count - 1
    }

    /// Plays until all runs have ended. Time passes only when nothing else moves and no act waits.
    mutating func finish(_ acts: [JSONValue]) throws {
        var acts = acts[...]
        for _ in 0..<2000 {
            if try work() { continue }
            if let act = acts.first, isDue(act) {
                acts.removeFirst()
                try perform(act)
                continue
            }
            let open = stores.indices.filter { stores[$0].ending == nil }
            if open.isEmpty { break }
            guard let next = open.compactMap({ stores[$0].nextTimer }).min() else {
                throw Violation("L2", "nothing moves: \(open.map { stores[$0].live.keys.sorted() })")
            }
            for index in stores.indices { stores[index].now = max(stores[index].now, next) }
        }
        guard acts.isEmpty else { throw Violation("acts", "\(acts.count) acts were never due") }
    }

    // One round of workers, children and folds; false when nothing moves.
    private mutating func work() throws -> Bool {
        var moved = false
        for index in stores.indices where stores[index].ending == nil || taken[index]?.chains != stores[index].chained.count {
            for path in stores[index].claimable {
                guard let lease = stores[index].claim(path) else { continue }
                stores[index].settle(lease, .succeeded, output: stores[index].tasks[path]?.input)
                moved = true
            }
            for path in stores[index].leased {
                // Its worker was told.
                if let lease = stores[index].tasks[path]?.lease { stores[index].settle(lease, .cancelled) }
                moved = true
            }
            var seen = taken[index] ?? (0, 0)
            while seen.children < stores[index].started.count {
                let start = stores[index].started[seen.children]
                seen.children += 1
                guard let callee = known[start.workflow] else { throw Violation("callees", "there is no \(start.workflow)") }
                let child = try submit(callee, start.input.value, depth: stores[index].run.depth + 1)
                if start.isAwaited { parents[child] = (index, start.path) }
                moved = true
            }
            while seen.chains < stores[index].chained.count {
                let chain = stores[index].chained[seen.chains]
                seen.chains += 1
                guard case .input(let input) = chain.start, let next = known[chain.workflow] else {
                    throw Violation("chains", "\(chain) cannot start")
                }
                try submit(next, input.value, depth: stores[index].run.depth + 1)
                moved = true
            }
            taken[index] = seen
            if stores[index].isDue {
                try stores[index].fold()
                moved = true
            }
        }
        for (child, parent) in parents.sorted(by: { $0.key < $1.key }) {
            guard let row = stores[parent.run].children[parent.path] else { continue }
            if row.isCancelled, stores[child].ending == nil {
                stores[child].cancel(reason: "the parent was cancelled")
                moved = true
            }
            guard let ending = stores[child].ending else { continue }
            parents[child] = nil
            stores[parent.run].endChild(parent.path, ending.status, output: stores[child].output?.value, failure: ending.failure)
            moved = true
        }
        return moved
    }

    private func isDue(_ act: JSONValue) -> Bool {
        guard let when = act["when"], let path = when["step"]?.stringValue.map({ StepPath($0) }), let status = when["status"]?.stringValue
        else { return true }
        let store = stores[0]
        if let settled = store.steps[path]?.settled { return settled.status.rawValue == status }
        guard let live = store.live[path]?.facts else { return false }
        let waits: Bool =
            switch live {
            case .sleep, .wait, .child: true
            case .machine(let machine): machine.isWaiting
            case .pending, .block, .loop, .parallel, .choice, .caught: false
            }
        return status == (waits ? "waiting" : "running")
    }

    private mutating func perform(_ act: JSONValue) throws {
        if let name = act["signal"]?.stringValue { stores[0].signal(name, act["data"] ?? [:]) }
        if let reason = act["cancel"]?.stringValue { stores[0].cancel(reason: reason) }
        if stores[0].ending == nil { try stores[0].fold() }
    }

    // MARK: What is expected

    func check(_ run: Int, _ expectation: JSONValue) throws(Violation) {
        let store = stores[run]
        func expect(_ holds: Bool, _ what: String) throws(Violation) { if !holds { throw Violation("expectation", what) } }
        guard let ending = store.ending else { throw Violation("expectation", "the run has not ended") }
        try expect(
            ending.status.rawValue == expectation["status"]?.stringValue, "the run has \(ending.status.rawValue): \(ending.failure.text)")
        if let output = expectation["output"] {
            try expect(store.output?.value == output, "the output is \(store.output?.text ?? "-") instead of \(output.compactText)")
        }
        if let outputs = expectation["outputOneOf"]?.arrayValue {
            try expect(outputs.contains(store.output?.value ?? .null), "the output is \(store.output?.text ?? "-")")
        }
        if let failure = expectation["failure"]?.objectValue {
            for (key, value) in failure.members { try expect(ending.failure?.json[key] == value, "the failure is \(ending.failure.text)") }
        }
        for (path, status) in (expectation["steps"]?.objectValue ?? JSONObject()).members {
            let settled = store.steps[StepPath(path)]?.settled.status.rawValue
            try expect(settled == status.stringValue, "\(path) has \(settled ?? "no row")")
        }
        for (prefix, count) in (expectation["count"]?.objectValue ?? JSONObject()).members {
            let found = store.steps.keys.count { $0.text.hasPrefix(prefix) }
            try expect(Int64(found) == count.intValue, "\(found) steps begin with \(prefix)")
        }
        let order = (expectation["order"]?.arrayValue ?? []).compactMap { path in
            store.stepOrder.firstIndex(of: StepPath(path.stringValue ?? ""))
        }
        try expect(
            order.count == expectation["order"]?.arrayValue?.count ?? 0 && order == order.sorted(), "the order is \(store.stepOrder)")
        for (workflow, endings) in (expectation["runs"]?.objectValue ?? JSONObject()).members {
            let found = stores.indices.dropFirst().filter { stores[$0].definition.name == workflow }
                .map { JSONValue.string(stores[$0].ending?.status.rawValue ?? "open") }
            try expect(.array(found) == endings, "\(workflow) ended as \(found)")
        }
    }
}
