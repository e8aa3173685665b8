// YAML text → a tree with places. The parser is Yams; what it must not see is refused before (YAMLScan), what it says is put into words.

import WorkflowModel
import Yams

struct YAMLDocument {
    let source: SourceText
    let limits: DefinitionLimits
    private let corrections: [Int: [(column: Int, count: Int)]]
    // The line of the first of two equal keys, by the place of the second.
    private let firstLines: [SourcePosition: Int]
    private var bag = DiagnosticBag()
    private var nodeCount = 0
    private var last = SourcePosition.start
    private var failed = false

    /// Stands behind a key that its mapping has already, so that the parser, which knows no way on from a duplicate, reads the rest too.
    private static let duplicateMark: Unicode.Scalar = "\u{E000}"

    /// Reads the one document of a file. Nil where there is none that could be looked at; the bag says why.
    static func read(_ source: SourceText, limits: DefinitionLimits, into bag: inout DiagnosticBag) -> DocumentNode? {
        if let refusal = forbiddenCharacter(source) {
            bag.add(refusal)
            return nil
        }
        let scan = YAMLScan(source.bytes, flowDepthLimit: limits.depth)
        report(scan, source, into: &bag)
        if let offset = scan.tooDeep {
            bag.add(tooDeep(source.position(of: offset), limits))
            return nil
        }
        guard scan.aliases.isEmpty else { return nil }
        var document = YAMLDocument(source, limits, scan)
        document.failed = scan.hasTooManyDuplicates
        let node = document.failed ? nil : document.compose(marked(source, scan), scan)
        for diagnostic in document.bag.all { bag.add(diagnostic) }
        guard !document.failed else {
            for duplicate in scan.duplicates { bag.add(document.duplicate(duplicate)) }
            return nil
        }
        return node
    }

    private init(_ source: SourceText, _ limits: DefinitionLimits, _ scan: YAMLScan) {
        self.source = source
        self.limits = limits
        var corrections: [Int: [(column: Int, count: Int)]] = [:]
        for (number, duplicate) in scan.duplicates.enumerated() {
            let position = source.position(of: duplicate.key.end)
            corrections[position.line, default: []].append((position.column, number + 1))
        }
        self.corrections = corrections
        firstLines = Dictionary(
            scan.duplicates.map { (source.position(of: $0.key.offset), source.position(of: $0.firstOffset).line) }, uniquingKeysWith: { $1 }
        )
    }

    // The n-th duplicate gets n marks, so that all keys differ.
    private static func marked(_ source: SourceText, _ scan: YAMLScan) -> String {
        guard !scan.duplicates.isEmpty else { return source.text }
        var bytes: [UInt8] = []
        var copied = 0
        let ends = scan.duplicates.enumerated().sorted { $0.element.key.end < $1.element.key.end }
        for (number, duplicate) in ends {
            bytes.append(contentsOf: source.bytes[copied..<duplicate.key.end])
            for _ in 0...number { bytes.append(contentsOf: UTF8.encode(duplicateMark) ?? .init()) }
            copied = duplicate.key.end
        }
        bytes.append(contentsOf: source.bytes[copied...])
        return String(decoding: bytes, as: UTF8.self)
    }

    // MARK: Before the parser

    // Control characters, and the line separators that YAML 1.1 takes for line breaks and YAML 1.2 and every editor do not.
    private static func forbiddenCharacter(_ source: SourceText) -> Diagnostic? {
        var offset = 0
        for scalar in source.text.unicodeScalars {
            let value = scalar.value
            let isControl = (value < 0x20 && value != 0x09 && value != 0x0A && value != 0x0D) || (0x7F...0x9F).contains(value)
            if isControl || value == 0x2028 || value == 0x2029 || value == 0xFEFF || value == 0xFFFE || value == 0xFFFF {
                let digits = String(value, radix: 16, uppercase: true)
                let name = String(repeating: "0", count: max(0, 4 - digits.count)) + digits
                return Diagnostic(
                    code: .syntax, message: "the invisible character U+\(name) may not stand in a workflow file", path: "",
                    position: source.position(of: offset), fix: "remove it, or write \"\\u\(name)\" inside double quotes")
            }
            offset += UTF8.width(scalar)
        }
        return nil
    }

