// Expressions that cannot work: each with the sentence that people see.

import BadInput
import Testing
import WorkflowModel

@testable import Expressions

@Suite("Wrong expressions")
struct BadExpressionTests {
    @Test("each is answered with one sentence and its place, by the checker or by its evaluation")
    func answers() async throws {
        try await CaseFile("expressions").check { item in
            let compiled: CompiledExpression
            do throws(ExpressionError) {
                compiled = try CompiledExpression(item.input)
            } catch {
                return "\(error.kind.rawValue), line \(error.line), column \(error.column): \(error.message)"
            }
            let findings = sampleTypes.check(compiled, expecting: .anything).findings
            if !findings.isEmpty {
                return findings.map { finding in
                    "\(finding.severity == .warning ? "warning, " : "")line \(finding.error.line), column \(finding.error.column): \(finding.error.message)"
                }.joined(separator: "\n")
            }
            do throws(ExpressionError) {
                return "no error: \(try compiled.evaluateJSON(sampleScope).compactText)"
            } catch {
                return "\(error.kind.rawValue) when evaluated, line \(error.line), column \(error.column): \(error.message)"
            }
        }
    }
}
