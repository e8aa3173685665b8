// The conformance suite of the language, which nobody on this project wrote. It is read from outside the package and skipped where it is
// not there.

import Foundation
import Testing

@testable import Expressions

/// Where the suite is: `$SKEIN_CONFORMANCE/cel`, or next to the package.
private let folder: URL = {
    let root =
        ProcessInfo.processInfo.environment["SKEIN_CONFORMANCE"].map { URL(fileURLWithPath: $0) }
        ?? URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("../shared/conformance").standardized
    return root.appendingPathComponent("cel")
}()

private let files: [URL] =
    ((try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? [])
    .filter { $0.pathExtension == "json" }
    .sorted { $0.lastPathComponent < $1.lastPathComponent }

@Suite("Conformance with the language definition")
struct ConformanceTests {
    @Test("every applicable case of the official suite passes in strict mode")
    func officialSuite() throws {
        guard !files.isEmpty else {
            print("cel: skipped, no suite in \(folder.path)")
            return
        }
        var passed = 0
        var excluded: [String: Int] = [:]
        var failures: [String] = []
        for file in files {
            let suite = try JSONDecoder().decode(SuiteFile.self, from: Data(contentsOf: file))
            for section in suite.section {
                for test in section.test ?? [] {
                    if let reason = Exclusion.all.first(where: { $0.applies(test) })?.reason {
                        excluded[reason, default: 0] += 1
                    } else if let problem = test.problem() {
                        failures.append("\(suite.name)/\(section.name)/\(test.name): \(test.expr.prefix(120)): \(problem)")
                    } else {
                        passed += 1
                    }
                }
            }
        }
        print("cel: \(passed) passed, \(failures.count) failed, \(excluded.values.reduce(0, +)) excluded")
        for (reason, count) in excluded.sorted(by: { $0.key < $1.key }) { print("cel: excluded \(count): \(reason)") }
        for failure in failures { print("cel: failed \(failure)") }
        #expect(failures.isEmpty)
        #expect(passed > 0)
    }
}

/// What a case needs that this implementation does not have by design. By rule, never by name.
private struct Exclusion: Sendable {
    let reason: String
    let applies: @Sendable (SuiteCase) -> Bool

    static let all: [Exclusion] = [
        Exclusion(reason: "sets a container: there are no protobuf packages whose names could be resolved") { $0.container != nil },
        Exclusion(reason: "checks types only: there is no static type checker") { $0.check_only == true || $0.typed_result != nil },
        Exclusion(reason: "evaluates with unknown data: a run knows its data or is not there yet") {
            $0.unknown != nil || $0.any_unknowns != nil
        },
        Exclusion(reason: "builds a protobuf message") { test in
            zip(test.tokens, test.tokens.dropFirst()).contains { first, second in
                if case .identifier(let name) = first, name != "in", second == .symbol(.leftBrace) { true } else { false }
            }
        },
        Exclusion(reason: "names a protobuf type other than Timestamp and Duration") { test in
            zip(test.tokens, test.tokens.dropFirst(4)).contains { first, fifth in
                guard first == .identifier("google"), case .identifier(let name) = fifth else { return false }
                return name != "Timestamp" && name != "Duration"
            }
        },
        Exclusion(reason: "has a protobuf message among its values") { test in
            ([test.value] + (test.bindings ?? [:]).values.map(\.value)).contains { $0?.holdsMessage == true }
        },
    ]
}

// MARK: - The format of the suite

private struct SuiteFile: Decodable {
    let name: String
    let section: [SuiteSection]
}

private struct SuiteSection: Decodable {
    let name: String
    let test: [SuiteCase]?
}

private struct SuiteCase: Decodable {
    struct Binding: Decodable { let value: SuiteValue? }
    struct Anything: Decodable {}

    let name: String
    let expr: String
    let container: String?
    let check_only: Bool?
    let typed_result: Anything?
    let value: SuiteValue?
    let eval_error: Anything?
    let any_eval_errors: Anything?
    let unknown: Anything?
    let any_unknowns: Anything?
    let bindings: [String: Binding]?

    var expectsError: Bool { eval_error != nil || any_eval_errors != nil }

    var tokens: [Token] {
        var lexer = Lexer(Array(expr.utf8))
        var tokens: [Token] = []
        while let (token, _) = try? lexer.next(), token != .end { tokens.append(token) }
        return tokens
    }

    /// What is wrong; nil when the case passes.
    func problem() -> String? {
        var scope = Scope()
        for (name, binding) in (bindings ?? [:]).sorted(by: { $0.key < $1.key }) {
            guard let value = binding.value?.value else { return "the binding \(name) cannot be read" }
            scope.set(name, value)
        }
        let result: Value
        do {
            result = try CompiledExpression(expr, mode: .strict).evaluate(scope)
        } catch {
            if expectsError { return error.kind == .limit ? "a limit was exceeded" : nil }
            return "\(error)"
        }
        if expectsError { return "an error was expected, not \(result)" }
        guard let expected = value.map(\.value) ?? .bool(true) else { return "the expected value cannot be read" }
        return isSame(result, expected) ? nil : "\(expected) was expected, not \(result)"
    }
}

/// Equality of types and values; NaN is the same as NaN, and maps are the same in any order.
private func isSame(_ left: Value, _ right: Value) -> Bool {
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
private indirect enum SuiteValue: Decodable {
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
