// Functions of strings. Positions count code points.

import WorkflowModel

extension Evaluator {
    @inline(never)
    mutating func search(_ function: Function, _ arguments: Arguments) throws(Fault) -> Value {
        guard case .string(let text) = arguments[0], case .string(let part) = arguments[1] else {
            throw noOverload(function.name + "()", arguments[0], arguments[1])
        }
        try meter.work(bytes: part.utf8.count)
        switch function {
        case .startsWith: return .bool(text.utf8.starts(with: part.utf8))
        case .endsWith: return .bool(text.utf8.count >= part.utf8.count && text.utf8.suffix(part.utf8.count).elementsEqual(part.utf8))
        default:  // contains
            // For the copy, however early the part is found.
            try meter.work(bytes: text.utf8.count)
            return .bool(try find(Array(part.utf8), in: Array(text.utf8), from: 0) != nil)
        }
    }

    /// Where `part` is in `bytes` at or after `start`. The bytes that are compared are paid for.
    private mutating func find(_ part: [UInt8], in bytes: [UInt8], from start: Int) throws(Fault) -> Int? {
        guard let first = part.first else { return start }
        guard bytes.count - start >= part.count else { return nil }
        var compared = 0
        var position = start
        let last = bytes.count - part.count
        while position <= last {
            if bytes[position] == first {
                var matched = 1
                while matched < part.count, bytes[position + matched] == part[matched] { matched += 1 }
                if matched == part.count {
                    try meter.work(bytes: compared + position - start)
                    return position
                }
                compared += matched
                if compared > 1 << 16 {
                    try meter.work(bytes: compared)
                    compared = 0
                }
            }
            position += 1
        }
        try meter.work(bytes: compared + bytes.count - start)
        return nil
    }

    // The last place at or before `start`.
    private mutating func findLast(_ part: [UInt8], in bytes: [UInt8], from start: Int) throws(Fault) -> Int? {
        var position = min(start, bytes.count - part.count)
        while position >= 0 {
            try meter.work(elements: 1)
            var matched = 0
            while matched < part.count, bytes[position + matched] == part[matched] { matched += 1 }
            if matched == part.count { return position }
            try meter.work(bytes: matched)
            position -= 1
        }
        return nil
    }

    @inline(never)
    mutating func text(_ function: Function, _ arguments: Arguments) throws(Fault) -> Value {
        guard case .string(let text) = arguments[0] else { throw noOverload(function.name + "()", arguments[0]) }
        try meter.charge(bytes: text.utf8.count)
        switch function {
        case .charAt:
            let scalars = Array(text.unicodeScalars)
            let index = try position(arguments[1], upTo: scalars.count)
            return .string(index == scalars.count ? "" : String(Character(scalars[index])))
        case .indexOf, .lastIndexOf: return try index(function, text, arguments)
        case .lowerAscii: return .string(String(decoding: text.utf8.map { (0x41...0x5A).contains($0) ? $0 + 32 : $0 }, as: UTF8.self))
        case .upperAscii: return .string(String(decoding: text.utf8.map { (0x61...0x7A).contains($0) ? $0 - 32 : $0 }, as: UTF8.self))
        case .replace: return try replace(text, arguments)
        case .split: return try split(text, arguments)
        case .substring:
            let scalars = text.unicodeScalars
            let count = scalars.count
            let start = try position(arguments[1], upTo: count)
            let end = arguments.count == 3 ? try position(arguments[2], upTo: count) : count
            guard start <= end else { throw fault(.evaluation, "the substring ends before it starts") }
            let lower = scalars.index(scalars.startIndex, offsetBy: start)
            return .string(String(scalars[lower..<scalars.index(lower, offsetBy: end - start)]))
        case .trim:
            let scalars = text.unicodeScalars
            guard let first = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
                let last = scalars.lastIndex(where: { !$0.properties.isWhitespace })
            else { return .string("") }
            return .string(String(scalars[first...last]))
        default: return .string(try quote(text))  // quote
        }
    }

    private func position(_ value: Value, upTo count: Int) throws(Fault) -> Int {
        guard case .int(let index) = value else { throw fault(.type, "a position in a string is an int, not \(value.typeName.words)") }
        guard index >= 0, index <= count else { throw fault(.evaluation, "the position is out of range") }
        return Int(index)
    }

    private mutating func index(_ function: Function, _ text: String, _ arguments: Arguments) throws(Fault) -> Value {
        guard case .string(let part) = arguments[1] else { throw noOverload(function.name + "()", arguments[0], arguments[1]) }
        let scalars = text.unicodeScalars
        let bytes = Array(text.utf8)
        let found: Int?
        if function == .indexOf {
            let start = arguments.count == 3 ? try position(arguments[2], upTo: scalars.count) : 0
            if part.isEmpty { return .int(Int64(start)) }
            found = try find(Array(part.utf8), in: bytes, from: Self.byteOffset(of: start, in: bytes))
        } else {
            let start = arguments.count == 3 ? try position(arguments[2], upTo: scalars.count) : scalars.count
            if part.isEmpty { return .int(Int64(start)) }
            found = try findLast(Array(part.utf8), in: bytes, from: Self.byteOffset(of: start, in: bytes))
        }
        guard let found else { return .int(-1) }
        // Continuation bytes are no code points of their own.
        return .int(Int64(bytes[..<found].count { $0 & 0xC0 != 0x80 }))
    }

