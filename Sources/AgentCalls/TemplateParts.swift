// Takes a template apart where the whole is not simply rendered: in addresses, whose values are encoded by where they stand.
import Expressions
import WorkflowModel

/// A string with `${{ … }}` in it, as literal text and single expressions.
struct TemplateParts: Sendable {
    enum Part: Sendable {
        case literal(String)
        case value(CompiledTemplate)
    }

    let parts: [Part]

    init(_ source: String) throws(ExpressionError) {
        var parts: [Part] = []
        var literal: [UInt8] = []
        let bytes = Array(source.utf8)
        var position = 0
        func isOpening(_ index: Int) -> Bool { bytes[index...].starts(with: [0x24, 0x7B, 0x7B]) }
        while position < bytes.count {
            if bytes[position] == 0x24, position + 1 < bytes.count, isOpening(position + 1) {
                literal.append(contentsOf: [0x24, 0x7B, 0x7B])  // `$${{` is a literal `${{`
                position += 4
            } else if isOpening(position) {
                let end = Self.end(of: bytes, from: position + 3) ?? bytes.count
                if !literal.isEmpty { parts.append(.literal(String(decoding: literal, as: UTF8.self))) }
                literal = []
                // What is not closed is left to the compiler of templates, which knows how to say so.
                parts.append(.value(try CompiledTemplate(.string(String(decoding: bytes[position..<end], as: UTF8.self)))))
                position = end
            } else {
                literal.append(bytes[position])
                position += 1
            }
        }
        if !literal.isEmpty || parts.isEmpty { parts.append(.literal(String(decoding: literal, as: UTF8.self))) }
        self.parts = parts
    }

    // The position behind the `}}` at brace depth 0, outside of quotes.
    private static func end(of bytes: [UInt8], from start: Int) -> Int? {
        var depth = 0
        var quote: UInt8?
        var position = start
        while position < bytes.count {
            let byte = bytes[position]
            if let open = quote {
                if byte == 0x5C {
                    position += 1
                } else if byte == open {
                    quote = nil
                }
            } else {
                switch byte {
                case 0x22, 0x27: quote = byte
                case 0x7B: depth += 1
                case 0x7D where depth > 0: depth -= 1
                case 0x7D where position + 1 < bytes.count && bytes[position + 1] == 0x7D: return position + 2
                default: break
                }
            }
            position += 1
        }
        return nil
    }
}