    private static func report(_ scan: YAMLScan, _ source: SourceText, into bag: inout DiagnosticBag) {
        let mergeLines = Set(scan.mergeKeys.map { source.position(of: $0.offset).line })
        for key in scan.mergeKeys {
            bag.add(
                Diagnostic(
                    code: .mergeKey, message: "merge keys (<<) are not part of YAML 1.2 and are not taken", path: "",
                    position: source.position(of: key.offset), length: 2, fix: "write the keys out, or use `defaults`"))
        }
        func refuse(_ ranges: [Range<Int>], _ code: DiagnosticCode, _ what: String, _ fix: String) {
            for range in ranges {
                let position = source.position(of: range.lowerBound)
                if code == .alias, mergeLines.contains(position.line) { continue }
                let text = Wording.quoted(String(decoding: source.bytes[range], as: UTF8.self))
                bag.add(
                    Diagnostic(
                        code: code, message: "\(what) \(text) is not taken", path: "", position: position, length: range.count, fix: fix))
            }
        }
        refuse(scan.anchors, .alias, "the anchor", "write the value out where it is needed, or use `defaults`")
        refuse(scan.aliases, .alias, "the alias", "write the value out; text that begins with * belongs in quotes")
        refuse(scan.tags, .tag, "the tag", "leave it out; text that begins with ! belongs in quotes")
    }

    private func duplicate(_ duplicate: YAMLScan.Duplicate) -> Diagnostic {
        Self.duplicate(
            String(decoding: duplicate.key.name, as: UTF8.self), source.position(of: duplicate.key.offset),
            firstLine: source.position(of: duplicate.firstOffset).line, path: "", length: duplicate.key.text.count)
    }

    static func duplicate(_ key: String, _ position: SourcePosition, firstLine: Int, path: String, length: Int) -> Diagnostic {
        Diagnostic(
            code: .duplicateKey, message: "the key \(Wording.quoted(key)) stands here already, in line \(firstLine)", path: path,
            position: position, length: length, fix: "keep one of the two")
    }

    static func tooDeep(_ position: SourcePosition, _ limits: DefinitionLimits) -> Diagnostic {
        Diagnostic(
            code: .tooLarge, message: "the file is nested deeper than \(limits.depth) levels", path: "", position: position,
            fix: "move inner blocks into workflows of their own")
    }

    // MARK: The parser

    private mutating func compose(_ text: String, _ scan: YAMLScan) -> DocumentNode? {
        do {
            let parser = try Parser(yaml: text, resolver: .basic, constructor: .default, encoding: .utf8)
            guard let root = try parser.singleRoot() else { return nil }
            return convert(root, .root, depth: 0)
        } catch let error as YamlError {
            failed = true
            bag.add(words(for: error, scan))
        } catch {
            failed = true
            bag.add(Diagnostic(code: .syntax, message: "the file cannot be read as YAML: \(error)", path: "", position: .start))
        }
        return nil
    }

    func corrected(_ mark: Mark?) -> SourcePosition {
        guard let mark else { return last }
        var shift = 0
        for insertion in corrections[mark.line] ?? [] where mark.column > insertion.column + shift { shift += insertion.count }
        return SourcePosition(line: mark.line, column: mark.column - shift)
    }

    private mutating func convert(_ node: Node, _ path: DocumentPath, depth: Int) -> DocumentNode? {
        guard !failed else { return nil }
        let position = corrected(node.mark)
        nodeCount += 1
        if depth > limits.depth {
            failed = true
            bag.add(Self.tooDeep(position, limits))
            return nil
        }
        if nodeCount > limits.nodes {
            failed = true
            bag.add(Self.tooManyNodes(position, limits))
            return nil
        }
        guard advance(to: position) else { return nil }
        switch node {
        case .scalar(let scalar): return self.scalar(scalar, position, path)
        case .sequence(let sequence):
            var nodes: [DocumentNode] = []
            nodes.reserveCapacity(sequence.count)
            for (index, element) in sequence.enumerated() {
                if let element = convert(element, .index(path, index), depth: depth + 1) { nodes.append(element) }
            }
            return DocumentNode(.sequence(nodes), at: position)
        case .mapping(let mapping):
            var members: [DocumentMember] = []
            members.reserveCapacity(mapping.count)
            for (key, value) in mapping {
                guard !failed else { return nil }
                let keyPosition = corrected(key.mark)
                guard advance(to: keyPosition) else { return nil }
                let name = self.key(key, keyPosition, path)
                if let value = convert(value, name.map { .key(path, $0) } ?? path, depth: depth + 1), let name {
                    members.append(DocumentMember(key: name, position: keyPosition, value: value))
                }
            }
            return DocumentNode(.mapping(members), at: position)
        case .alias:
            failed = true
            return nil
        }
    }

