// Agents: the file's `agents`, and those that a step brings along.

import WorkflowModel

extension DefinitionReader {
    mutating func agents(_ field: Field) -> [NamedAgent] {
        guard let members = field.members else {
            wrongType(field, expected: "a mapping from names to agents")
            return []
        }
        var agents: [NamedAgent] = []
        for member in members {
            checkName(of: member, .agent, in: field.path)
            agentNames.append(member.key)
            if let agent = self.agent(field.member(member)) { agents.append(NamedAgent(name: member.key, agent: agent)) }
        }
        return agents
    }

    mutating func agent(_ field: Field) -> AgentDefinition? {
        guard field.members != nil else {
            report(
                .wrongType, "an agent is a mapping, but this is \(field.node.kindName)", at: field,
                fix: "for example { kind: http, url: … }")
            return nil
        }
        let kindField = field.members?.first { $0.key == "kind" }.map { field.member($0) }
        let word = kindField.flatMap { text($0) }
        let vocabulary: Vocabulary
        switch word {
        case "http": vocabulary = .httpAgent
        case "exec": vocabulary = .execAgent
        case "noop": vocabulary = .noopAgent
        default: vocabulary = .anyAgent
        }
        guard let entries = entries(field, vocabulary) else { return nil }
        let timeout = entries["timeout"].flatMap { duration($0) }
        let retry = entries["retry"].flatMap { self.retry($0) }
        guard let word, let kindField else {
            if kindField == nil {
                let kind = entries["url"] != nil ? "http" : entries["command"] != nil ? "exec" : Wording.either(Vocabulary.agentKinds)
                report(.missingKey, "an agent needs `kind`", at: field, fix: "add kind: \(kind)")
            }
            return nil
        }
        switch word {
        case "http": return http(entries).map { AgentDefinition(kind: .http($0), timeout: timeout, retry: retry) }
        case "exec": return exec(entries).map { AgentDefinition(kind: .exec($0), timeout: timeout, retry: retry) }
        case "noop":
            if !options.allowNoop {
                report(
                    .noopRefused, "agents of the kind noop do nothing; only tests and benchmarks may use them", at: kindField,
                    fix: "use http or exec, or a `set` step for a value")
            }
            return AgentDefinition(kind: .noop, timeout: timeout, retry: retry)
        default:
            if Vocabulary.laterAgentKinds.contains(word) {
                report(
                    .notYet, "agents of the kind \(word) belong to the language, but this release cannot call them yet", at: kindField,
                    fix: "use http or exec")
            } else {
                unknownWord(word, of: Vocabulary.agentKinds, at: kindField)
            }
            return nil
        }
    }

    // MARK: HTTP

    static let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
    // What the HTTP client writes itself; a second one would make the request ambiguous.
    private static let reservedHeaders = ["content-length", "transfer-encoding", "connection", "host"]

    private mutating func http(_ entries: Entries) -> HTTPAgent? {
        let urlField = required("url", in: entries, "an http agent", fix: "add url: https://…")
        let url = urlField.flatMap { self.url($0) }
        var agent = HTTPAgent(url: url ?? "")
        if let method = entries["method"], let text = text(method) {
            agent.method = text
            if !Self.methods.contains(text) { unknownWord(text, of: Self.methods, at: method) }
        }
        if let headers = entries["headers"] { agent.headers = self.headers(headers) }
        if let body = entries["body"] { agent.body = template(body, .agent(secrets: true)) }
        if let connect = entries["connectTimeout"] { agent.connectTimeout = duration(connect) }
        if let most = entries["maxResponseBytes"] { agent.maxResponseBytes = size(most) }
        if let success = entries["success"] { agent.success = condition(success, .agentSuccess) }
        return agent
    }