    private static func byteOffset(of index: Int, in bytes: [UInt8]) -> Int {
        var remaining = index
        for (offset, byte) in bytes.enumerated() where byte & 0xC0 != 0x80 {
            if remaining == 0 { return offset }
            remaining -= 1
        }
        return bytes.count
    }

    // A limit of replacements or parts; none when it is absent or negative.
    private func limit(_ arguments: Arguments, at index: Int, _ name: String) throws(Fault) -> Int {
        guard arguments.count > index else { return .max }
        guard case .int(let limit) = arguments[index] else { throw noOverload(name, arguments[index]) }
        return limit < 0 ? .max : Int(limit)
    }

    private mutating func replace(_ text: String, _ arguments: Arguments) throws(Fault) -> Value {
        guard case .string(let old) = arguments[1], case .string(let new) = arguments[2] else {
            throw noOverload("replace()", arguments[0], arguments[1], arguments[2])
        }
        let limit = try limit(arguments, at: 3, "replace()")
        let bytes = Array(text.utf8)
        let oldBytes = Array(old.utf8)
        let newBytes = Array(new.utf8)
        var result: [UInt8] = []
        var position = 0
        var replaced = 0
        while replaced < limit, position <= bytes.count {
            guard let found = try find(oldBytes, in: bytes, from: position) else { break }
            try meter.charge(bytes: newBytes.count + found - position + 16)
            result.append(contentsOf: bytes[position..<found])
            result.append(contentsOf: newBytes)
            position = found + oldBytes.count
            replaced += 1
            if oldBytes.isEmpty {
                // Nothing is found before every code point and at the end.
                guard position < bytes.count else { break }
                repeat {
                    result.append(bytes[position])
                    position += 1
                } while position < bytes.count && bytes[position] & 0xC0 == 0x80
            }
        }
        if position < bytes.count { result.append(contentsOf: bytes[position...]) }
        return .string(String(decoding: result, as: UTF8.self))
    }

    private mutating func split(_ text: String, _ arguments: Arguments) throws(Fault) -> Value {
        guard case .string(let separator) = arguments[1] else { throw noOverload("split()", arguments[0], arguments[1]) }
        let limit = try limit(arguments, at: 2, "split()")
        if limit == 0 { return .list(.values([])) }
        if limit == 1 { return .list(.values([.string(text)])) }
        let bytes = Array(text.utf8)
        let separatorBytes = Array(separator.utf8)
        var parts: [Value] = []
        var position = 0
        if separatorBytes.isEmpty {
            while position < bytes.count {
                var next = position + 1
                while next < bytes.count, bytes[next] & 0xC0 == 0x80 { next += 1 }
                if parts.count == limit - 1 { next = bytes.count }
                try meter.charge(bytes: MemoryLayout<Value>.stride)
                parts.append(.string(String(decoding: bytes[position..<next], as: UTF8.self)))
                position = next
            }
            return .list(.values(parts))
        }
        while parts.count < limit - 1, let found = try find(separatorBytes, in: bytes, from: position) {
            try meter.charge(bytes: MemoryLayout<Value>.stride + found - position)
            parts.append(.string(String(decoding: bytes[position..<found], as: UTF8.self)))
            position = found + separatorBytes.count
        }
        parts.append(.string(String(decoding: bytes[position...], as: UTF8.self)))
        return .list(.values(parts))
    }

    @inline(never)
    mutating func join(_ arguments: Arguments) throws(Fault) -> Value {
        guard case .list(let list) = arguments[0] else { throw noOverload("join()", arguments[0]) }
        var separator = ""
        if arguments.count == 2 {
            guard case .string(let text) = arguments[1] else { throw noOverload("join()", arguments[0], arguments[1]) }
            separator = text
        }
        var result = ""
        for index in 0..<list.count {
            guard case .string(let text) = list[index] else {
                throw fault(.type, "join() takes a list of strings; one element is \(list[index].typeName.words)")
            }
            try meter.work(elements: 1)
            try meter.charge(bytes: text.utf8.count + separator.utf8.count)
            if index > 0 { result += separator }
            result += text
        }
        return .string(result)
    }

    private mutating func quote(_ text: String) throws(Fault) -> String {
        try meter.charge(bytes: text.utf8.count * 2 + 2)
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\u{07}": result += "\\a"
            case "\u{08}": result += "\\b"
            case "\u{0C}": result += "\\f"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\u{0B}": result += "\\v"
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
