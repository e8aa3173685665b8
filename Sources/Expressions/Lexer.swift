// Splits a source into tokens.

struct Lexer {
    private let bytes: [UInt8]
    /// Where the next token is looked for.
    private(set) var position: Int

    init(_ bytes: [UInt8], from position: Int = 0) {
        self.bytes = bytes
        self.position = position
    }

    /// The next token and where it starts.
    mutating func next() throws(Fault) -> (token: Token, offset: Int) {
        skipBlanks()
        let start = position
        guard position < bytes.count else { return (.end, start) }
        let byte = bytes[position]
        switch byte {
        case 0x41...0x5A, 0x61...0x7A, 0x5F:
            return (try word(), start)
        case 0x30...0x39:
            return (try number(), start)
        case 0x2E where isDigit(at: position + 1):
            return (try number(), start)
        case 0x22, 0x27:
            return (try literal(isRaw: false, isBytes: false), start)
        case 0x60:
            return (try quotedIdentifier(), start)
        default:
            return (.symbol(try symbol()), start)
        }
    }

    private func byte(at index: Int) -> UInt8? { index < bytes.count ? bytes[index] : nil }

    private func isDigit(at index: Int) -> Bool { byte(at: index).map { (0x30...0x39).contains($0) } ?? false }

    private mutating func skipBlanks() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0C, 0x0D:
                position += 1
            case 0x2F where byte(at: position + 1) == 0x2F:
                while position < bytes.count, bytes[position] != 0x0A, bytes[position] != 0x0D { position += 1 }
            default:
                return
            }
        }
    }

    private mutating func word() throws(Fault) -> Token {
        let start = position
        while let byte = byte(at: position), Self.isWordByte(byte) { position += 1 }
        let word = bytes[start..<position]
        if let quote = byte(at: position), quote == 0x22 || quote == 0x27, word.count <= 2 {
            switch String(decoding: word, as: UTF8.self) {
            case "r", "R": return try literal(isRaw: true, isBytes: false)
            case "b", "B": return try literal(isRaw: false, isBytes: true)
            case "br", "bR", "Br", "BR": return try literal(isRaw: true, isBytes: true)
            default: break
            }
        }
        return .identifier(String(decoding: word, as: UTF8.self))
    }

    static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x41...0x5A, 0x61...0x7A, 0x30...0x39, 0x5F: true
        default: false
        }
    }

    private mutating func quotedIdentifier() throws(Fault) -> Token {
        let start = position
        position += 1
        while let byte = byte(at: position), Self.isWordByte(byte) || [0x2E, 0x2D, 0x2F, 0x20].contains(byte) { position += 1 }
        guard byte(at: position) == 0x60, position > start + 1 else {
            throw Fault(kind: .syntax, message: "a name in backticks holds letters, digits, and _ . - / or blanks", offset: start)
        }
        let name = String(decoding: bytes[start + 1..<position], as: UTF8.self)
        position += 1
        return .quotedIdentifier(name)
    }

    private mutating func symbol() throws(Fault) -> Token.Symbol {
        if position + 1 < bytes.count {
            let pair: Token.Symbol? =
                switch (bytes[position], bytes[position + 1]) {
                case (0x26, 0x26): .and
                case (0x7C, 0x7C): .or
                case (0x3D, 0x3D): .equal
                case (0x21, 0x3D): .notEqual
                case (0x3C, 0x3D): .lessOrEqual
                case (0x3E, 0x3D): .greaterOrEqual
                default: nil
                }
            if let pair {
                position += 2
                return pair
            }
        }
        let single: Token.Symbol? =
            switch bytes[position] {
            case 0x28: .leftParenthesis
            case 0x29: .rightParenthesis
            case 0x5B: .leftBracket
            case 0x5D: .rightBracket
            case 0x7B: .leftBrace
            case 0x7D: .rightBrace
            case 0x2E: .point
            case 0x2C: .comma
            case 0x3A: .colon
            case 0x3F: .question
            case 0x21: .not
            case 0x2B: .plus
            case 0x2D: .minus
            case 0x2A: .times
            case 0x2F: .divide
            case 0x25: .remainder
            case 0x3C: .less
            case 0x3E: .greater
            default: nil
            }
        guard let single else {
            let hint =
                switch bytes[position] {
                case 0x3D: "\"=\" compares nothing; write \"==\""
                case 0x26: "\"&\" is no operator; write \"&&\""
                case 0x7C: "\"|\" is no operator; write \"||\""
                case 0x24: "\"$\" starts nothing inside an expression"
                default: "this character starts nothing"
                }
            throw Fault(kind: .syntax, message: hint, offset: position)
        }
        position += 1
        return single
    }

    private mutating func number() throws(Fault) -> Token {
        let start = position
        if bytes[position] == 0x30, let x = byte(at: position + 1), x == 0x78 || x == 0x58 {
            position += 2
            let digits = position
            while let byte = byte(at: position), Self.hexadecimal(byte) != nil { position += 1 }
            return try integer(bytes[digits..<position], radix: 16, start: start)
        }
        while isDigit(at: position) { position += 1 }
        var isDouble = false
        if byte(at: position) == 0x2E, isDigit(at: position + 1) {
            isDouble = true
            position += 1
            while isDigit(at: position) { position += 1 }
        }
        if let letter = byte(at: position), letter == 0x65 || letter == 0x45 {
            var digits = position + 1
            if let sign = byte(at: digits), sign == 0x2B || sign == 0x2D { digits += 1 }
            if isDigit(at: digits) {
                isDouble = true
                position = digits
                while isDigit(at: position) { position += 1 }
            }
        }
        guard isDouble else { return try integer(bytes[start..<position], radix: 10, start: start) }
        guard let value = Double(String(decoding: bytes[start..<position], as: UTF8.self)), value.isFinite else {
            throw Fault(kind: .syntax, message: "the number is out of range", offset: start)
        }
        try endOfNumber(start)
        return .double(value)
    }

    private mutating func integer(_ digits: ArraySlice<UInt8>, radix: Int, start: Int) throws(Fault) -> Token {
        let value = UInt64(String(decoding: digits, as: UTF8.self), radix: radix)
        guard let value, !digits.isEmpty else {
            let message = digits.isEmpty ? "\"0x\" is followed by hexadecimal digits" : "the number is out of range"
            throw Fault(kind: .syntax, message: message, offset: start)
        }
        if let letter = byte(at: position), letter == 0x75 || letter == 0x55 {
            position += 1
            try endOfNumber(start)
            return .uint(value)
        }
        try endOfNumber(start)
        return .int(value)
    }

    private func endOfNumber(_ start: Int) throws(Fault) {
        if let byte = byte(at: position), Self.isWordByte(byte) {
            throw Fault(kind: .syntax, message: "a number ends where a name begins; put a blank or an operator between them", offset: start)
        }
    }

    static func hexadecimal(_ byte: UInt8) -> UInt32? {
        switch byte {
        case 0x30...0x39: UInt32(byte - 0x30)
        case 0x41...0x46: UInt32(byte - 0x37)
        case 0x61...0x66: UInt32(byte - 0x57)
        default: nil
        }
    }
}

