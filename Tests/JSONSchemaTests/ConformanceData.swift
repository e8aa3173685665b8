// The official test suite of JSON Schema, read from where conformance data lies next to the project; it is not part of it.

import Foundation
import JSONSchema
import WorkflowModel

/// One case of the suite.
struct ConformanceCase {
    let file: String
    let group: String
    let name: String
    let data: JSONValue
    let isValid: Bool
}

/// One schema of the suite with its cases.
struct ConformanceGroup {
    let file: String
    let name: String
    let schema: JSONValue
    let cases: [ConformanceCase]
}

enum ConformanceData {
    /// `$SKEIN_CONFORMANCE/json-schema`, by default in `../shared/conformance` as seen from the root of the package.
    static var folder: URL? {
        let root: URL
        if let given = ProcessInfo.processInfo.environment["SKEIN_CONFORMANCE"] {
            root = URL(fileURLWithPath: given)
        } else {
            let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent()
            root = package.deletingLastPathComponent().appendingPathComponent("shared/conformance")
        }
        let folder = root.appendingPathComponent("json-schema")
        return FileManager.default.fileExists(atPath: folder.path) ? folder : nil
    }

    /// All groups of the draft, in the order of their files; `optional/` is part of a file's name.
    static func groups(in folder: URL) throws -> [ConformanceGroup] {
        let tests = folder.appendingPathComponent("tests/draft2020-12")
        var groups: [ConformanceGroup] = []
        for file in try jsonFiles(in: tests) {
            for group in try document(at: tests.appendingPathComponent(file)).arrayValue ?? [] {
                let name = group["description"]?.stringValue ?? ""
                let cases = (group["tests"]?.arrayValue ?? []).map { test in
                    ConformanceCase(
                        file: file, group: name, name: test["description"]?.stringValue ?? "", data: test["data"] ?? .null,
                        isValid: test["valid"]?.boolValue ?? false)
                }
                groups.append(ConformanceGroup(file: file, name: name, schema: group["schema"] ?? .null, cases: cases))
            }
        }
        return groups
    }

    /// What the suite expects to find at `http://localhost:1234/`.
    static func remotes(in folder: URL) throws -> [String: JSONValue] {
        let remotes = folder.appendingPathComponent("remotes")
        var documents: [String: JSONValue] = [:]
        for file in try jsonFiles(in: remotes) {
            documents["http://localhost:1234/\(file)"] = try document(at: remotes.appendingPathComponent(file))
        }
        return documents
    }

    private static func jsonFiles(in folder: URL) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".json") }.sorted()
    }

    private static func document(at url: URL) throws -> JSONValue {
        // U+0000 is refused when a document comes in, as PostgreSQL cannot keep it. A schema has an opinion on it all the same, so it is
        // let in under another name.
        let text = String(decoding: try Data(contentsOf: url), as: UTF8.self)
        let value = try JSONValue(parsing: withStandIns(text), limits: JSONLimits(bytes: 16 << 20, depth: 1_000))
        return restored(value)
    }

    private static let standIn: Unicode.Scalar = "\u{F8FF}"

    private static func withStandIns(_ text: String) -> String {
        var result = ""
        var rest = Substring(text)
        while let backslash = rest.firstIndex(of: "\\") {
            result += rest[..<backslash]
            rest = rest[backslash...]
            if rest.hasPrefix("\\u0000") {
                result.unicodeScalars.append(standIn)
                rest = rest.dropFirst(6)
            } else {
                result += rest.prefix(2)
                rest = rest.dropFirst(2)
            }
        }
        return result + rest
    }

    private static func restored(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars { result.unicodeScalars.append(scalar == standIn ? "\0" : scalar) }
        return result
    }

    private static func restored(_ value: JSONValue) -> JSONValue {
        switch value {
        case .null, .bool, .int, .double: return value
        case .string(let text): return .string(restored(text))
        case .array(let elements): return .array(elements.map { restored($0) })
        case .object(let object):
            var copy = JSONObject()
            for (key, member) in object.members { copy[restored(key)] = restored(member) }
            return .object(copy)
        }
    }
}
