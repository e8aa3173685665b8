// A first look at a YAML text, before the parser sees it: what it must not contain, found without building anything.
//
// The parser resolves aliases and hashes the keys of every mapping; a key that is an alias of aliases makes that exponential. So aliases
// are refused before it runs. The same look finds duplicate keys (with both places, which the parser does not tell) and flow nesting.
// It reads a text exactly as the parser's own scanner does, up to the first error; from there on the parser complains anyway.

import WorkflowModel

struct YAMLScan {
    /// A key and where it stands.
    struct Key: Sendable {
        let text: [UInt8]
        let offset: Int
        /// Where the characters of the key end; before the closing quote of a quoted one.
        let end: Int

        /// The key without its opening quote.
        var name: ArraySlice<UInt8> { text.first == 0x22 || text.first == 0x27 ? text.dropFirst() : text[...] }
    }

    /// A key that its mapping has already.
    struct Duplicate {
        let key: Key
        let firstOffset: Int
    }

    /// Of each kind so many are told; a file with more is hostile, and telling a place costs the length of its line.
    static let reportLimit = 100

    private(set) var anchors: [Range<Int>] = []
    private(set) var aliases: [Range<Int>] = []
    private(set) var tags: [Range<Int>] = []
    private(set) var mergeKeys: [Key] = []
    private(set) var duplicates: [Duplicate] = []
    private(set) var hasTooManyDuplicates = false
    /// The first tab that indents a line.
    private(set) var indentingTab: Int?
    /// Where flow collections are nested deeper than the limit.
    private(set) var tooDeep: Int?

    private let bytes: [UInt8]
    private let flowDepthLimit: Int
    private var index = 0
    private var lineStart = 0
    // The column of the innermost block entry: block scalars and the lines of plain ones are indented deeper than it.
    private var blockColumn = -1
    private var flow: [Level] = []
    private var blocks: [Level] = []
    private var atLineStart = true

    // A mapping that is being read, or a flow sequence, whose `a: 1, a: 2` are mappings of their own.
    private struct Level {
        var column = -1
        var isSequence = false
        var keys: [KeyBytes: Int] = [:]

        // Where the key stands already; remembers it where it does not.
        mutating func first(_ name: KeyBytes, _ offset: Int) -> Int? {
            if let first = keys[name] { return first }
            keys[name] = offset
            return nil
        }
    }

    init(_ bytes: [UInt8], flowDepthLimit: Int) {
        self.bytes = bytes
        self.flowDepthLimit = flowDepthLimit
        run()
    }

    private mutating func run() {
        while index < bytes.count, tooDeep == nil {
            let byte = bytes[index]
            switch byte {
            case 0x0A, 0x0D: newLine()
            case 0x20: index += 1
            case 0x09:
                if atLineStart, flow.isEmpty, indentingTab == nil { indentingTab = index }
                index += 1
            case 0x23: skipLine()
            case 0x22, 0x27: quoted(byte)
            case 0x5B, 0x7B: openFlow()
            case 0x5D, 0x7D:
                index += 1
                if !flow.isEmpty { flow.removeLast() }
            case 0x2C where !flow.isEmpty: index += 1
            case 0x26 where isNameByte(index + 1): Self.keep(word(), in: &anchors)
            case 0x2A where isNameByte(index + 1): Self.keep(word(), in: &aliases)
            case 0x21: Self.keep(word(), in: &tags)
            case 0x7C where flow.isEmpty, 0x3E where flow.isEmpty: blockScalar()
            case 0x2D where flow.isEmpty && isBreakOrSpace(index + 1): entry()
            case 0x3F where !flow.isEmpty: index += 1
            case 0x3F where isBreakOrSpace(index + 1): entry()
            case 0x3A where isBreakOrSpace(index + 1) || !flow.isEmpty: index += 1
            case 0x2D where index == lineStart && marker(0x2D), 0x2E where index == lineStart && marker(0x2E): documentMarker()
            case 0x25 where index == lineStart: skipLine()
            default: plain()
            }
            if byte != 0x20, byte != 0x09, byte != 0x0A, byte != 0x0D { atLineStart = false }
        }
    }

    // MARK: Characters

    private var column: Int { index - lineStart }

    private func isSpace(_ position: Int) -> Bool {
        position < bytes.count && (bytes[position] == 0x20 || bytes[position] == 0x09)
    }

    private func isBreak(_ position: Int) -> Bool { position < bytes.count && (bytes[position] == 0x0A || bytes[position] == 0x0D) }

    private func isBreakOrSpace(_ position: Int) -> Bool { position >= bytes.count || isBreak(position) || isSpace(position) }

    private func isFlowIndicator(_ position: Int) -> Bool {
        guard position < bytes.count else { return false }
        switch bytes[position] {
        case 0x2C, 0x5B, 0x5D, 0x7B, 0x7D: return true
        default: return false
        }
    }

    private func isNameByte(_ position: Int) -> Bool { !isBreakOrSpace(position) && !isFlowIndicator(position) }

    private func marker(_ byte: UInt8) -> Bool {
        index + 2 < bytes.count && bytes[index + 1] == byte && bytes[index + 2] == byte && isBreakOrSpace(index + 3)
    }

    // MARK: Moving on

    private mutating func newLine() {
        if bytes[index] == 0x0D, index + 1 < bytes.count, bytes[index + 1] == 0x0A { index += 1 }
        index += 1
        lineStart = index
        atLineStart = true
    }

