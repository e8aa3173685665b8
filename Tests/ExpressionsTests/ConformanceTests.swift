// The conformance suite of the language, which nobody on this project wrote. It is read from outside the package and skipped where it is
// not there.

import Foundation
import Testing

@testable import Expressions

@Suite("Conformance with the language definition")
struct ConformanceTests {
    @Test("every applicable case of the official suite passes in strict mode")
    func officialSuite() throws {
        guard !conformanceFiles.isEmpty else {
            print("cel: skipped, no suite in \(conformanceFolder.path)")
            return
        }
        var passed = 0
        var excluded: [String: Int] = [:]
        var failures: [String] = []
        for file in conformanceFiles {
            let suite = try JSONDecoder().decode(SuiteFile.self, from: Data(contentsOf: file))
            for section in suite.section {
                for test in section.test ?? [] {
                    if let reason = Exclusion.all.first(where: { $0.applies(test) })?.reason {
                        excluded[reason, default: 0] += 1
                    } else if let problem = test.problem() {
                        failures.append("\(suite.name)/\(section.name)/\(test.name): \(test.expr.prefix(120)): \(problem)")
                    } else {
                        passed += 1
                    }
                }
            }
        }
        print("cel: \(passed) passed, \(failures.count) failed, \(excluded.values.reduce(0, +)) excluded")
        for (reason, count) in excluded.sorted(by: { $0.key < $1.key }) { print("cel: excluded \(count): \(reason)") }
        for failure in failures { print("cel: failed \(failure)") }
        #expect(failures.isEmpty)
        #expect(passed > 0)
    }

    @Test("every expression of the official suite that has a value is checked without errors, and its type is the value's")
    func checker() throws {
        guard !conformanceFiles.isEmpty else {
            print("cel checker: skipped, no suite in \(conformanceFolder.path)")
            return
        }
        var passed = 0
        var failures: [String] = []
        for file in conformanceFiles {
            let suite = try JSONDecoder().decode(SuiteFile.self, from: Data(contentsOf: file))
            for section in suite.section {
                // What the suite does not want checked has operands of wrong types on purpose, where they are not evaluated.
                for test in section.test ?? [] where test.disable_check != true && !Exclusion.all.contains(where: { $0.applies(test) }) {
                    guard let scope = test.scope, let expression = try? CompiledExpression(test.expr, mode: .strict),
                        let value = try? expression.evaluate(scope)
                    else { continue }
                    let checked = TypeCheck(test.declarations).check(expression)
                    let place = "\(suite.name)/\(section.name)/\(test.name): \(test.expr.prefix(120)): "
                    if let finding = checked.findings.first(where: { $0.severity == .error }) {
                        failures.append(place + "\(finding.error)")
                    } else if let kinds = checked.type.kinds, !kinds.contains(value.typeName) {
                        failures.append(place + "the type is \(checked.type.words), and the value is \(value.typeName.rawValue)")
                    } else {
                        passed += 1
                    }
                }
            }
        }
        print("cel checker: \(passed) passed, \(failures.count) failed")
        for failure in failures { print("cel checker: failed \(failure)") }
        #expect(failures.isEmpty)
        #expect(passed > 0)
    }
}

/// What a case needs that this implementation does not have by design. By rule, never by name.
struct Exclusion: Sendable {
    let reason: String
    let applies: @Sendable (SuiteCase) -> Bool

    static let all: [Exclusion] = [
        Exclusion(reason: "sets a container: there are no protobuf packages whose names could be resolved") { $0.container != nil },
        Exclusion(reason: "expects the type of a protobuf message, a wrapper or a type parameter") { test in
            test.typed_result?.deduced_type.map { $0.type == nil } ?? false
        },
        Exclusion(reason: "declares functions of its own: there are those of the language") { test in
            test.type_env?.contains { $0.function != nil } ?? false
        },
        Exclusion(reason: "evaluates with unknown data: a run knows its data or is not there yet") {
            $0.unknown != nil || $0.any_unknowns != nil
        },
        Exclusion(reason: "builds a protobuf message") { test in
            zip(test.tokens, test.tokens.dropFirst()).contains { first, second in
                if case .identifier(let name) = first, name != "in", second == .symbol(.leftBrace) { true } else { false }
            }
        },
        Exclusion(reason: "names a protobuf type other than Timestamp and Duration") { test in
            zip(test.tokens, test.tokens.dropFirst(4)).contains { first, fifth in
                guard first == .identifier("google"), case .identifier(let name) = fifth else { return false }
                return name != "Timestamp" && name != "Duration"
            }
        },
        Exclusion(reason: "has a protobuf message among its values") { test in
            ([test.value] + (test.bindings ?? [:]).values.map(\.value)).contains { $0?.holdsMessage == true }
        },
    ]
}
