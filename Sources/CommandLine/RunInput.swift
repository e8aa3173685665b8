// The input of a run, from what the command line says.

import Foundation
package import WorkflowModel

/// Puts an input together: `-i` gives the whole, `-P` sets members of it.
package enum RunInput {
    /// The largest input that is read; the server has a limit of its own.
    static let largest = 64 << 20

    /// - Parameters:
    ///   - whole: JSON, `@FILE`, or `-` for standard input.
    ///   - members: `name=text` or `name:=JSON`; dots in the name lead into objects.
    package static func assemble(whole: String?, members: [String]) throws -> JSONValue {
        var input: JSONValue = .object(JSONObject())
        if let whole { input = try read(whole) }
        var names: Set<String> = []
        for member in members {
            let name = String(member.prefix { $0 != "=" })
            let plain = name.hasSuffix(":") ? String(name.dropLast()) : name
            guard names.insert(plain).inserted else {
                throw CommandFailure(.usage, "-P \(plain) is given twice", fix: "give each member once")
            }
            try set(member, in: &input)
        }
        return input
    }

    private static func read(_ argument: String) throws -> JSONValue {
        let text: String
        let name: String
        if argument == "-" {
            name = "standard input"
            text = String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self)
        } else if argument.hasPrefix("@") {
            name = String(argument.dropFirst())
            text = try LocalFile.text(at: name)
        } else {
            name = "the input"
            text = argument
        }
        return try parse(text, name, fix: "write one JSON document, for example '{\"name\": \"value\"}', or -P name=value")
    }

    /// Several inputs, one JSON document a line; empty lines do not count.
    package static func lines(of argument: String) throws -> [JSONValue] {
        let text =
            argument == "-"
            ? String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self)
            : try LocalFile.text(at: argument.hasPrefix("@") ? String(argument.dropFirst()) : argument)
        var inputs: [JSONValue] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            guard line.contains(where: { !$0.isWhitespace }) else { continue }
            inputs.append(try parse(String(line), "line \(index + 1)", fix: "write one JSON document on each line"))
        }
        return inputs
    }

    private static func parse(_ text: String, _ name: String, fix: String) throws -> JSONValue {
        do throws(JSONError) {
            return try JSONValue(parsing: text, limits: JSONLimits(bytes: largest, depth: JSONLimits.standard.depth))
        } catch {
            throw CommandFailure(.invalid, "\(name) is not JSON: \(error)", fix: fix)
        }
    }

    private static func set(_ argument: String, in input: inout JSONValue) throws {
        guard let equals = argument.firstIndex(of: "="), equals > argument.startIndex else {
            throw CommandFailure(.usage, "-P \(argument) sets nothing", fix: "write -P name=text or -P name:=JSON")
        }
        var name = argument[..<equals]
        let text = String(argument[argument.index(after: equals)...])
        var value = JSONValue.string(text)
        if name.hasSuffix(":") {
            name.removeLast()
            value = try parse(text, "the value of \(name)", fix: "write for example -P '\(name):=[1, 2]', or -P \(name)=text for a text")
        }
        let path = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard !path.contains("") else {
            throw CommandFailure(.usage, "-P \(argument) has an empty name", fix: "write -P name=text or -P outer.inner=text")
        }
        try place(value, at: path[...], in: &input, whole: String(name))
    }

    private static func place(_ value: JSONValue, at path: ArraySlice<String>, in target: inout JSONValue, whole: String) throws {
        guard let name = path.first else {
            target = value
            return
        }
        guard var object = target.objectValue else {
            throw CommandFailure(
                .usage, "-P \(whole) leads into something that is not an object", fix: "give that member as a whole with :=")
        }
        var member = object[name] ?? .object(JSONObject())
        try place(value, at: path.dropFirst(), in: &member, whole: whole)
        object[name] = member
        target = .object(object)
    }

    /// Labels: `name=text`, or `name=@member` for what the input says there.
    package static func labels(_ arguments: [String], of input: JSONValue) throws -> JSONObject {
        var labels = JSONObject()
        for argument in arguments {
            guard let equals = argument.firstIndex(of: "="), equals > argument.startIndex else {
                throw CommandFailure(.usage, "--label \(argument) is no label", fix: "write --label name=value")
            }
            let name = String(argument[..<equals])
            guard labels[name] == nil else {
                throw CommandFailure(.usage, "--label \(name) is given twice", fix: "give each label once")
            }
            let value = argument[argument.index(after: equals)...]
            guard value.hasPrefix("@") else {
                labels[name] = .string(String(value))
                continue
            }
            var member: JSONValue? = input
            for key in value.dropFirst().split(separator: ".") { member = member?[String(key)] }
            guard let member else {
                throw CommandFailure(.usage, "--label \(argument): the input has no \(value.dropFirst())", fix: "write --label name=value")
            }
            labels[name] = .string(member.stringValue ?? member.compactText)
        }
        return labels
    }
}

/// Files that a person names.
package enum LocalFile {
    /// The text of a file, or a failure that says which file and why.
    package static func text(at path: String) throws -> String {
        do {
            let data = try Data(contentsOf: URL(fileURLWithPath: path))
            guard let text = String(validating: data, as: UTF8.self) else {
                throw CommandFailure(.invalid, "\(path) is not UTF-8 text", fix: "save it as UTF-8")
            }
            return text
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            let isThere = FileManager.default.fileExists(atPath: path)
            throw CommandFailure(
                .notFound, isThere ? "\(path) cannot be read" : "there is no file \(path)",
                fix: isThere ? "check its permissions" : "check the path")
        }
    }
}
