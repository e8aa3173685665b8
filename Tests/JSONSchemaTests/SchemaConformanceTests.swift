// The official test suite, all of it; what is left out is left out by a rule that says why.

import Foundation
import JSONSchema
import Testing
import WorkflowModel

@Suite("Conformance: JSON Schema draft 2020-12")
struct SchemaConformanceTests {
    /// What is left out, and why.
    private static let exclusions: [(reason: String, applies: @Sendable (ConformanceGroup) -> Bool)] = [
        ("schemas of other drafts are refused, not read", { $0.file == "optional/cross-draft.json" })
    ]

    @Test("every case of the official suite comes out as the suite says")
    func officialSuite() throws {
        guard let folder = ConformanceData.folder else {
            print("json-schema: skipped, there is no conformance data; set SKEIN_CONFORMANCE to its folder")
            return
        }
        let remotes = try ConformanceData.remotes(in: folder)
        var passed = 0
        var excluded: [String: Int] = [:]
        var failures: [String] = []
        for group in try ConformanceData.groups(in: folder) {
            if let rule = Self.exclusions.first(where: { $0.applies(group) }) {
                excluded[rule.reason, default: 0] += group.cases.count
                continue
            }
            for (test, problem) in Self.outcomes(of: group, remotes: remotes) {
                if let problem {
                    failures.append("\(test.file) | \(test.group) | \(test.name): \(problem)")
                } else {
                    passed += 1
                }
            }
        }
        print("json-schema: \(passed) passed, \(failures.count) failed, \(excluded.values.reduce(0, +)) excluded")
        for (reason, count) in excluded.sorted(by: { $0.key < $1.key }) { print("json-schema: \(count) excluded: \(reason)") }
        for failure in failures { print("json-schema: failed: \(failure)") }
        #expect(failures.isEmpty)
        #expect(passed > 0)
    }

    private static func outcomes(
        of group: ConformanceGroup, remotes: [String: JSONValue]
    ) -> [(ConformanceCase, problem: String?)] {
        let options = SchemaOptions(assertFormat: group.file.hasPrefix("optional/format/"))
        do throws(SchemaError) {
            let schema = try CompiledSchema(group.schema, documents: remotes, options: options)
            return group.cases.map { test in
                let violations = schema.validate(test.data)
                if violations.isEmpty != schema.isValid(test.data) { return (test, "validate and isValid disagree") }
                if violations.contains(where: { $0.keyword == "limit" || $0.message.isEmpty }) { return (test, "given up: \(violations)") }
                if violations.isEmpty == test.isValid { return (test, nil) }
                return (test, test.isValid ? "is valid, but \(violations.map(\.message))" : "is not valid, but was accepted")
            }
        } catch {
            return group.cases.map { ($0, "the schema is refused: \(error)") }
        }
    }

    @Test("the meta-schema of the draft accepts the schemas of the suite and itself")
    func metaSchemaAcceptsSchemas() throws {
        guard let folder = ConformanceData.folder else { return }
        let uri = "https://json-schema.org/draft/2020-12/schema"
        let metaSchema = try CompiledSchema(["$ref": .string(uri)])
        let groups = try ConformanceData.groups(in: folder).filter { $0.schema["$schema"]?.stringValue == uri }
        #expect(!groups.isEmpty)
        for group in groups {
            let violations = metaSchema.validate(group.schema)
            #expect(violations.isEmpty, "\(group.file) | \(group.name)")
        }
    }
}
