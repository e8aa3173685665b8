// One expression on data from a file: what `skein expr` does.

import Definitions
import Expressions
import Foundation
package import WorkflowModel

/// Evaluates expressions and templates for people who try them out.
package enum ExpressionTool {
    /// The names that an expression sees: the members of a document in YAML or JSON. `-` is standard input.
    package static func data(_ path: String?) throws -> JSONObject {
        guard let path else { return JSONObject() }
        let name = path == "-" ? "standard input" : path
        let text =
            path == "-"
            ? String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self) : try LocalFile.text(at: path)
        let document = DataDocument.read(text)
        guard let value = document.value else {
            throw CommandFailure(
                .invalid, "\(name) is neither JSON nor YAML that can be used",
                details: document.diagnostics.flatMap { $0.rendered(file: name, source: text).split(separator: "\n").map(String.init) })
        }
        switch value {
        case .object(let object): return object
        case .null: return JSONObject()
        case .bool, .int, .double, .string, .array:
            throw CommandFailure(
                .invalid, "\(name) is not a mapping, so it gives the expression no names",
                fix: "name the data, for example input: …")
        }
    }

    /// The value of an expression, or of a text with expressions in `${{ … }}`.
    package static func evaluate(_ source: String, on data: JSONObject) throws -> JSONValue {
        var scope = Scope()
        var check = TypeCheck([:])
        for (name, value) in data.members {
            scope.set(name, Value(value))
            check[name] = .anything
        }
        do throws(ExpressionError) {
            if source.contains("${{") {
                let template = try CompiledTemplate(.string(source))
                try refuse(check.check(template))
                return try template.render(scope)
            }
            let expression = try CompiledExpression(source)
            try refuse(check.check(expression))
            return try expression.evaluateJSON(scope)
        } catch {
            throw failure(error, names: data.keys)
        }
    }

    // The first thing that cannot work, whatever the data is.
    private static func refuse(_ checked: CheckedType) throws(ExpressionError) {
        if let finding = checked.findings.first(where: { $0.severity == .error }) { throw finding.error }
    }

    private static func failure(_ error: ExpressionError, names: [String]) -> CommandFailure {
        let isFunction = error.message.hasPrefix("there is no function")
        let fix: String? =
            switch error.kind {
            case .unknownName where isFunction: "`skein expr --functions` lists the functions"
            case .unknownName where names.isEmpty: "give the expression data with --data FILE or -P name=value"
            case .unknownName: names.count > 12 ? nil : "the data has \(names.map(Console.printable).joined(separator: ", "))"
            case .arity: "`skein expr --functions` lists the functions"
            case .limit: "the limits are those of a run; compute parts of it in steps of their own"
            case .syntax, .unknownField, .type, .evaluation: nil
            }
        return CommandFailure(.invalid, error.message, fix: fix, details: error.excerpt.map(Console.printable))
    }

    /// The names of all functions and macros.
    package static var functionNames: [String] { TypeCheck.functionNames }
}
