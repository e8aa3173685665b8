// The types of calls.

import WorkflowModel

extension TypeInference {
    mutating func call(_ node: Program.Node, _ parts: [Part]) -> StaticType {
        guard let function = Function(rawValue: node.a) else { preconditionFailure("a call without a function") }
        let arguments = parts.map(\.type)
        let signature = FunctionTypes(function: function, arguments: arguments, mode: program.mode)
        guard let type = signature.result else {
            report(
                .type, "\(function.name)() does not take \(arguments.map(\.words).joined(separator: " and "))" + hint(function, arguments),
                at: node.offset)
            return .anything
        }
        if function == .format { checkFormat(parts, at: node.offset) }
        if parts.count == 2, function.rawValue >= Function.getFullYear.rawValue, function.rawValue <= Function.getMilliseconds.rawValue {
            checkTimeZone(parts[1])
        }
        return type
    }

    private func hint(_ function: Function, _ arguments: [StaticType]) -> String {
        if arguments.contains(where: { $0.kind == .optional }) { return "; read an optional's value with .orValue(…)" }
        switch function {
        case .contains:
            if arguments[0].kind == .list { return "; an element is found with x in list" }
        case .startsWith, .endsWith, .matches, .charAt, .indexOf, .lastIndexOf, .lowerAscii, .upperAscii, .replace, .split, .substring,
            .trim, .join, .regexExtract, .regexExtractAll, .regexReplace, .sha256:
            if arguments.contains(where: { $0.kind == .int || $0.kind == .double || $0.kind == .bool }) {
                return "; string(x) makes a text of a number"
            }
        case .sum, .average, .minimum, .maximum, .greatest, .least, .sort:
            if arguments.contains(where: { ($0.elementOfCollection ?? $0).kind == .string }) {
                return "; double(x) makes a number of a text"
            }
        case .size, .toInt, .toUint, .toDouble, .toString, .toBytes, .toBool, .toDynamic, .typeOf, .toDuration, .toTimestamp, .getFullYear,
            .getMonth, .getDate, .getDayOfMonth, .getDayOfWeek, .getDayOfYear, .getHours, .getMinutes, .getSeconds, .getMilliseconds,
            .format, .reverse, .quote, .ceil, .floor, .round, .truncate, .absolute, .sign, .isNaN, .isInfinite, .isFinite, .squareRoot,
            .bitAnd, .bitOr, .bitXor, .bitNot, .bitShiftLeft, .bitShiftRight, .distinct, .flatten, .slice, .first, .last, .range, .keys,
            .values, .merge, .setContains, .setEquivalent, .setIntersects, .base64Encode, .base64Decode, .jsonParse, .jsonFormat,
            .optionalOf, .optionalNone, .optionalOfNonZero, .optionalHasValue, .optionalValue, .optionalUnwrap:
            break
        }
        return ""
    }

    private mutating func checkTimeZone(_ part: Part) {
        let node = program.nodes[Int(part.node)]
        guard node.operation == .constant, case .string(let zone) = program.constants[Int(node.a)] else { return }
        if !Evaluator(program, Scope(), Meter(.standard)).isTimeZone(zone) {
            report(.evaluation, "there is no such time zone; it is written Europe/Berlin, UTC or +02:00", at: node.offset)
        }
    }

    // MARK: Formats

    // A constant format is read: clauses that are none, too few arguments, arguments of types that a clause does not take.
    private mutating func checkFormat(_ parts: [Part], at offset: Int32) {
        let template = program.nodes[Int(parts[0].node)]
        guard template.operation == .constant, case .string(let text) = program.constants[Int(template.a)] else { return }
        let list = program.nodes[Int(parts[1].node)]
        var count: Int?
        if list.operation == .list, !(0..<list.b).contains(where: { program.operands[Int(list.a + $0)].detail != 0 }) {
            count = Int(list.b)
        }
        let clauses = Self.clauses(of: text)
        for clause in clauses where ![0x73, 0x64, 0x66, 0x65, 0x62, 0x6F, 0x78, 0x58].contains(clause) {
            report(.evaluation, "the format has a clause other than %s %d %f %e %b %o %x %X", at: template.offset)
            return
        }
        guard let count else { return }
        if clauses.count > count {
            report(.evaluation, "the format has more clauses (\(clauses.count)) than there are arguments (\(count))", at: template.offset)
        } else if clauses.count < count {
            warn(
                .evaluation, "the format has fewer clauses (\(clauses.count)) than there are arguments (\(count))",
                at: template.offset)
        }
    }

    // The letters of the clauses; 0 for one that is cut off.
    private static func clauses(of text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        var clauses: [UInt8] = []
        var position = 0
        while position < bytes.count {
            defer { position += 1 }
            guard bytes[position] == 0x25 else { continue }
            position += 1
            if position < bytes.count, bytes[position] == 0x25 { continue }
            if position < bytes.count, bytes[position] == 0x2E {
                position += 1
                while position < bytes.count, (0x30...0x39).contains(bytes[position]) { position += 1 }
            }
            clauses.append(position < bytes.count ? bytes[position] : 0)
        }
        return clauses
    }
}

