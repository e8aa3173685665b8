// The closed list of what can be wrong with a workflow file. Raw codes are an interface: they never change their meaning.

/// The kind of a finding.
public enum DiagnosticCode: String, Sendable, Hashable, CaseIterable {
    // The text.

    /// The file holds no document.
    case emptyFile = "E2100"
    /// The text is no YAML or JSON.
    case syntax = "E2101"
    /// The file holds more than one document.
    case severalDocuments = "E2102"
    /// The file is larger, deeper or has more values than a workflow may have.
    case tooLarge = "E2103"
    /// A step is named that does not exist where it is named.
    case unknownStep = "E2104"
    /// An anchor or an alias.
    case alias = "E2105"
    /// A merge key, `<<`.
    case mergeKey = "E2106"
    /// A tag such as `!!str`.
    case tag = "E2107"
    /// A key that is not text.
    case keyNotText = "E2108"
    /// A key that occurs twice in one mapping.
    case duplicateKey = "E2109"
    /// Steps that wait for each other in a circle.
    case cycle = "E2110"
    /// A value that cannot be stored: U+0000, an infinite number.
    case unstorable = "E2111"

    // Keys and values.

    /// A key that the language does not know.
    case unknownKey = "E2112"
    /// A value of another type than the key takes.
    case wrongType = "E2113"
    /// A key that must be there is not.
    case missingKey = "E2114"
    /// A key or word that belongs to the language but that this release cannot run.
    case notYet = "E2115"
    /// A value outside its range.
    case outOfRange = "E2116"
    /// A word that is none of those that may stand here.
    case unknownWord = "E2117"
    /// A text that is no duration.
    case invalidDuration = "E2118"
    /// A text that is no size.
    case invalidSize = "E2119"

    // Expressions.

    /// An expression of a type that cannot stand here.
    case expressionType = "E2120"
    /// An expression that cannot be parsed.
    case expressionSyntax = "E2121"
    /// A name that means nothing where it stands.
    case unknownName = "E2122"
    /// A function that does not exist, or that is called in a way it cannot be.
    case unknownFunction = "E2123"
    /// A member that a step's state does not have.
    case unknownMember = "E2124"
    /// A reference to a step that cannot have run yet.
    case stepNotBefore = "E2125"
    /// A step that refers to its own outcome.
    case selfReference = "E2126"
    /// A secret where none may be.
    case misplacedSecret = "E2127"
    /// An expression where none is evaluated.
    case misplacedExpression = "E2128"
    /// An expression larger than it may be.
    case expressionTooLarge = "E2129"
    /// A constant that is none: a pattern, a timestamp.
    case invalidConstant = "E2139"

    // Workflows, blocks and steps.

    /// A name that is not formed as names are.
    case invalidName = "E2130"
    /// Two steps of one block, or two agents, with the same name.
    case duplicateName = "E2131"
    /// A step that does nothing.
    case noVerb = "E2132"
    /// A step that does two things.
    case severalVerbs = "E2133"
    /// A file or block with more than one of `steps`, `graph` and `states`.
    case severalBodies = "E2134"
    /// A block without steps.
    case emptyBlock = "E2135"
    /// `needs` outside of a graph.
    case needsOutsideGraph = "E2136"
    /// A step that is named twice in one `needs`.
    case duplicateNeed = "E2137"
    /// A modifier that the step's verb has no use for.
    case misplacedModifier = "E2138"

    /// Two keys that exclude each other.
    case conflictingKeys = "E2145"
    /// A name that means something else in expressions.
    case reservedName = "E2146"
    /// Workflows that always start each other.
    case unconditionalRecursion = "E2147"
    /// A retry that could do everything a second time.
    case unsafeRetry = "E2148"
    /// A workflow that is given what does not fit its input.
    case inputMismatch = "E2149"

    // Loops and joins.

    /// A step with more than one of `each`, `while` and `until`.
    case severalLoops = "E2150"
    /// A loop that nothing ends.
    case unboundedLoop = "E2151"
    /// A setting of loops on a step that is none, or on another kind of loop.
    case misplacedLoopSetting = "E2152"
    /// A share where no total is known.
    case shareWithoutTotal = "E2153"
    /// A text that is no percentage.
    case invalidShare = "E2154"
    /// A join policy that can never hold, or always does.
    case joinNeverHolds = "E2155"
    /// An `else` in front of other cases.
    case misplacedElse = "E2156"

    // State machines.

    /// A state is named that does not exist.
    case unknownState = "E2160"
    /// A state that no way leads to.
    case unreachableState = "E2161"
    /// A state from which no way leads to an end.
    case deadEnd = "E2162"

    // Agents.

    /// An agent that nobody knows.
    case unknownAgent = "E2140"
    /// The `noop` agent outside of tests and benchmarks.
    case noopRefused = "E2141"
    /// An address that cannot be called.
    case invalidURL = "E2142"
    /// A header field, environment variable or method that the protocol does not allow.
    case invalidHeader = "E2143"
    /// A JSON Schema that is none.
    case invalidSchema = "E2144"

    // Warnings.

    /// A default in the schema of the input that nothing in the file stands in for.
    case unusedDefault = "W2189"
    /// A word that YAML 1.1 took for a boolean; here it is text.
    case yamlWord = "W2190"
    /// A number with a leading zero, which some take for octal and others for text.
    case leadingZero = "W2191"
    /// A division of two whole numbers, which drops the remainder.
    case integerDivision = "W2192"
    /// A condition that is always true or always false.
    case constantCondition = "W2193"
    /// A word in `on` that is no failure type but looks like one.
    case unknownFailure = "W2194"

    /// A step behind one that always ends the block.
    case unreachableStep = "W2195"
    /// A transition behind one that is always taken.
    case unreachableTransition = "W2196"
    /// A state whose transitions may all be refused.
    case mayGetStuck = "W2197"
    /// A loop's variable that hides another one.
    case hiddenVariable = "W2198"
    /// An expression that can be evaluated, but hardly does what is meant.
    case doubtfulExpression = "W2199"

    /// How bad a finding of this kind is.
    public var severity: Diagnostic.Severity { rawValue.hasPrefix("W") ? .warning : .error }
}
