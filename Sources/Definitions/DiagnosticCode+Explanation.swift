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
}
