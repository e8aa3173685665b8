// How an input that does not fit its schema is shown.

import JSONSchema
public import WorkflowModel

extension SubmitAnswer {
    /// Every place where the input differs from the workflow's schema, as a JSON array; nil unless the input is what was wrong.
    ///
    /// Pointers begin with `/input`, because that is where the input stands in a request.
    public var inputErrors: JSONValue? {
        guard case .invalidInput(let violations) = self else { return nil }
        return .array(
            violations.map { violation in
                [
                    "pointer": .string("/input" + violation.instancePointer), "keyword": .string(violation.keyword),
                    "schema_pointer": .string(violation.schemaPointer), "message": .string(violation.message),
                ]
            })
    }
}
