// Agents that always give the same answer to the same question, and a plain evaluation of a definition that knows nothing of the engine.

import Expressions
import WorkflowModel

/// An agent whose answer depends on the step and on what it was given, and on nothing else.
enum DeterministicAgent {
    static func answer(_ path: StepPath, _ input: JSONValue) -> JSONValue {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in (path.text + input.canonicalText).utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        return ["value": .int(Int64(hash % 10)), "from": .string(path.text)]
    }
}

/// What a definition without failures gives: block by block, step by step, by recursion.
struct PlainEvaluation {
    struct Result {
        let status: StepStatus
        let output: JSONValue
    }

    let outline: Outline
    let input: JSONValue
    private(set) var results: [Int: Result] = [:]

    /// The output of the whole run.
    static func run(_ outline: Outline, input: JSONValue) throws -> (output: JSONValue, results: [Int: Result]) {
        var evaluation = PlainEvaluation(outline: outline, input: input)
        var output = try evaluation.block(nil)
        if let template = outline.definition.output { output = try evaluation.render(template, in: nil) }
        return (output, evaluation.results)
    }

    private mutating func block(_ block: Int?) throws -> JSONValue {
        var open = outline.children(of: block)
        let all = open
        while !open.isEmpty {
            guard let next = open.firstIndex(where: { outline.entries[$0].needs.allSatisfy { results[$0] != nil } }) else {
                throw Violation("definitions", "the needs go round in a circle")
            }
            let child = open.remove(at: next)
            results[child] = try step(outline.entries[child], isInGraph: outline.isGraph(block))
        }
        guard outline.isGraph(block) else { return all.last.flatMap { results[$0]?.output } ?? .null }
        var map = JSONObject()
        for child in all where !all.contains(where: { outline.entries[$0].needs.contains(child) }) {
            map[outline.entries[child].step.id] = results[child]?.output ?? .null
        }
        return .object(map)
    }

    private mutating func step(_ entry: Outline.Entry, isInGraph: Bool) throws -> Result {
        let skipped = Result(status: .skipped, output: .null)
        if isInGraph, !entry.needs.isEmpty, entry.needs.allSatisfy({ results[$0]?.status == .skipped }) { return skipped }
        guard let holds = outline.conditionHolds(entry.index, scope(in: entry.parent)) else {
            throw Violation("definitions", "the condition of \(entry.path) cannot be evaluated")
        }
        guard holds else { return skipped }
        let answer: JSONValue
        switch entry.step.verb {
        case .agent: answer = DeterministicAgent.answer(entry.path, try entry.step.with.map { try render($0, in: entry.parent) } ?? [:])
        case .set(let template): answer = try render(template, in: entry.parent)
        case .block:
            let last = try block(entry.index)
            return Result(status: .succeeded, output: try entry.step.output.map { try render($0, in: entry.index) } ?? last)
        case .workflow, .parallel, .switch, .await, .approve, .sleep, .emit, .validate, .fail, .succeed:
            throw Violation("definitions", "\(entry.path) has a verb that no answer is known for")
        }
        return Result(status: .succeeded, output: try entry.step.output.map { try render($0, in: entry.parent, result: answer) } ?? answer)
    }

    private func scope(in block: Int?) -> Scope {
        outline.scope(in: block, input: input) { node in
            results[node].map { ["status": .string($0.status.rawValue), "output": $0.output, "error": nil] }
        }
    }

    private func render(_ template: JSONValue, in block: Int?, result: JSONValue? = nil) throws -> JSONValue {
        var scope = scope(in: block)
        if let result { scope["result"] = Value(result) }
        return try CompiledTemplate(template).render(scope)
    }
}
