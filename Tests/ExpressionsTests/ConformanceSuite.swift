// The format of the conformance suite.

import Foundation
import Testing

@testable import Expressions

/// Where the suite is: `$SKEIN_CONFORMANCE/cel`, or next to the package.
let conformanceFolder: URL = {
    let root =
        ProcessInfo.processInfo.environment["SKEIN_CONFORMANCE"].map { URL(fileURLWithPath: $0) }
        ?? URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("../shared/conformance").standardized
    return root.appendingPathComponent("cel")
}()

let conformanceFiles: [URL] =
    ((try? FileManager.default.contentsOfDirectory(at: conformanceFolder, includingPropertiesForKeys: nil)) ?? [])
    .filter { $0.pathExtension == "json" }
    .sorted { $0.lastPathComponent < $1.lastPathComponent }

struct SuiteFile: Decodable {
    let name: String
    let section: [SuiteSection]
}

struct SuiteSection: Decodable {
    let name: String
    let test: [SuiteCase]?
}

struct SuiteCase: Decodable {
    struct Binding: Decodable { let value: SuiteValue? }
    struct Anything: Decodable {}
    struct TypedResult: Decodable {
        let result: SuiteValue?
        let deduced_type: SuiteType?
    }
    struct Declaration: Decodable {
        struct Identifier: Decodable { let type: SuiteType? }
        let name: String
        let ident: Identifier?
        let function: Anything?
    }

    let name: String
    let expr: String
    let container: String?
    let check_only: Bool?
    let disable_check: Bool?
    let typed_result: TypedResult?
    let type_env: [Declaration]?
    let value: SuiteValue?
    let eval_error: Anything?
    let any_eval_errors: Anything?
    let unknown: Anything?
    let any_unknowns: Anything?
    let bindings: [String: Binding]?

    var scope: Scope? {
        var scope = Scope()
        for (name, binding) in (bindings ?? [:]).sorted(by: { $0.key < $1.key }) {
            guard let value = binding.value?.value else { return nil }
            scope.set(name, value)
        }
        return scope
    }

    /// The names that are declared; where they are only bound, they may be anything.
    var declarations: [String: StaticType] {
        var names: [String: StaticType] = [:]
        for name in (bindings ?? [:]).keys { names[name] = .anything }
        for declaration in type_env ?? [] { names[declaration.name] = declaration.ident?.type?.type ?? .anything }
        return names
    }

    var expectsError: Bool { eval_error != nil || any_eval_errors != nil }

    var tokens: [Token] {
        var lexer = Lexer(Array(expr.utf8))
        var tokens: [Token] = []
        while let (token, _) = try? lexer.next(), token != .end { tokens.append(token) }
        return tokens
    }

    /// What is wrong; nil when the case passes.
    func problem() -> String? {
        guard let scope else { return "a binding cannot be read" }
        if check_only == true { return wrongType }
        let result: Value
        do {
            result = try CompiledExpression(expr, mode: .strict).evaluate(scope)
        } catch {
            if expectsError { return error.kind == .limit ? "a limit was exceeded" : nil }
            return "\(error)"
        }
        if expectsError { return "an error was expected, not \(result)" }
        guard let expected = (value ?? typed_result?.result).map(\.value) ?? .bool(true) else { return "the expected value cannot be read" }
        return isSame(result, expected) ? wrongType : "\(expected) was expected, not \(result)"
    }

    /// What is wrong with the type that the checker finds, where the suite says which one it is.
    private var wrongType: String? {
        guard let expected = typed_result?.deduced_type?.type else { return nil }
        guard let expression = try? CompiledExpression(expr, mode: .strict) else { return "the expression cannot be compiled" }
        let checked = TypeCheck(declarations).check(expression)
        if let finding = checked.findings.first(where: { $0.severity == .error }) { return "the checker says: \(finding.error)" }
        guard let wanted = expected.kinds, let found = checked.type.kinds else { return nil }
        return wanted.contains { found.contains($0) } ? nil : "the type \(expected.words) was expected, not \(checked.type.words)"
    }
}

/// Equality of types and values; NaN is the same as NaN, and maps are the same in any order.
func isSame(_ left: Value, _ right: Value) -> Bool {
    switch (left, right) {
    case (.double(let a), .double(let b)): return a.isNaN && b.isNaN || a == b && a.sign == b.sign
    case (.list(let a), .list(let b)): return a.count == b.count && (0..<a.count).allSatisfy { isSame(a[$0], b[$0]) }
    case (.map(let a), .map(let b)):
        return a.count == b.count
            && (0..<a.count).allSatisfy { i in
                (0..<b.count).contains { j in isSame(a.key(at: i), b.key(at: j)) && isSame(a.value(at: i), b.value(at: j)) }
            }
    case (.optional(let a?), .optional(let b?)): return isSame(a, b)
    default:
        guard left.typeName == right.typeName, let program = try? CompiledExpression("true").program else { return false }
        var evaluator = Evaluator(program, Scope(), Meter(.standard))
        return (try? evaluator.equal(left, right)) == true
    }
}

