// The functions of the language and how they are called.

enum Function: Int32 {
    // Standard.
    case size, contains, startsWith, endsWith, matches
    case toInt, toUint, toDouble, toString, toBytes, toBool, toDynamic, typeOf, toDuration, toTimestamp
    case getFullYear, getMonth, getDate, getDayOfMonth, getDayOfWeek, getDayOfYear, getHours, getMinutes, getSeconds, getMilliseconds
    // Strings.
    case charAt, indexOf, lastIndexOf, lowerAscii, upperAscii, replace, split, substring, trim, join, format, reverse, quote
    // Mathematics.
    case greatest, least, ceil, floor, round, truncate, absolute, sign, isNaN, isInfinite, isFinite, squareRoot
    case bitAnd, bitOr, bitXor, bitNot, bitShiftLeft, bitShiftRight
    // Lists and maps.
    case sum, minimum, maximum, average, sort, distinct, flatten, slice, first, last, range, keys, values, merge
    case setContains, setEquivalent, setIntersects
    // Encodings and digests.
    case base64Encode, base64Decode, jsonParse, jsonFormat, sha256
    // Patterns.
    case regexExtract, regexExtractAll, regexReplace
    // Optionals.
    case optionalOf, optionalNone, optionalOfNonZero, optionalHasValue, optionalValue, optionalUnwrap

    /// The name in the language; the last one of several.
    var name: String { Self.names[rawValue] ?? "" }

    private static let names: [Int32: String] = {
        var names: [Int32: String] = [:]
        for name in Signature.all.keys.sorted() { if let signature = Signature.all[name] { names[signature.function.rawValue] = name } }
        return names
    }()
}

/// How a function may be called: as `f(x, y)`, as `x.f(y)`, or both. The ranges count all arguments, the receiver among them.
struct Signature {
    let function: Function
    let asCall: ClosedRange<Int>?
    let asMember: ClosedRange<Int>?

    private static func call(_ function: Function, _ count: ClosedRange<Int>) -> Signature {
        Signature(function: function, asCall: count, asMember: nil)
    }
    private static func member(_ function: Function, _ count: ClosedRange<Int>) -> Signature {
        Signature(function: function, asCall: nil, asMember: count)
    }
    private static func either(_ function: Function, _ count: ClosedRange<Int>) -> Signature {
        Signature(function: function, asCall: count, asMember: count)
    }

    /// No call has more arguments than this; the limit on tokens is reached before.
    private static let many = 1...100_000

    /// All functions by name. Only looked up in; whoever lists the names sorts them.
    static let all: [String: Signature] = [
        "size": either(.size, 1...1), "contains": member(.contains, 2...2), "startsWith": member(.startsWith, 2...2),
        "endsWith": member(.endsWith, 2...2), "matches": either(.matches, 2...2),
        "int": call(.toInt, 1...1), "uint": call(.toUint, 1...1), "double": call(.toDouble, 1...1), "string": call(.toString, 1...1),
        "bytes": call(.toBytes, 1...1), "bool": call(.toBool, 1...1), "dyn": call(.toDynamic, 1...1), "type": call(.typeOf, 1...1),
        "duration": call(.toDuration, 1...1), "timestamp": call(.toTimestamp, 1...1),
        "getFullYear": member(.getFullYear, 1...2), "getMonth": member(.getMonth, 1...2), "getDate": member(.getDate, 1...2),
        "getDayOfMonth": member(.getDayOfMonth, 1...2), "getDayOfWeek": member(.getDayOfWeek, 1...2),
        "getDayOfYear": member(.getDayOfYear, 1...2), "getHours": member(.getHours, 1...2), "getMinutes": member(.getMinutes, 1...2),
        "getSeconds": member(.getSeconds, 1...2), "getMilliseconds": member(.getMilliseconds, 1...2),

        "charAt": member(.charAt, 2...2), "indexOf": member(.indexOf, 2...3), "lastIndexOf": member(.lastIndexOf, 2...3),
        "lowerAscii": member(.lowerAscii, 1...1), "upperAscii": member(.upperAscii, 1...1), "replace": member(.replace, 3...4),
        "split": member(.split, 2...3), "substring": member(.substring, 2...3), "trim": member(.trim, 1...1), "join": member(.join, 1...2),
        "format": member(.format, 2...2), "reverse": either(.reverse, 1...1), "strings.quote": call(.quote, 1...1),

        "math.greatest": call(.greatest, many), "math.least": call(.least, many), "math.ceil": call(.ceil, 1...1),
        "math.floor": call(.floor, 1...1), "math.round": call(.round, 1...1), "math.trunc": call(.truncate, 1...1),
        "math.abs": call(.absolute, 1...1), "math.sign": call(.sign, 1...1), "math.isNaN": call(.isNaN, 1...1),
        "math.isInf": call(.isInfinite, 1...1), "math.isFinite": call(.isFinite, 1...1), "math.sqrt": call(.squareRoot, 1...1),
        "math.bitAnd": call(.bitAnd, 2...2), "math.bitOr": call(.bitOr, 2...2), "math.bitXor": call(.bitXor, 2...2),
        "math.bitNot": call(.bitNot, 1...1), "math.bitShiftLeft": call(.bitShiftLeft, 2...2),
        "math.bitShiftRight": call(.bitShiftRight, 2...2),

        "sum": either(.sum, 1...1), "min": either(.minimum, many), "max": either(.maximum, many), "avg": either(.average, 1...1),
        "sort": either(.sort, 1...1), "distinct": either(.distinct, 1...1), "flatten": either(.flatten, 1...2),
        "slice": either(.slice, 2...3), "first": either(.first, 1...1), "last": either(.last, 1...1), "range": call(.range, 1...2),
        "lists.range": call(.range, 1...1), "keys": either(.keys, 1...1), "values": either(.values, 1...1), "merge": either(.merge, many),
        "sets.contains": call(.setContains, 2...2), "sets.equivalent": call(.setEquivalent, 2...2),
        "sets.intersects": call(.setIntersects, 2...2),

        "base64.encode": call(.base64Encode, 1...1), "base64.decode": call(.base64Decode, 1...1), "json.parse": call(.jsonParse, 1...1),
        "json.format": call(.jsonFormat, 1...1), "hash.sha256": call(.sha256, 1...1),
        "regex.extract": call(.regexExtract, 2...2), "regex.extractAll": call(.regexExtractAll, 2...2),
        "regex.replace": call(.regexReplace, 3...4),

        "optional.of": call(.optionalOf, 1...1), "optional.none": call(.optionalNone, 0...0),
        "optional.ofNonZeroValue": call(.optionalOfNonZero, 1...1), "hasValue": member(.optionalHasValue, 1...1),
        "value": member(.optionalValue, 1...1), "optional.unwrap": call(.optionalUnwrap, 1...1),
        "unwrapOpt": member(.optionalUnwrap, 1...1),
    ]
}
