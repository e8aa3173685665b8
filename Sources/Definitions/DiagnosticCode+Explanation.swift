// The page behind each code: what happened, why it matters, what to do.

extension DiagnosticCode {
    /// A short page about findings of this kind: what happened, why it matters, what to do.
    public var explanation: String {
        let page = page
        return """
            \(rawValue): \(page.title)

            What happened: \(page.happened)
            Why: \(page.why)
            What to do: \(page.remedy)
            """
    }

    /// The heading of the page.
    public var title: String { page.title }

    struct Page {
        let title: String
        let happened: String
        let why: String
        let remedy: String
    }

    private var page: Page {
        switch self {
        case .emptyFile, .syntax, .severalDocuments, .tooLarge, .alias, .mergeKey, .tag, .keyNotText, .duplicateKey, .unstorable: textPage
        case .unknownKey, .wrongType, .missingKey, .notYet, .outOfRange, .unknownWord, .invalidDuration, .invalidSize: valuePage
        case .expressionType, .expressionSyntax, .unknownName, .unknownFunction, .unknownMember, .stepNotBefore, .selfReference,
            .misplacedSecret, .expressionInKey, .expressionTooLarge:
            expressionPage
        case .unknownStep, .cycle, .invalidName, .duplicateName, .noVerb, .severalVerbs, .severalBodies, .emptyBlock, .needsOutsideGraph,
            .duplicateNeed, .misplacedModifier:
            stepPage
        case .unknownAgent, .noopRefused, .invalidURL, .invalidHeader, .invalidSchema: agentPage
        case .yamlWord, .leadingZero, .integerDivision, .constantCondition, .unknownFailure: warningPage
        }
    }
}
