// The words of the language: which keys may stand where, what they take, which ones a later release will run, and what they are called
// elsewhere. The reader refuses by these tables, and the JSON Schema of the format is made from them.

/// A key of a mapping.
struct VocabularyKey: Sendable {
    /// The key.
    let name: String
    /// What it takes.
    let shape: ValueShape
    /// The part of the language that it belongs to; nil is always there.
    let part: LanguagePart?
    /// Whether it must be there.
    let isRequired: Bool
    /// What it does, in a sentence that editors show.
    let summary: String

    init(_ name: String, _ shape: ValueShape, _ summary: String, part: LanguagePart? = nil, isRequired: Bool = false) {
        self.name = name
        self.shape = shape
        self.part = part
        self.isRequired = isRequired
        self.summary = summary
    }
}

/// The keys of one kind of mapping.
struct Vocabulary: Sendable {
    /// What the mapping is, as messages call it.
    let what: String
    /// The keys, in the order in which messages and the schema list them.
    let keys: [VocabularyKey]
    /// Keys of which exactly one must be there: verbs, bodies.
    var exactlyOne: [String] = []
    /// The keys that belong to the language and that no release reads yet.
    let later: [String]
    /// What other tools call a key, and what it is called here.
    let elsewhere: [String: String]
    /// The names of all keys.
    let names: [String]
    private let places: [String: Int]

    init(
        what: String, keys: [VocabularyKey], exactlyOne: [String] = [], later: [String] = [], elsewhere: [String: String] = [:]
    ) {
        self.what = what
        self.keys = keys
        self.exactlyOne = exactlyOne
        self.later = later
        self.elsewhere = elsewhere
        names = keys.map(\.name)
        places = Dictionary(keys.enumerated().map { ($0.element.name, $0.offset) }, uniquingKeysWith: { first, _ in first })
    }

    /// The key of this name.
    func key(_ name: String) -> VocabularyKey? { places[name].map { keys[$0] } }

    /// The names of the keys that are there when these parts are.
    func names(in parts: Set<LanguagePart>) -> [String] {
        keys.filter { key in key.part.map { parts.contains($0) } ?? true }.map(\.name)
    }

    /// The key that was most likely meant.
    func suggestion(for key: String) -> String? {
        elsewhere[key] ?? Suggestion.closest(to: key, among: names + later)
    }
}
