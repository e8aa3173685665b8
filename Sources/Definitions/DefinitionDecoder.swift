// The entrance: text in, definition and findings out.

public import WorkflowModel

/// A workflow file after decoding.
public struct DecodedDefinition: Sendable {
    /// The definition; nil where there are errors.
    public let definition: WorkflowDefinition?
    /// Everything that was found, in the order of the file.
    public let diagnostics: [Diagnostic]
    /// The workflows that it starts: sub-workflows and chained ones, in the order of the file.
    public let calls: [WorkflowReference]

    init(definition: WorkflowDefinition?, diagnostics: [Diagnostic], calls: [WorkflowReference] = []) {
        self.definition = definition
        self.diagnostics = diagnostics
        self.calls = calls
    }

    /// Whether the definition can be registered. Warnings do not count.
    public var isValid: Bool { definition != nil }
    /// The findings that stand in the way.
    public var errors: [Diagnostic] { diagnostics.filter { $0.severity == .error } }
}

/// Reads workflow files.
public enum DefinitionDecoder {
    /// Decodes and checks a workflow file.
    ///
    /// All findings come at once, in the order of the file. What the text may cost is bounded by `options.limits`, whoever wrote it.
    ///
    /// - Parameters:
    ///   - text: YAML or JSON; which of them is decided by the content and, where that leaves it open, by the name.
    ///   - fileName: the name of the file.
    ///   - options: what is allowed beside the language itself.
    public static func decode(_ text: String, fileName: String, options: DecodingOptions = DecodingOptions()) -> DecodedDefinition {
        var bag = DiagnosticBag()
        guard text.utf8.count <= options.limits.bytes else {
            bag.add(
                Diagnostic(
                    code: .tooLarge, message: "the file has \(text.utf8.count) bytes; a workflow has at most \(options.limits.bytes)",
                    path: "",
                    position: .start, fix: "hand large data over as the run's input instead of writing it into the workflow"))
            return DecodedDefinition(definition: nil, diagnostics: bag.sorted)
        }
        let source = SourceText(text)
        guard let root = document(source, fileName, options.limits, &bag) else {
            if bag.errorCount == 0 {
                bag.add(
                    Diagnostic(
                        code: .emptyFile, message: "the file is empty", path: "", position: .start, fix: "begin it with workflow: NAME"))
            }
            return DecodedDefinition(definition: nil, diagnostics: bag.sorted)
        }
        var reader = DefinitionReader(options: options, source: source)
        reader.bag = bag
        if case .scalar(.null) = root.content, bag.errorCount == 0 {
            reader.report(.emptyFile, "the file is empty", at: Field(node: root, path: .root), fix: "begin it with workflow: NAME")
            return DecodedDefinition(definition: nil, diagnostics: reader.bag.sorted)
        }
        return finish(&reader, root)
    }

    /// Decodes what the database holds: a definition that was checked when it was registered. Its expressions are not compiled again.
    public static func decode(json: JSONValue) -> DecodedDefinition {
        var reader = DefinitionReader(options: DecodingOptions(allowNoop: true, parts: Set(LanguagePart.allCases)), source: nil)
        return finish(&reader, DocumentNode(json))
    }

    /// Decodes an agent alone, as `DefinitionEncoder.json(agent:)` wrote it; nil when this release does not understand it.
    public static func decode(agent json: JSONValue) -> AgentDefinition? {
        var reader = DefinitionReader(options: DecodingOptions(allowNoop: true, parts: Set(LanguagePart.allCases)), source: nil)
        let agent = reader.agent(Field(node: DocumentNode(json), path: .root))
        return reader.bag.errorCount == 0 ? agent : nil
    }

    private static func finish(_ reader: inout DefinitionReader, _ root: DocumentNode) -> DecodedDefinition {
        let definition = reader.workflow(Field(node: root, path: .root))
        if reader.source != nil, let name = definition?.name, !name.isEmpty {
            for call in reader.calls where call.workflow == name {
                if call.isCertain { reader.bag.add(call.recursion(along: [name])) }
                if let mismatch = definition.flatMap({ call.mismatch(with: $0) }) { reader.bag.add(mismatch) }
            }
        }
        return DecodedDefinition(
            definition: reader.bag.errorCount == 0 ? definition : nil, diagnostics: reader.bag.sorted, calls: reader.calls)
    }

    // JSON begins with a brace and a quoted key. So may a YAML file; it is JSON unless it can only be read as YAML.
    private static func document(_ source: SourceText, _ fileName: String, _ limits: DefinitionLimits, _ bag: inout DiagnosticBag)
        -> DocumentNode?
    {
        let visible = source.bytes.lazy.filter { $0 != 0x20 && $0 != 0x0A && $0 != 0x0D && $0 != 0x09 }.prefix(2)
        let start = Array(visible)
        let isNamedJSON = fileName.lowercased().hasSuffix(".json")
        guard isNamedJSON && !start.isEmpty || start == [0x7B, 0x22] || start == [0x7B, 0x7D] else {
            return YAMLDocument.read(source, limits: limits, into: &bag)
        }
        var jsonBag = DiagnosticBag()
        let json = JSONDocument.read(source, limits: limits, into: &jsonBag)
        if json == nil, !isNamedJSON {
            var yamlBag = DiagnosticBag()
            if let yaml = YAMLDocument.read(source, limits: limits, into: &yamlBag), yamlBag.errorCount == 0 {
                for diagnostic in yamlBag.all { bag.add(diagnostic) }
                return yaml
            }
        }
        for diagnostic in jsonBag.all { bag.add(diagnostic) }
        return json
    }
}
