// Data in YAML or JSON, read with the same care as workflow files.

public import WorkflowModel

/// A document of data: what `skein expr --data` and tests of expressions read.
public struct DataDocument: Sendable {
    /// The value; nil where the text has errors.
    public let value: JSONValue?
    /// What is wrong with the text.
    public let diagnostics: [Diagnostic]

    /// Reads YAML or JSON; JSON is what can be read as such.
    public static func read(_ text: String, limits: DefinitionLimits = DefinitionLimits(bytes: 16 << 20, depth: 200, nodes: 1_000_000))
        -> DataDocument
    {
        if let value = try? JSONValue(parsing: text, limits: JSONLimits(bytes: limits.bytes, depth: limits.depth)) {
            return DataDocument(value: value, diagnostics: [])
        }
        var bag = DiagnosticBag()
        guard text.utf8.count <= limits.bytes else {
            bag.add(
                Diagnostic(
                    code: .tooLarge, message: "the data has \(text.utf8.count) bytes; at most \(limits.bytes) are read", path: "",
                    position: .start, fix: "keep only what the expression needs"))
            return DataDocument(value: Optional.none, diagnostics: bag.sorted)
        }
        let node = YAMLDocument.read(SourceText(text), limits: limits, into: &bag)
        // `nil` alone would be the JSON value null.
        if bag.errorCount > 0 { return DataDocument(value: Optional.none, diagnostics: bag.sorted) }
        // So is an empty document.
        return DataDocument(value: node?.json ?? .null, diagnostics: bag.sorted)
    }
}
