// JSON text → the same tree with places. JSON is not left to the YAML parser, which refuses surrogate pairs in escapes.

import WorkflowModel

struct JSONDocument {
    private struct Stop: Error {
        let diagnostic: Diagnostic
    }

    private let source: SourceText
    private let limits: DefinitionLimits
    private var index = 0
    // The place told last: JSON often is one long line, and to count along it anew for every value would take for ever.
    private var told = (offset: 0, position: SourcePosition.start)
    private var nodeCount = 0
    private var bag = DiagnosticBag()

    /// Reads a JSON document. Nil where the text is none; the bag says why.
    static func read(_ source: SourceText, limits: DefinitionLimits, into bag: inout DiagnosticBag) -> DocumentNode? {
        var document = JSONDocument(source: source, limits: limits)
        var node: DocumentNode?
        do throws(Stop) {
            node = try document.value(.root, depth: 0)
            document.skipSpace()
            if document.index < source.bytes.count { throw document.stop("something follows the end of the document") }
        } catch {
            document.bag.add(error.diagnostic)
            node = nil
        }
        for diagnostic in document.bag.all { bag.add(diagnostic) }
        return node
    }

    private init(source: SourceText, limits: DefinitionLimits) {
        self.source = source
        self.limits = limits
    }

    private func stop(_ message: String, at offset: Int? = nil) -> Stop {
        Stop(
            diagnostic: Diagnostic(
                code: .syntax, message: "the file is no JSON: \(message)", path: "", position: source.position(of: offset ?? index)))
    }

    // The place of a byte; quick where the bytes are asked for in order.
    private mutating func position(of offset: Int) -> SourcePosition {
        guard offset >= told.offset, offset <= source.bytes.count else { return source.position(of: offset) }
        let passed = source.bytes[told.offset..<offset]
        if passed.contains(where: { $0 == 0x0A || $0 == 0x0D }) {
            told = (offset, source.position(of: offset))
        } else {
            let column = told.position.column + passed.count { $0 & 0xC0 != 0x80 }
            told = (offset, SourcePosition(line: told.position.line, column: column))
        }
        return told.position
    }

    private var byte: UInt8? { index < source.bytes.count ? source.bytes[index] : nil }

    private mutating func skipSpace() {
        while let byte, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { index += 1 }
    }

    private mutating func value(_ path: DocumentPath, depth: Int) throws(Stop) -> DocumentNode {
        skipSpace()
        let position = self.position(of: index)
        nodeCount += 1
        if nodeCount > limits.nodes { throw Stop(diagnostic: YAMLDocument.tooManyNodes(position, limits)) }
        if depth > limits.depth { throw Stop(diagnostic: YAMLDocument.tooDeep(position, limits)) }
        switch byte {
        case 0x7B: return try object(position, path, depth)
        case 0x5B: return try array(position, path, depth)
        case 0x22:
            let text = try string(path)
            return DocumentNode(.scalar(.string(text)), at: position, style: .doubleQuoted, text: text)
        default:
            let start = index
            while let byte, byte > 0x20, byte != 0x2C, byte != 0x5D, byte != 0x7D, byte != 0x3A { index += 1 }
            let value = try parse(start..<index, path)
            return DocumentNode(.scalar(value), at: position, text: String(decoding: source.bytes[start..<index], as: UTF8.self))
        }
    }

    // Strings, numbers and words are small: the document parser of the model reads them, so that there is one grammar for them.
    private mutating func parse(_ range: Range<Int>, _ path: DocumentPath) throws(Stop) -> JSONValue {
        do throws(JSONError) {
            return try JSONValue(parsing: String(decoding: source.bytes[range], as: UTF8.self), limits: .unlimited)
        } catch {
            let message: String
            switch error.problem {
            case .nulCharacter: message = "the character U+0000 cannot be stored"
            case .loneSurrogate: message = "half of a surrogate pair cannot be stored"
            case .numberOutOfRange: message = "the number is too large to be stored"
            case .syntax(let expected): throw stop(expected, at: range.lowerBound + error.offset)
            case .notUTF8, .duplicateKey, .tooDeep, .tooLarge: throw stop("\(error)", at: range.lowerBound)
            }
            let position = source.position(of: range.lowerBound + error.offset)
            bag.add(Diagnostic(code: .unstorable, message: message, path: path.text, position: position, fix: "leave it out"))
            return .null
        }
    }

    private mutating func string(_ path: DocumentPath) throws(Stop) -> String {
        let start = index
        index += 1
        while let byte, byte != 0x22 { index += byte == 0x5C ? 2 : 1 }
        guard byte != nil else { throw stop("the string is not closed", at: start) }
        index += 1
        return try parse(start..<index, path).stringValue ?? ""
    }

    private mutating func array(_ position: SourcePosition, _ path: DocumentPath, _ depth: Int) throws(Stop) -> DocumentNode {
        var nodes: [DocumentNode] = []
        index += 1
        skipSpace()
        if byte == 0x5D {
            index += 1
            return DocumentNode(.sequence(nodes), at: position)
        }
        while true {
            nodes.append(try value(.index(path, nodes.count), depth: depth + 1))
            skipSpace()
            guard byte == 0x2C || byte == 0x5D else { throw stop("a comma or a closing bracket is expected") }
            index += 1
            if source.bytes[index - 1] == 0x5D { return DocumentNode(.sequence(nodes), at: position) }
        }
    }

    private mutating func object(_ position: SourcePosition, _ path: DocumentPath, _ depth: Int) throws(Stop) -> DocumentNode {
        var members: [DocumentMember] = []
        var seen: [KeyBytes: SourcePosition] = [:]
        index += 1
        skipSpace()
        if byte == 0x7D {
            index += 1
            return DocumentNode(.mapping(members), at: position)
        }
        while true {
            skipSpace()
            let keyPosition = self.position(of: index)
            guard byte == 0x22 else { throw stop("a key in double quotes is expected") }
            let key = try string(path)
            skipSpace()
            guard byte == 0x3A else { throw stop("a colon is expected after the key") }
            index += 1
            let value = try value(.key(path, key), depth: depth + 1)
            if let first = seen[KeyBytes(key)] {
                bag.add(
                    YAMLDocument.duplicate(
                        key, keyPosition, firstLine: first.line, path: DocumentPath.key(path, key).text,
                        length: key.unicodeScalars.count + 2))
            } else {
                seen[KeyBytes(key)] = keyPosition
                members.append(DocumentMember(key: key, position: keyPosition, value: value))
            }
            skipSpace()
            guard byte == 0x2C || byte == 0x7D else { throw stop("a comma or a closing brace is expected") }
            index += 1
            if source.bytes[index - 1] == 0x7D { return DocumentNode(.mapping(members), at: position) }
        }
    }
}