/// What a function gives for arguments of some types.
private struct FunctionTypes {
    let function: Function
    let arguments: [StaticType]
    let mode: NumberMode

    /// Nil when no value of these types is taken.
    var result: StaticType? {
        switch function {
        case .size: return all(.int, (0, [.string, .bytes, .list, .map]))
        case .contains, .startsWith, .endsWith, .matches: return all(.bool, (0, [.string]), (1, [.string]))
        case .toInt: return all(.int, (0, [.int, .uint, .double, .string, .timestamp, .duration]))
        case .toUint: return all(.uint, (0, [.int, .uint, .double, .string]))
        case .toDouble: return all(.double, (0, [.int, .uint, .double, .string]))
        case .toString: return all(.string, (0, [.string, .bool, .int, .uint, .double, .bytes, .timestamp, .duration]))
        case .toBytes: return all(.bytes, (0, [.bytes, .string]))
        case .toBool: return all(.bool, (0, [.bool, .string]))
        case .toDynamic: return .anything
        case .typeOf: return .type
        case .toDuration: return all(.duration, (0, [.duration, .string, .int]))
        case .toTimestamp: return all(.timestamp, (0, [.timestamp, .string, .int]))
        case .getFullYear, .getMonth, .getDate, .getDayOfMonth, .getDayOfWeek, .getDayOfYear:
            return all(.int, (0, [.timestamp]), (1, [.string]))
        case .getHours, .getMinutes, .getSeconds, .getMilliseconds:
            return all(.int, (0, arguments.count == 1 ? [.timestamp, .duration] : [.timestamp]), (1, [.string]))
        case .charAt, .substring: return all(.string, (0, [.string]), (1, [.int]), (2, [.int]))
        case .indexOf, .lastIndexOf: return all(.int, (0, [.string]), (1, [.string]), (2, [.int]))
        case .lowerAscii, .upperAscii, .trim, .quote: return all(.string, (0, [.string]))
        case .replace: return all(.string, (0, [.string]), (1, [.string]), (2, [.string]), (3, [.int]))
        case .split: return all(.list(.string), (0, [.string]), (1, [.string]), (2, [.int]))
        case .join:
            guard elements?.may(be: .string) ?? false else { return nil }
            return all(.string, (1, [.string]))
        case .format: return all(.string, (0, [.string]), (1, [.list]))
        case .reverse: return same(.string, .list)
        case .greatest, .least: return extreme([.int, .uint, .double])
        case .minimum, .maximum: return extreme([.bool, .int, .uint, .double, .string, .bytes, .timestamp, .duration])
        case .ceil, .floor, .round, .truncate: return mode == .promoting ? same(.double, .int) : same(.double)
        case .absolute, .sign: return same(.int, .uint, .double)
        case .isNaN, .isInfinite, .isFinite: return all(.bool, (0, mode == .promoting ? [.double, .int] : [.double]))
        case .squareRoot: return all(.double, (0, [.int, .uint, .double]))
        case .bitAnd, .bitOr, .bitXor:
            guard pairs([.int, .uint]) else { return nil }
            return same(.int, .uint)
        case .bitNot: return same(.int, .uint)
        case .bitShiftLeft, .bitShiftRight: return all(.int, (1, [.int])).flatMap { _ in same(.int, .uint) }
        case .sum: return sum
        case .average:
            guard let elements, elements.may(be: .int, .uint, .double) else { return nil }
            return .double
        case .sort: return elements.flatMap { $0.isOrdered ? .list($0) : nil }
        case .distinct: return elements.map { .list($0) }
        case .flatten: return flatten
        case .slice: return all(.int, (1, [.int]), (2, [.int])).flatMap { _ in elements }.map { .list($0) }
        case .first, .last: return elements.map { .optional($0) }
        case .range: return all(.list(.int), (0, [.int]), (1, [.int]))
        case .keys, .values: return parts
        case .merge: return merge
        case .setContains, .setEquivalent, .setIntersects: return all(.bool, (0, [.list]), (1, [.list]))
        case .base64Encode: return all(.string, (0, [.bytes]))
        case .base64Decode: return all(.bytes, (0, [.string]))
        case .jsonParse: return all(.anything, (0, [.string]))
        case .jsonFormat: return .string
        case .sha256: return all(.string, (0, [.string, .bytes]))
        case .regexExtract: return all(.optional(.string), (0, [.string]), (1, [.string]))
        case .regexExtractAll: return all(.list(.string), (0, [.string]), (1, [.string]))
        case .regexReplace: return all(.string, (0, [.string]), (1, [.string]), (2, [.string]), (3, [.int]))
        case .optionalOf, .optionalOfNonZero: return .optional(arguments[0])
        case .optionalNone: return .optional(.anything)
        case .optionalHasValue: return all(.bool, (0, [.optional]))
        case .optionalValue: return arguments[0].may(be: .optional) ? arguments[0].optionalContent : nil
        case .optionalUnwrap:
            guard let elements, elements.may(be: .optional) else { return nil }
            return .list(elements.optionalContent)
        }
    }