/// A value as `cel.expr.Value` in JSON.
indirect enum SuiteValue: Decodable {
    case value(Value)
    case list([SuiteValue])
    case map([Entry])
    case message

    struct Entry: Decodable {
        let key: SuiteValue
        let value: SuiteValue
    }

    private struct List: Decodable { let values: [SuiteValue]? }
    private struct Map: Decodable { let entries: [Entry]? }
    private struct Message: Decodable {
        let type: String
        let value: String?
        enum CodingKeys: String, CodingKey {
            case type = "@type"
            case value
        }
    }

    private enum CodingKeys: String, CodingKey {
        case null_value, bool_value, int64_value, uint64_value, double_value, string_value, bytes_value, list_value, map_value, type_value
        case object_value, enum_value
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        guard let key = container.allKeys.first else {
            self = .message
            return
        }
        func unreadable() -> DecodingError { .dataCorruptedError(forKey: key, in: container, debugDescription: "unreadable value") }
        switch key {
        case .null_value: self = .value(.null)
        case .bool_value: self = .value(.bool(try container.decode(Bool.self, forKey: key)))
        case .int64_value:
            guard let number = Int64(try container.decode(String.self, forKey: key)) else { throw unreadable() }
            self = .value(.int(number))
        case .uint64_value:
            guard let number = UInt64(try container.decode(String.self, forKey: key)) else { throw unreadable() }
            self = .value(.uint(number))
        case .double_value:
            if let number = try? container.decode(Double.self, forKey: key) {
                self = .value(.double(number))
            } else {
                guard let number = Double(try container.decode(String.self, forKey: key)) else { throw unreadable() }
                self = .value(.double(number))
            }
        case .string_value: self = .value(.string(try container.decode(String.self, forKey: key)))
        case .bytes_value:
            guard let data = Data(base64Encoded: try container.decode(String.self, forKey: key)) else { throw unreadable() }
            self = .value(.bytes(Array(data)))
        case .list_value: self = .list(try container.decode(List.self, forKey: key).values ?? [])
        case .map_value: self = .map(try container.decode(Map.self, forKey: key).entries ?? [])
        case .type_value:
            self = TypeName(rawValue: try container.decode(String.self, forKey: key)).map { .value(.type($0)) } ?? .message
        case .object_value:
            let message = try container.decode(Message.self, forKey: key)
            switch message.type {
            case "type.googleapis.com/google.protobuf.Duration":
                self = message.value.flatMap(DurationSeconds.parse).map { .value(.duration($0)) } ?? .message
            case "type.googleapis.com/google.protobuf.Timestamp":
                self = message.value.flatMap { Moment($0) }.map { .value(.timestamp($0)) } ?? .message
            default: self = .message
            }
        case .enum_value: self = .message
        }
    }

    var holdsMessage: Bool {
        switch self {
        case .value: false
        case .message: true
        case .list(let values): values.contains { $0.holdsMessage }
        case .map(let entries): entries.contains { $0.key.holdsMessage || $0.value.holdsMessage }
        }
    }

    var value: Value? {
        switch self {
        case .value(let value): return value
        case .message: return nil
        case .list(let values):
            let converted = values.compactMap(\.value)
            return converted.count == values.count ? .list(.values(converted)) : nil
        case .map(let entries):
            let keys = entries.compactMap(\.key.value)
            let values = entries.compactMap(\.value.value)
            guard keys.count == entries.count, values.count == entries.count else { return nil }
            return .map(.entries(MapEntries(keys: keys, values: values)))
        }
    }
}

/// A type as `cel.expr.Type` in JSON.
indirect enum SuiteType: Decodable {
    case type(StaticType)
    case list(SuiteType?)
    case map(SuiteType?, SuiteType?)
    case optional(SuiteType?)
    // A message, a wrapper, a type parameter or a function.
    case other

    private struct List: Decodable { let elem_type: SuiteType? }
    private struct Map: Decodable {
        let key_type: SuiteType?
        let value_type: SuiteType?
    }
    private struct Abstract: Decodable {
        let name: String?
        let parameter_types: [SuiteType]?
    }
    private enum CodingKeys: String, CodingKey { case primitive, well_known, list_type, map_type, dyn, null, type, abstract_type }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        switch container.allKeys.first {
        case .primitive:
            let names: [String: StaticType] = [
                "BOOL": .bool, "INT64": .int, "UINT64": .uint, "DOUBLE": .double, "STRING": .string, "BYTES": .bytes,
            ]
            self = names[try container.decode(String.self, forKey: .primitive)].map { .type($0) } ?? .other
        case .well_known:
            let names: [String: StaticType] = ["TIMESTAMP": .timestamp, "DURATION": .duration, "ANY": .anything]
            self = names[try container.decode(String.self, forKey: .well_known)].map { .type($0) } ?? .other
        case .list_type: self = .list(try container.decode(List.self, forKey: .list_type).elem_type)
        case .map_type:
            let map = try container.decode(Map.self, forKey: .map_type)
            self = .map(map.key_type, map.value_type)
        case .dyn: self = .type(.anything)
        case .null: self = .type(.null)
        case .type: self = .type(.type)
        case .abstract_type:
            let type = try container.decode(Abstract.self, forKey: .abstract_type)
            self = type.name == "optional_type" ? .optional(type.parameter_types?.first) : .other
        case nil: self = .other
        }
    }

    var type: StaticType? {
        switch self {
        case .type(let type): return type
        case .list(let element): return element.map { $0.type.map { .list($0) } } ?? .list(.anything)
        case .map(let key, let value):
            guard let key, let value else { return .map(key: .anything, value: .anything) }
            guard let keyType = key.type, let valueType = value.type else { return nil }
            return .map(key: keyType, value: valueType)
        case .optional(let content): return content.map { $0.type.map { .optional($0) } } ?? .optional(.anything)
        case .other: return nil
        }
    }
}