// MARK: - Strings and bytes

extension Lexer {
    // The prefix has been read; the position is at the first quote.
    private mutating func literal(isRaw: Bool, isBytes: Bool) throws(Fault) -> Token {
        let start = position
        let quote = bytes[position]
        let isTriple = byte(at: position + 1) == quote && byte(at: position + 2) == quote
        position += isTriple ? 3 : 1
        var content: [UInt8] = []
        while true {
            guard let byte = byte(at: position) else {
                throw Fault(kind: .syntax, message: "the string is not closed", offset: start)
            }
            if byte == quote {
                if !isTriple {
                    position += 1
                    break
                }
                if self.byte(at: position + 1) == quote, self.byte(at: position + 2) == quote {
                    position += 3
                    break
                }
            }
            if byte == 0x0A || byte == 0x0D {
                guard isTriple else {
                    throw Fault(
                        kind: .syntax, message: "the string is not closed on its line; use three quotes for several lines", offset: start)
                }
                // Line ends of all kinds are one line feed.
                position += byte == 0x0D && self.byte(at: position + 1) == 0x0A ? 2 : 1
                content.append(0x0A)
            } else if byte == 0x5C, !isRaw {
                try escape(into: &content, isBytes: isBytes)
            } else {
                content.append(byte)
                position += 1
            }
        }
        return isBytes ? .bytes(content) : .string(String(decoding: content, as: UTF8.self))
    }

    private mutating func escape(into content: inout [UInt8], isBytes: Bool) throws(Fault) {
        let start = position
        let problem = Fault(kind: .syntax, message: "this is no escape sequence", offset: start)
        guard let letter = byte(at: position + 1) else { throw problem }
        position += 2
        switch letter {
        case 0x61: content.append(0x07)
        case 0x62: content.append(0x08)
        case 0x66: content.append(0x0C)
        case 0x6E: content.append(0x0A)
        case 0x72: content.append(0x0D)
        case 0x74: content.append(0x09)
        case 0x76: content.append(0x0B)
        case 0x5C, 0x3F, 0x22, 0x27, 0x60: content.append(letter)
        case 0x78, 0x58:
            guard let code = hexadecimalDigits(2) else { throw problem }
            try append(code, to: &content, isBytes: isBytes, problem)
        case 0x30...0x33:
            guard let second = byte(at: position), let third = byte(at: position + 1), (0x30...0x37).contains(second),
                (0x30...0x37).contains(third)
            else { throw problem }
            position += 2
            let code = UInt32(letter - 0x30) * 64 + UInt32(second - 0x30) * 8 + UInt32(third - 0x30)
            try append(code, to: &content, isBytes: isBytes, problem)
        case 0x75:
            guard !isBytes, var code = hexadecimalDigits(4) else { throw problem }
            if (0xD800...0xDBFF).contains(code), byte(at: position) == 0x5C, byte(at: position + 1) == 0x75 {
                position += 2
                guard let low = hexadecimalDigits(4), (0xDC00...0xDFFF).contains(low) else { throw problem }
                code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
            }
            try append(code, to: &content, isBytes: false, problem)
        case 0x55:
            guard !isBytes, let code = hexadecimalDigits(8) else { throw problem }
            try append(code, to: &content, isBytes: false, problem)
        default: throw problem
        }
    }

    private func append(_ code: UInt32, to content: inout [UInt8], isBytes: Bool, _ problem: Fault) throws(Fault) {
        if isBytes {
            content.append(UInt8(truncatingIfNeeded: code))
        } else {
            guard let scalar = Unicode.Scalar(code) else { throw problem }
            content.append(contentsOf: UTF8.encode(scalar)?.map(\.self) ?? [])
        }
    }

    private mutating func hexadecimalDigits(_ count: Int) -> UInt32? {
        var value: UInt32 = 0
        for _ in 0..<count {
            guard let digit = byte(at: position).flatMap(Self.hexadecimal) else { return nil }
            value = value << 4 | digit
            position += 1
        }
        return value
    }
}
