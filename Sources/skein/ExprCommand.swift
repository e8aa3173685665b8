// skein expr …

import ArgumentParser
import CommandLine
import WorkflowModel

struct ExprCommand: Executable {
    static let configuration = CommandConfiguration(
        commandName: "expr", abstract: "Evaluate one expression on data from a file. Needs no server.",
        discussion: """
            The members of the data are the names that the expression sees. A text with ${{ … }} is a template.

              skein expr 'input.docs.filter(d, d.score > 0.5).size()' --data example.yaml
              skein expr 'Dear ${{ name }}' -P name=Ada
              skein run show ID -o json | skein expr 'output.score > 0.8' --data -

            Exits with 9 when the expression or the data is wrong.
            """)
    @Argument(help: "The expression, or a text with ${{ … }}.") var expression: String?
    @Option(help: "A file in YAML or JSON; - for standard input.") var data: String?
    @Option(name: .customShort("P"), help: "A name and its value: name=text or name:=JSON.") var parameters: [String] = []
    @Flag(help: "List the functions and macros.") var functions = false
    @OptionGroup var output: OutputOptions

    func validate() throws {
        if expression == nil, !functions { throw ValidationError("which expression? for example: skein expr '1 + 2'") }
    }

    func execute(_ console: Console) async throws -> CommandStatus {
        if functions {
            for name in ExpressionTool.functionNames { console.print(name) }
            return .succeeded
        }
        var data = try ExpressionTool.data(data)
        if !parameters.isEmpty {
            let whole = JSONValue.object(data).compactText
            data = try RunInput.assemble(whole: whole, members: parameters).objectValue ?? data
        }
        let value = try ExpressionTool.evaluate(expression ?? "", on: data)
        console.print(output.isJSON || !console.isTerminal ? value.compactText : PrettyJSON.text(value))
        return .succeeded
    }
}
