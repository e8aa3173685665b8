// How schemas are compiled, and what bounds them.

/// How a schema is compiled and used.
///
/// Inputs of workflows, results of agents and forms of approvals are checked with ``workflow``: whoever writes `format: date-time` there
/// expects it to be checked. The standard, and with it the default here, makes it a remark.
public struct SchemaOptions: Sendable, Hashable {
    /// Whether `format` is checked. The standard makes it a remark by default; a schema may ask for checks itself, through the
    /// vocabulary `format-assertion` of its meta-schema.
    public var assertFormat: Bool
    /// What a schema and a validation may cost.
    public var limits: SchemaLimits

    /// How the schemas in a workflow are used: `format` is checked.
    public static let workflow = SchemaOptions(assertFormat: true)

    /// Options.
    public init(assertFormat: Bool = false, limits: SchemaLimits = .standard) {
        self.assertFormat = assertFormat
        self.limits = limits
    }
}

/// What a schema and a validation may cost. What exceeds them is refused; nothing is cut off silently.
public struct SchemaLimits: Sendable, Hashable {
    /// The deepest nesting of a schema document.
    public var schemaDepth: Int
    /// The most subschemas, those reached in other documents included.
    public var subschemas: Int
    /// The longest `pattern`, in bytes.
    public var patternBytes: Int
    /// The deepest nesting of subschemas applied within one another in a validation.
    public var evaluationDepth: Int
    /// The most steps of a validation: about one for each subschema applied to a value.
    public var evaluationSteps: Int
    /// The most violations that are listed.
    public var violations: Int

    /// Limits.
    public init(
        schemaDepth: Int = 200, subschemas: Int = 20_000, patternBytes: Int = 1_024, evaluationDepth: Int = 1_000,
        evaluationSteps: Int = 2_000_000, violations: Int = 50
    ) {
        self.schemaDepth = schemaDepth
        self.subschemas = subschemas
        self.patternBytes = patternBytes
        self.evaluationDepth = evaluationDepth
        self.evaluationSteps = evaluationSteps
        self.violations = violations
    }

    /// What the server uses unless told otherwise.
    public static let standard = SchemaLimits()
}