    // A node that stands before the one read last came in through an alias; the scan should have refused it.
    private mutating func advance(to position: SourcePosition) -> Bool {
        if position < last {
            failed = true
            bag.add(Diagnostic(code: .alias, message: "aliases are not taken", path: "", position: last, fix: "write the value out"))
        }
        last = position
        return !failed
    }

    static func tooManyNodes(_ position: SourcePosition, _ limits: DefinitionLimits) -> Diagnostic {
        Diagnostic(
            code: .tooLarge, message: "the file has more than \(limits.nodes) values", path: "", position: position,
            fix: "hand large data over as the run's input instead of writing it into the workflow")
    }

    // MARK: Scalars

    private mutating func scalar(_ scalar: Node.Scalar, _ position: SourcePosition, _ path: DocumentPath) -> DocumentNode {
        let style: DocumentNode.Style =
            switch scalar.style {
            case .any, .plain: .plain
            case .singleQuoted: .singleQuoted
            case .doubleQuoted: .doubleQuoted
            case .literal: .literal
            case .folded: .folded
            }
        let text = scalar.string
        func node(_ value: JSONValue) -> DocumentNode { DocumentNode(.scalar(value), at: position, style: style, text: text) }
        if text.utf8.contains(0) {
            bag.add(Self.nulCharacter(position, path))
            return node(.string(""))
        }
        guard style == .plain else { return node(.string(text)) }
        guard let value = CoreSchema.resolve(text) else {
            bag.add(
                Diagnostic(
                    code: .unstorable, message: "the number \(Wording.quoted(text)) cannot be stored as JSON", path: path.text,
                    position: position,
                    length: text.count, fix: "put it in quotes if it is meant as text"))
            return node(.null)
        }
        if CoreSchema.isOldBoolean(text) {
            bag.add(
                Diagnostic(
                    code: .yamlWord, message: "\(Wording.quoted(text)) is text here, not a boolean", path: path.text, position: position,
                    length: text.count, fix: "write true or false, or put the text in quotes"))
        } else if CoreSchema.hasLeadingZero(text) {
            bag.add(
                Diagnostic(
                    code: .leadingZero, message: "\(text) is read as the number \(value.compactText)", path: path.text, position: position,
                    length: text.count, fix: "put it in quotes if it is meant as text"))
        }
        return node(value)
    }

    static func nulCharacter(_ position: SourcePosition, _ path: DocumentPath) -> Diagnostic {
        Diagnostic(
            code: .unstorable, message: "the character U+0000 cannot be stored", path: path.text, position: position, fix: "leave it out")
    }

    // A key that can be used: plain or quoted text. The second of two equal keys is dropped; it has been reported.
    private mutating func key(_ node: Node, _ position: SourcePosition, _ path: DocumentPath) -> String? {
        guard case .scalar(let scalar) = node else {
            bag.add(
                Diagnostic(
                    code: .keyNotText, message: "a list or mapping cannot be a key", path: path.text, position: position,
                    fix: "an expression such as ${{ … }} belongs in double quotes"))
            return nil
        }
        let text = scalar.string
        if text.unicodeScalars.last == Self.duplicateMark, let firstLine = firstLines[position] {
            var key = text
            while key.unicodeScalars.last == Self.duplicateMark { key.unicodeScalars.removeLast() }
            bag.add(
                Self.duplicate(
                    key, position, firstLine: firstLine, path: DocumentPath.key(path, key).text, length: key.unicodeScalars.count))
            return nil
        }
        if text.utf8.contains(0) {
            bag.add(Self.nulCharacter(position, path))
            return nil
        }
        if scalar.style == .plain || scalar.style == .any, text != "<<" {
            guard case .string = CoreSchema.resolve(text) else {
                let value = text.isEmpty ? "an empty key" : "the key \(text)"
                bag.add(
                    Diagnostic(
                        code: .keyNotText, message: "\(value) is not text", path: path.text, position: position, length: text.count,
                        fix: text.isEmpty ? "name it" : "put it in quotes: \"\(text)\""))
                return nil
            }
        }
        return text == "<<" && scalar.style == .plain ? nil : text
    }
}
