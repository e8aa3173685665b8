// Schemas that cannot be used and values that do not match: each with the sentence that people see.

import BadInput
import JSONSchema
import Testing
import WorkflowModel

@Suite("Wrong schemas and values")
struct BadSchemaTests {
    @Test("each is answered with the places and a sentence for each")
    func answers() async throws {
        try await CaseFile("schemas").check { item in
            let lines = item.body.split(separator: "\n").map(String.init)
            let schemaText = lines.first { $0.hasPrefix("schema: ") }.map { String($0.dropFirst(8)) } ?? item.title
            let value = lines.first { $0.hasPrefix("value: ") }.map { String($0.dropFirst(7)) }
            do throws(SchemaError) {
                let schema = try CompiledSchema((try? JSONValue(parsing: schemaText)) ?? .null, options: .workflow)
                guard let value else { return "no error" }
                let violations = schema.validate((try? JSONValue(parsing: value)) ?? .null)
                return violations.isEmpty ? "no error" : violations.map { "\($0.instancePointer.isEmpty ? "(whole)" : $0.instancePointer): \($0.message)" }.joined(separator: "\n")
            } catch {
                return "schema\(error.pointer.isEmpty ? "" : " at \(error.pointer)"): \(error.message)"
            }
        }
    }
}
