// Tree → definition. Every method reads one part of the language, reports what is wrong with it, and goes on.

import Expressions
import WorkflowModel

struct DefinitionReader {
    let options: DecodingOptions
    /// The file, where there is one; nil for what comes from the database, whose expressions have been checked when it was registered.
    let source: SourceText?
    var bag = DiagnosticBag()
    /// The type of the run's input.
    var inputType: StaticType = .anything
    /// The agents that steps may name.
    var agentNames: [String] = []
    /// The workflows that are started, in the order in which they were read.
    var calls: [WorkflowReference] = []
    /// Whether what is being read happens in every run that gets so far.
    var isCertain = true
    // How many more words may be compared: a huge file with a mistake in every line gets no suggestions towards its end.
    private var comparisons = 50_000

    init(options: DecodingOptions, source: SourceText?) {
        self.options = options
        self.source = source
    }

    // MARK: Reporting

    mutating func report(_ code: DiagnosticCode, _ message: @autoclosure () -> String, at field: Field, fix: String? = nil) {
        if bag.isFull { return }
        bag.add(
            Diagnostic(
                code: code, message: message(), path: field.path.text, position: field.node.position, length: field.node.length, fix: fix))
    }

    /// The candidate that `word` was most likely meant to be.
    mutating func closest(to word: String, among candidates: [String]) -> String? {
        guard !bag.isFull, comparisons >= candidates.count else { return nil }
        comparisons -= candidates.count
        return Suggestion.closest(to: word, among: candidates)
    }

    /// Reports a key rather than its value.
    mutating func reportKey(
        _ code: DiagnosticCode, _ message: @autoclosure () -> String, _ member: DocumentMember, in parent: DocumentPath, fix: String? = nil
    ) {
        if bag.isFull { return }
        bag.add(
            Diagnostic(
                code: code, message: message(), path: DocumentPath.key(parent, member.key).text, position: member.position,
                length: member.key.unicodeScalars.count, fix: fix))
    }

    /// Reports a key that the user has named, where it is not formed as such names are.
    mutating func checkName(of member: DocumentMember, _ pattern: NamePattern, in parent: DocumentPath) {
        if pattern.matches(member.key) { return }
        reportKey(
            .invalidName, "\(Wording.quoted(member.key)) cannot be \(pattern.what): it takes \(pattern.rule)", member, in: parent,
            fix: pattern.made(from: member.key).map { "for example \($0)" })
    }

    mutating func wrongType(_ field: Field, expected: String, fix: String? = nil) {
        report(.wrongType, "\(Self.subject(field)) takes \(expected), but this is \(field.node.kindName)", at: field, fix: fix)
    }

    /// What a message calls a value: the key it belongs to.
    static func subject(_ field: Field) -> String {
        switch field.path {
        case .root: "the file"
        case .key(_, let key): "`\(key)`"
        case .index(.key(_, let key), _): "an entry of `\(key)`"
        case .index: "an entry"
        }
    }

    // MARK: Mappings

    /// A mapping whose keys have been checked against a vocabulary.
    struct Entries {
        let field: Field
        let vocabulary: Vocabulary
        let members: [DocumentMember]
        let parts: Set<LanguagePart>

        func member(_ key: String) -> DocumentMember? { members.first { $0.key == key } }

        /// The value of a key; nil where the key is not there, or not yet.
        subscript(key: String) -> Field? {
            guard let member = member(key) else { return nil }
            if let part = vocabulary.key(key)?.part, !parts.contains(part) { return nil }
            return field.member(member)
        }
    }

    /// Takes a mapping and reports the keys that do not belong into it.
    mutating func entries(_ field: Field, _ vocabulary: Vocabulary) -> Entries? {
        guard let members = field.members else {
            report(.wrongType, "\(vocabulary.what) is a mapping, but this is \(field.node.kindName)", at: field)
            return nil
        }
        for member in members {
            if bag.isFull { break }
            let key = vocabulary.key(member.key)
            if let key, key.part.map({ options.parts.contains($0) }) ?? true { continue }
            if key != nil || vocabulary.later.contains(member.key) {
                reportKey(
                    .notYet, "`\(member.key)` belongs to the language, but this release cannot run it yet", member, in: field.path,
                    fix: "leave it out for now")
                continue
            }
            if vocabulary.exactlyOne == Vocabulary.verbs, Vocabulary.bodies.contains(member.key) {
                reportKey(
                    .unknownKey, "\(vocabulary.what) has no key \(Wording.quoted(member.key)): a block stands below the verb `do`", member,
                    in: field.path, fix: "write do: { \(member.key): … }")
                continue
            }
            let suggestion = vocabulary.suggestion(for: member.key)
            reportKey(
                .unknownKey, "\(vocabulary.what) has no key \(Wording.quoted(member.key))", member, in: field.path,
                fix: suggestion.map { "did you mean \"\($0)\"?" }
                    ?? "\(vocabulary.what) has \(Wording.some(vocabulary.names(in: options.parts), limit: 16))")
        }
        return Entries(field: field, vocabulary: vocabulary, members: members, parts: options.parts)
    }

    /// The value of a key that must be there.
    mutating func required(_ key: String, in entries: Entries, _ what: String, fix: String) -> Field? {
        if let field = entries[key] { return field }
        report(.missingKey, "\(what) needs `\(key)`", at: entries.field, fix: fix)
        return nil
    }
}
