// What the YAML parser complains about, in words that help the writer of the file.

import Yams

extension YAMLDocument {
    func words(for error: YamlError, _ scan: YAMLScan) -> Diagnostic {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _):
            return words(problem, context, mark, scan)
        case .composer(_, let problem, let mark, _):
            if problem.contains("another document") {
                return Diagnostic(
                    code: .severalDocuments, message: "a second document begins here; a file holds one workflow", path: "",
                    position: corrected(mark), length: 3, fix: "put it into a file of its own")
            }
            return Diagnostic(code: .syntax, message: problem, path: "", position: corrected(mark))
        case .duplicatedKeysInMapping(let keys, let context):
            return Diagnostic(
                code: .duplicateKey, message: "the key \(Wording.quoted(keys.first ?? "")) stands twice in one mapping", path: "",
                position: corrected(context.mark), fix: "keep one of the two")
        case .memory: return Self.tooDeep(.start, limits)
        case .reader(let problem, _, _, _), .writer(let problem), .emitter(let problem), .representer(let problem):
            return Diagnostic(code: .syntax, message: "the file cannot be read as YAML: \(problem)", path: "", position: .start)
        case .no, .dataCouldNotBeDecoded:
            return Diagnostic(code: .syntax, message: "the file cannot be read as YAML", path: "", position: .start)
        }
    }

    private func words(_ problem: String, _ context: YamlError.Context?, _ mark: Mark, _ scan: YAMLScan) -> Diagnostic {
        let position = corrected(mark)
        func syntax(_ message: String, at place: SourcePosition? = nil, fix: String?) -> Diagnostic {
            Diagnostic(code: .syntax, message: message, path: "", position: place ?? position, fix: fix)
        }
        if let tab = scan.indentingTab.map({ source.position(of: $0) }), tab.line <= position.line {
            return syntax("a tab indents this line; YAML takes spaces only", at: tab, fix: "indent with two spaces")
        }
        if problem.contains("nesting level") { return Self.tooDeep(position, limits) }
        let opened = context.map { corrected($0.mark) }
        let inFlow = context?.text.contains("flow") ?? false
        if inFlow, let opened, opened.line <= position.line,
            (opened.line...position.line).prefix(20).contains(where: { source.line($0).contains("${{") })
        {
            return syntax(
                "inside { } or [ ] an expression must stand in double quotes", at: opened, fix: "write \"${{ … }}\"")
        }
        if problem.contains("unexpected end of stream"), let opened {
            return syntax("a quote that is opened here is never closed", at: opened, fix: "close it")
        }
        if inFlow, let opened {
            return syntax(
                "a { or [ that is opened in line \(opened.line), column \(opened.column), is not closed, or a comma is missing",
                fix: "close it, or separate its entries by commas")
        }
        if problem.contains("mapping values are not allowed"), source.line(position.line).contains("${{") {
            return syntax("an expression that holds \": \" must stand in double quotes", fix: "write \"${{ … }}\", or a block scalar (|)")
        }
        if problem.contains("mapping values are not allowed") {
            return syntax("a second colon in this line, or a line that is indented too far", fix: "put text that contains \": \" in quotes")
        }
        if problem.contains("could not find expected ':'") {
            return syntax(
                "a key without a colon", at: opened, fix: "every line is `key: value` or `- entry`; further text is indented deeper")
        }
        if problem.contains("did not find expected key") || problem.contains("did not find expected '-' indicator") {
            return syntax("this line does not belong to the block above it", fix: "indent it like its neighbours")
        }
        if problem.contains("cannot start any token") {
            let character = source.line(position.line).unicodeScalars.dropFirst(position.column - 1).first.map { String($0) } ?? ""
            return syntax("text cannot begin with \(Wording.quoted(character))", fix: "put it in quotes")
        }
        return syntax("the file is no YAML: \(problem)", fix: nil)
    }
}