    // A type, when every argument that is there may be of one of its kinds.
    private func all(_ type: StaticType, _ wanted: (index: Int, kinds: [TypeName])...) -> StaticType? {
        for (index, kinds) in wanted where arguments.indices.contains(index) {
            if !may(arguments[index], kinds) { return nil }
        }
        return type
    }

    private func may(_ type: StaticType, _ kinds: [TypeName]) -> Bool {
        type.alternatives.contains { alternative in alternative.kind.map { kinds.contains($0) } ?? true }
    }

    // The first argument's own type, as far as it is of one of these kinds.
    private func same(_ kinds: TypeName...) -> StaticType? { only(arguments[0], kinds) }

    private func only(_ type: StaticType, _ kinds: [TypeName]) -> StaticType? {
        let found = type.alternatives.compactMap { alternative -> StaticType? in
            switch alternative {
            case .anything: kinds.contains(.list) ? .anything : .union(kinds.map { StaticType($0) })
            case .strings: kinds.contains(.string) ? .string : nil
            case .null, .bool, .int, .uint, .double, .string, .bytes, .timestamp, .duration, .type, .list, .map, .object, .optional, .oneOf:
                alternative.kind.map { kinds.contains($0) } ?? true ? alternative : nil
            }
        }
        return found.isEmpty ? nil : .union(found)
    }

    // Whether both arguments may be of the same kind out of these.
    private func pairs(_ kinds: [TypeName]) -> Bool {
        kinds.contains { may(arguments[0], [$0]) && may(arguments[1], [$0]) }
    }

    // The elements of the list that is the first argument.
    private var elements: StaticType? {
        let found = arguments[0].alternatives.compactMap { alternative -> StaticType? in
            switch alternative {
            case .anything: .anything
            case .list(let element): element
            case .null, .bool, .int, .uint, .double, .string, .strings, .bytes, .timestamp, .duration, .type, .map, .object, .optional,
                .oneOf:
                nil
            }
        }
        return found.isEmpty ? nil : .union(found)
    }

    // The greatest and the least: of the arguments, or of the elements of the only one.
    private func extreme(_ kinds: [TypeName]) -> StaticType? {
        if arguments.count == 1, arguments[0].may(be: .list) {
            guard let elements else { return nil }
            let ofList = only(elements, kinds)
            return only(arguments[0], kinds).map { own in ofList.map { .union([own, $0]) } ?? own } ?? ofList
        }
        var found: [StaticType] = []
        for argument in arguments {
            guard let type = only(argument, kinds) else { return nil }
            found.append(type)
        }
        return .union(found)
    }

    private var sum: StaticType? {
        guard let elements, let type = only(elements, [.int, .uint, .double, .duration]) else { return nil }
        // Of an empty list it is 0.
        return .union([type, .int])
    }

    private var flatten: StaticType? {
        guard let elements, all(.int, (1, [.int])) != nil else { return nil }
        if arguments.count == 2 { return .list(.anything) }
        return .list(
            .union(elements.alternatives.map { element in if case .list(let inner) = element { inner } else { element } }))
    }

    // The keys or the values of the map that is the first argument.
    private var parts: StaticType? {
        let found = arguments[0].alternatives.compactMap { alternative -> StaticType? in
            switch alternative {
            case .anything: .anything
            case .map(let key, let value): function == .keys ? key : value
            case .object(let object): function == .keys ? object.keyType : object.valueType
            case .null, .bool, .int, .uint, .double, .string, .strings, .bytes, .timestamp, .duration, .type, .list, .optional, .oneOf: nil
            }
        }
        return found.isEmpty ? nil : .list(.union(found))
    }

    private var merge: StaticType? {
        if arguments.count == 1 {
            guard arguments[0].may(be: .map, .list) else { return nil }
            if !arguments[0].may(be: .list) { return arguments[0] }
            if let elements, !elements.may(be: .map), !arguments[0].may(be: .map) { return nil }
            return StaticType(.map)
        }
        var properties: [ObjectType.Property] = []
        var others: [StaticType] = []
        for argument in arguments {
            guard argument.may(be: .map) else { return nil }
            guard case .object(let object) = argument else { return arguments.allSatisfy { $0.may(be: .map) } ? StaticType(.map) : nil }
            if let type = object.others { others.append(type) }
            for property in object.properties {
                // A later map wins where it has the key for certain.
                let before = properties.first { $0.name.isSame(as: property.name) }
                properties.append(
                    ObjectType.Property(
                        property.name, property.isRequired ? property.type : .union([property.type] + (before.map { [$0.type] } ?? [])),
                        isRequired: property.isRequired || before?.isRequired ?? false))
            }
        }
        // An open map may hold any of the keys of the others, with other values.
        if !others.isEmpty {
            return .object(
                ObjectType(properties.map { ObjectType.Property($0.name, .anything, isRequired: $0.isRequired) }, others: .anything))
        }
        return .object(ObjectType(properties, others: nil))
    }
}
