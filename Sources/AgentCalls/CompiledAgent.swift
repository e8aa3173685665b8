// An agent whose templates have been compiled once, and what they become for one call.
import Expressions
import Telemetry
import WorkflowModel

/// An agent ready to be called.
enum CompiledAgent: Sendable {
    case http(CompiledHTTPAgent)
    case exec(CompiledExecAgent)
    case noop

    init(_ agent: AgentDefinition) throws(ExpressionError) {
        switch agent.kind {
        case .http(let definition): self = .http(try CompiledHTTPAgent(definition))
        case .exec(let definition): self = .exec(try CompiledExecAgent(definition))
        case .noop: self = .noop
        }
    }
}

/// The templates of an HTTP agent.
struct CompiledHTTPAgent: Sendable {
    let definition: HTTPAgent
    let success: CompiledExpression?
    private let url: TemplateParts
    private let headers: [(name: String, value: CompiledTemplate)]
    private let secretNames: [String]
    private let body: CompiledTemplate?

    init(_ definition: HTTPAgent) throws(ExpressionError) {
        self.definition = definition
        url = try TemplateParts(definition.url)
        var headers: [(name: String, value: CompiledTemplate)] = []
        var secretNames: [String] = []
        for header in definition.headers {
            let template = try CompiledTemplate(.string(header.value))
            headers.append((header.name, template))
            // A computed name is not known here, and so is never resolved.
            for reference in template.references where reference.root == "secrets" {
                if let name = reference.path.first, !secretNames.contains(name) { secretNames.append(name) }
            }
        }
        self.headers = headers
        self.secretNames = secretNames
        body = if let body = definition.body { try CompiledTemplate(body) } else { nil }
        success = if let success = definition.success { try CompiledExpression(success) } else { nil }
    }

    /// The request of one call.
    func request(for call: AgentCall, settings: AgentCallSettings) throws(CallFailure) -> PlannedRequest {
        var scope = Scope()
        scope.set("with", Value(call.with.value))
        let address = try address(scope)
        let method = definition.method.uppercased()

        var body: PlannedRequest.Body?
        if let template = self.body {
            let value = try Rendering.render(template, scope, "the body")
            if case .string(let text) = value {
                body = PlannedRequest.Body(bytes: Array(text.utf8), contentType: "text/plain; charset=utf-8")
            } else {
                body = PlannedRequest.Body(bytes: Array(value.compactText.utf8), contentType: "application/json")
            }
        } else if method != "GET" && method != "HEAD" {
            // These two have no body by nature; a template says otherwise where somebody insists.
            body = PlannedRequest.Body(bytes: Array(call.with.text.utf8), contentType: "application/json")
        }

        var fields = RequestFields()
        fields.set("accept", "application/json, text/plain;q=0.9, */*;q=0.5")
        fields.set("user-agent", settings.userAgent)
        if let body { fields.set("content-type", body.contentType) }
        fields.set("idempotency-key", call.idempotencyKey)
        if let traceparent = call.trace?.traceparent { fields.set("traceparent", traceparent) }
        let secrets = try secrets(settings)
        scope.set("secrets", Value(.object(secrets.object)))
        for (name, template) in headers {
            let value = try Rendering.text(try Rendering.render(template, scope, "the header field \(name)"), "the header field \(name)")
            try fields.setChecked(name, value)
        }
        fields.set("x-skein-run-id", call.runID.description)
        fields.set("x-skein-step", RequestFields.asciiOnly(call.path.text))
        fields.set("x-skein-attempt", String(call.attempt))
        fields.set("x-skein-fence", call.fence.description)
        return PlannedRequest(method: method, address: address, fields: fields, body: body, redaction: Redaction(secrets.values))
    }

    // Where a value stands decides how it is put in: as it is at the very beginning; letters, digits, `.`, `-`, `_` and `:` only within the
    // host; percent-encoded as one component behind it, so that no value can change the path's or the query's structure.
    private func address(_ scope: Scope) throws(CallFailure) -> WebAddress {
        var text = ""
        for part in url.parts {
            switch part {
            case .literal(let literal): text += literal
            case .value(let template):
                let value = try Rendering.text(try Rendering.render(template, scope, "the address"), "the address")
                if text.isEmpty {
                    text = value
                } else if WebAddress.isBehindHost(text) {
                    text += WebAddress.percentEncoded(value)
                } else if WebAddress.isHostText(value) {
                    text += value
                } else {
                    throw CallFailure(.expression, .urlInvalid, "The address has a value in its host that may not stand there.")
                }
            }
        }
        return try WebAddress(text)
    }

    private func secrets(_ settings: AgentCallSettings) throws(CallFailure) -> (object: JSONObject, values: [String]) {
        var object = JSONObject()
        var values: [String] = []
        for name in secretNames {
            guard let value = settings.secret(name) else {
                throw CallFailure(.expression, .secretMissing, "The secret \(name) is not known to this worker.")
            }
            object[name] = .string(value)
            values.append(value)
        }
        return (object, values)
    }
}