    private mutating func skipLine() {
        while index < bytes.count, !isBreak(index) { index += 1 }
    }

    private mutating func word() -> Range<Int> {
        let start = index
        index += 1
        while isNameByte(index) { index += 1 }
        return start..<index
    }

    private mutating func documentMarker() {
        index += 3
        blocks.removeAll()
        blockColumn = -1
    }

    private mutating func openFlow() {
        if flow.count >= flowDepthLimit { tooDeep = index }
        flow.append(Level(isSequence: bytes[index] == 0x5B))
        index += 1
    }

    // `- ` and `? `: whatever is indented deeper has ended.
    private mutating func entry() {
        while let last = blocks.last, last.column > column { blocks.removeLast() }
        blockColumn = column
        index += 1
    }

    // MARK: Scalars

    private mutating func quoted(_ quote: UInt8) {
        let start = index
        let startLine = lineStart
        index += 1
        while index < bytes.count, bytes[index] != quote || (quote == 0x27 && index + 1 < bytes.count && bytes[index + 1] == 0x27) {
            if isBreak(index) {
                newLine()
            } else if bytes[index] == quote || (quote == 0x22 && bytes[index] == 0x5C && !isBreak(index + 1)) {
                index += 2
            } else {
                index += 1
            }
        }
        let end = min(index, bytes.count)
        index = min(index + 1, bytes.count)
        var after = index
        while isSpace(after) { after += 1 }
        guard after < bytes.count, bytes[after] == 0x3A, startLine == lineStart, !flow.isEmpty || isBreakOrSpace(after + 1) else { return }
        record(Key(text: Array(bytes[start..<end]), offset: start, end: end), column: start - lineStart)
    }

    private mutating func plain() {
        let start = index
        let column = column
        var end = index
        while index < bytes.count {
            let byte = bytes[index]
            if isBreak(index) {
                if flow.isEmpty || !continuesInFlow() { break }
                continue
            }
            if byte == 0x3A, isBreakOrSpace(index + 1) || (!flow.isEmpty && isFlowIndicator(index + 1)) { break }
            if byte == 0x23, index > start, isSpace(index - 1) { break }
            if !flow.isEmpty, isFlowIndicator(index) { break }
            index += 1
            if byte != 0x20, byte != 0x09 { end = index }
        }
        if index == start { index += 1 }
        if index < bytes.count, bytes[index] == 0x3A, lineStart <= start {
            record(Key(text: Array(bytes[start..<end]), offset: start, end: end), column: column)
        } else if flow.isEmpty, isBreak(index) {
            continuation()
        }
    }

    // In a flow collection a plain scalar goes on until an indicator or a comment.
    private mutating func continuesInFlow() -> Bool {
        var next = index
        while isBreak(next) || isSpace(next) { next += 1 }
        guard next < bytes.count, bytes[next] != 0x23, !isFlowIndicator(next) else { return false }
        if bytes[next] == 0x3A, isBreakOrSpace(next + 1) { return false }
        while index < next { if isBreak(index) { newLine() } else { index += 1 } }
        return true
    }

    // The further lines of a plain scalar are text, whatever they begin with. A comment ends it.
    private mutating func continuation() {
        while index < bytes.count {
            var next = index
            let saved = (index, lineStart, atLineStart)
            newLine()
            next = index
            while isSpace(next) { next += 1 }
            if isBreak(next) {
                index = next
                continue
            }
            guard next < bytes.count, next - lineStart > blockColumn, bytes[next] != 0x23 else {
                (index, lineStart, atLineStart) = saved
                newLine()
                return
            }
            var cursor = next
            while cursor < bytes.count, !isBreak(cursor), !(bytes[cursor] == 0x23 && isSpace(cursor - 1)) { cursor += 1 }
            index = cursor
            if index < bytes.count, !isBreak(index) {
                skipLine()
                return
            }
        }
    }

    private mutating func blockScalar() {
        skipLine()
        while index < bytes.count {
            newLine()
            var next = index
            while next < bytes.count, bytes[next] == 0x20 { next += 1 }
            if next >= bytes.count || isBreak(next) {
                index = next
                continue
            }
            if next - lineStart <= blockColumn { return }
            skipLine()
        }
    }

    // MARK: Keys

    private mutating func record(_ key: Key, column: Int) {
        if key.text == [0x3C, 0x3C] { Self.keep(key, in: &mergeKeys) }
        let name = KeyBytes(String(decoding: key.name, as: UTF8.self))
        if flow.isEmpty {
            while let last = blocks.last, last.column > column { blocks.removeLast() }
            if blocks.last?.column != column { blocks.append(Level(column: column)) }
            blockColumn = column
            note(key, first: blocks[blocks.count - 1].first(name, key.offset))
        } else if !flow[flow.count - 1].isSequence {
            note(key, first: flow[flow.count - 1].first(name, key.offset))
        }
    }

    private mutating func note(_ key: Key, first: Int?) {
        guard let first else { return }
        if duplicates.count < Self.reportLimit {
            duplicates.append(Duplicate(key: key, firstOffset: first))
        } else {
            hasTooManyDuplicates = true
        }
    }

    private static func keep<Element>(_ element: Element, in list: inout [Element]) {
        if list.count < reportLimit { list.append(element) }
    }
}