    private mutating func url(_ field: Field) -> String? {
        guard let text = text(field) else { return nil }
        check(field, text, .agent(secrets: true))
        func refuse(_ message: String, _ fix: String) { report(.invalidURL, message, at: field, fix: fix) }
        let isTemplate = text.contains("${{")
        if isTemplate, text.hasPrefix("${{") { return text }
        guard let scheme = ["http://", "https://"].first(where: { text.lowercased().hasPrefix($0) }) else {
            refuse("\(Wording.quoted(text)) is no address: it must begin with http:// or https://", "write https://host/path")
            return text
        }
        let authority = text.dropFirst(scheme.count).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        if authority.isEmpty {
            refuse("\(Wording.quoted(text)) names no host", "write \(scheme)host/path")
        } else if !isTemplate, authority.contains("@") {
            refuse("an address must not hold a user name or password", "use headers: { authorization: \"Basic ${{ secrets.NAME }}\" }")
        } else if text.unicodeScalars.contains(where: { $0.value < 0x21 || $0.value == 0x7F }), !isTemplate {
            refuse("\(Wording.quoted(text)) holds a space or a control character", "write %20 for a space")
        }
        return text
    }

    private mutating func headers(_ field: Field) -> [NamedTemplate] {
        namedTemplates(field, "header fields", .agent(secrets: true)) { name in
            if name.isEmpty || !name.utf8.allSatisfy(Self.isTokenByte) { return "\(Wording.quoted(name)) is no name of a header field" }
            if Self.reservedHeaders.contains(name.lowercased()) { return "the header field \(name) is written by the worker itself" }
            return nil
        }
    }

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        case 0x21, 0x23, 0x24, 0x25, 0x26, 0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x5E, 0x5F, 0x60, 0x7C, 0x7E: true
        default: false
        }
    }

    // Header fields and environment variables: a mapping from names to texts.
    private mutating func namedTemplates(
        _ field: Field, _ what: String, _ place: ExpressionPlace, refusal: (String) -> String?
    ) -> [NamedTemplate] {
        guard let members = field.members else {
            wrongType(field, expected: "a mapping of \(what)")
            return []
        }
        var templates: [NamedTemplate] = []
        for member in members {
            if let message = refusal(member.key) { reportKey(.invalidHeader, message, member, in: field.path, fix: "choose another name") }
            let value = field.member(member)
            guard let text = text(value) else { continue }
            if text.unicodeScalars.contains(where: { $0.value < 0x20 && $0.value != 0x09 }) && !text.contains("${{") {
                report(
                    .invalidHeader, "the value of \(Wording.quoted(member.key)) holds a line break or control character", at: value,
                    fix: "remove it")
            }
            check(value, text, place)
            templates.append(NamedTemplate(name: member.key, value: text))
        }
        return templates
    }

    // MARK: Processes

    private mutating func exec(_ entries: Entries) -> ExecAgent? {
        var agent = ExecAgent(command: [])
        if let command = required("command", in: entries, "an exec agent", fix: "add command: [program, argument]") {
            agent.command = self.command(command)
        }
        if let stdin = entries["stdin"] { agent.stdin = template(stdin, .process) }
        if let output = entries["output"], let value = word(output, ExecAgent.Output.self) { agent.output = value }
        if let environment = entries["environment"] {
            agent.environment = namedTemplates(environment, "environment variables", .process) { name in
                let isName =
                    !name.isEmpty && !(name.utf8.first.map { $0 >= 0x30 && $0 <= 0x39 } ?? true)
                    && name.utf8.allSatisfy { $0 == 0x5F || ($0 >= 0x30 && $0 <= 0x39) || ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A) }
                return isName ? nil : "\(Wording.quoted(name)) is no name of an environment variable"
            }
        }
        if let most = entries["maxOutputBytes"] { agent.maxOutputBytes = size(most) }
        return agent
    }

    private mutating func command(_ field: Field) -> [String] {
        guard let elements = field.elements else {
            let words = field.string.map { $0.split(separator: " ").joined(separator: ", ") }
            wrongType(field, expected: "a list of arguments, never a shell line", fix: words.map { "write [\($0)]" })
            return []
        }
        var arguments: [String] = []
        for element in elements {
            switch element.node.content {
            // `[head, -n, 5]`: an argument is text whatever it looks like.
            case .scalar(.int), .scalar(.double): arguments.append(element.node.text)
            case .scalar, .sequence, .mapping:
                guard let text = text(element) else { continue }
                check(element, text, .agent(secrets: false))
                arguments.append(text)
            }
        }
        if elements.isEmpty || arguments.first == "" {
            report(.outOfRange, "`command` names no program", at: field, fix: "write [program, argument]")
        }
        return arguments
    }
}