/// The templates of a process agent.
struct CompiledExecAgent: Sendable {
    let definition: ExecAgent
    private let command: [CompiledTemplate]
    private let environment: [(name: String, value: CompiledTemplate)]
    private let stdin: CompiledTemplate?

    init(_ definition: ExecAgent) throws(ExpressionError) {
        self.definition = definition
        var command: [CompiledTemplate] = []
        for argument in definition.command { command.append(try CompiledTemplate(.string(argument))) }
        self.command = command
        var environment: [(name: String, value: CompiledTemplate)] = []
        for variable in definition.environment { environment.append((variable.name, try CompiledTemplate(.string(variable.value)))) }
        self.environment = environment
        stdin = if let stdin = definition.stdin { try CompiledTemplate(stdin) } else { nil }
    }

    /// The process of one call.
    func process(for call: AgentCall, settings: AgentCallSettings) throws(CallFailure) -> PlannedProcess {
        var scope = Scope()
        scope.set("with", Value(call.with.value))
        var arguments: [String] = []
        for (index, template) in command.enumerated() {
            let what = index == 0 ? "the executable" : "argument \(index)"
            let text = try Rendering.text(try Rendering.render(template, scope, what), what)
            guard !text.utf8.contains(0) else { throw CallFailure(.expression, .templateKind, "\(what) has the character U+0000 in it.") }
            arguments.append(text)
        }
        guard let name = arguments.first, !name.isEmpty else {
            throw CallFailure(.expression, .templateKind, "The agent names no executable.")
        }
        let executable = try ExecutableSearch.find(name, settings: settings)

        var variables: [String: String] = [
            "PATH": settings.searchPath,
            "LANG": settings.language,
        ]
        for (name, template) in environment {
            guard Self.isAllowedVariable(name) else {
                throw CallFailure(.limit, .notAllowed, "An agent may not set the environment variable \(name).")
            }
            let what = "the environment variable \(name)"
            let text = try Rendering.text(try Rendering.render(template, scope, what), what)
            guard !text.utf8.contains(0) else { throw CallFailure(.expression, .templateKind, "\(what) has the character U+0000 in it.") }
            variables[name] = text
        }
        if let traceparent = call.trace?.traceparent { variables["TRACEPARENT"] = traceparent }
        variables["SKEIN_RUN_ID"] = call.runID.description
        variables["SKEIN_STEP"] = call.path.text
        variables["SKEIN_ATTEMPT"] = String(call.attempt)
        variables["SKEIN_FENCE"] = call.fence.description
        variables["IDEMPOTENCY_KEY"] = call.idempotencyKey

        let input: String
        if let stdin {
            let value = try Rendering.render(stdin, scope, "the standard input")
            input = if case .string(let text) = value { text } else { value.compactText }
        } else {
            input = call.with.text
        }
        return PlannedProcess(
            executable: executable, name: name, arguments: Array(arguments.dropFirst()), environment: variables, input: Array(input.utf8))
    }

    // Variables of the dynamic linker and of shells would let a definition run code inside an executable that the worker allows.
    private static func isAllowedVariable(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        guard let first = bytes.first, !(0x30...0x39).contains(first), !bytes.contains(0x3D), !bytes.contains(0) else { return false }
        let refused = ["LD_", "DYLD_", "SKEIN_"]
        return !refused.contains { prefix in name.hasPrefix(prefix) }
            && !["GCONV_PATH", "GLIBC_TUNABLES", "BASH_ENV", "ENV", "IFS", "IDEMPOTENCY_KEY", "TRACEPARENT"].contains(name)
    }
}

/// A process to be started.
struct PlannedProcess: Sendable {
    /// The absolute path.
    let executable: String
    /// What the process sees as its own name.
    let name: String
    let arguments: [String]
    let environment: [String: String]
    let input: [UInt8]
}

/// Renders templates; whatever goes wrong becomes a failure.
enum Rendering {
    static func render(_ template: CompiledTemplate, _ scope: Scope, _ what: String) throws(CallFailure) -> JSONValue {
        do {
            return try template.render(scope)
        } catch {
            throw CallFailure(.expression, nil, "An expression in \(what) could not be evaluated: \(error)")
        }
    }

    /// A value where only text makes sense: strings as they are, numbers and booleans as JSON.
    static func text(_ value: JSONValue, _ what: String) throws(CallFailure) -> String {
        switch value {
        case .string(let text): return text
        case .bool, .int, .double: return value.compactText
        case .null, .array, .object:
            throw CallFailure(
                .expression, .templateKind,
                "A template in \(what) gave a value of the kind \(value.kindName); it must be a string, a number or a boolean.")
        }
    }
}
