// Workflows and their versions.

import Definitions
import HTTPTypes
import Hummingbird
import NIOCore
import Postgres
import RunStore
import WorkflowModel

extension AdminAPI {
    static let workflowRoutes: [Route] = [
        Route(
            method: .put, path: "/api/v1/workflows/{name}", name: "applyWorkflow",
            about: "Registers a workflow file. The same content is the same version; new content becomes a new one.", access: .scope(.write),
            parameters: [
                .init(name: "live", about: "Whether new runs get this version from now on.", schema: ["type": "boolean", "default": true])
            ],
            body: .init(
                contentTypes: ["application/yaml", "application/json"], about: "The workflow file, YAML or JSON.", schema: ["type": "string"]),
            answers: [
                .init(status: 201, about: "A new version was made.", schema: Schemas.reference("AppliedWorkflow")),
                .init(status: 200, about: "The content was registered before.", schema: Schemas.reference("AppliedWorkflow")),
            ], problems: [.bodyTooLarge, .invalidDefinition, .nameMismatch, .workflowNotRunnable, .namespaceNotFound]
        ) { api, call in try await api.applyWorkflow(call) },
        Route(
            method: .get, path: "/api/v1/workflows", name: "listWorkflows", about: "The workflows, by name.", access: .scope(.read),
            parameters: Schemas.paging, answers: [.init(status: 200, about: "A page of workflows.", schema: Schemas.page("Workflow"))],
            problems: [.invalidCursor]
        ) { api, call in
            call.response(try await api.reader.workflows(in: call.namespace, limit: call.limit(), after: call.cursor()))
        },
        Route(
            method: .get, path: "/api/v1/workflows/{name}", name: "getWorkflow", about: "One workflow, with the definition that new runs get.",
            access: .scope(.read), answers: [.init(status: 200, about: "The workflow.", schema: Schemas.reference("Workflow"))],
            problems: [.workflowNotFound]
        ) { api, call in
            guard let workflow = try await api.reader.workflow(call.capture("name"), in: call.namespace) else {
                throw try await api.unknownWorkflow(call.capture("name"), in: call.namespace)
            }
            return .json(workflow)
        },
        Route(
            method: .get, path: "/api/v1/workflows/{name}/versions", name: "listVersions", about: "The versions of a workflow, the newest first.",
            access: .scope(.read), parameters: Schemas.paging,
            answers: [.init(status: 200, about: "A page of versions.", schema: Schemas.page("Version"))],
            problems: [.workflowNotFound, .invalidCursor]
        ) { api, call in
            let name = call.capture("name")
            let page = try await api.reader.versions(of: name, in: call.namespace, limit: call.limit(), after: call.cursor())
            if page.items.isEmpty, try await api.reader.workflow(name, in: call.namespace) == nil {
                throw try await api.unknownWorkflow(name, in: call.namespace)
            }
            return call.response(page)
        },
        Route(
            method: .get, path: "/api/v1/workflows/{name}/versions/{version}", name: "getVersion",
            about: "One version, with its definition in the normal form and the file as it was sent.", access: .scope(.read),
            answers: [.init(status: 200, about: "The version.", schema: Schemas.reference("Version"))],
            problems: [.workflowNotFound, .versionNotFound]
        ) { api, call in
            let name = call.capture("name")
            let number = Int(call.capture("version"))
            if let number, let version = try await api.reader.version(number, of: name, in: call.namespace) { return .json(version) }
            guard try await api.reader.workflow(name, in: call.namespace) != nil else {
                throw try await api.unknownWorkflow(name, in: call.namespace)
            }
            throw Problem(.versionNotFound, "The workflow \"\(name)\" has no version \(call.capture("version")).")
        },
    ]

    private func applyWorkflow(_ call: Call) async throws -> Response {
        let name = call.capture("name")
        let makeLive = try call.flag("live", default: true)
        var limits = DefinitionLimits()
        let body = try await call.body(upTo: min(configuration.bodyLimit, max(limits.bytes, 1)))
        limits.bytes = max(limits.bytes, body.readableBytes)
        guard let source = String(validating: body.readableBytesView, as: UTF8.self) else {
            throw Problem(.invalidDefinition, "The file is not UTF-8.", [("diagnostics", .array([]))])
        }
        let isJSON = call.request.headers[.contentType]?.lowercased().hasPrefix("application/json") ?? false
        let fileName = name + (isJSON ? ".json" : ".yaml")
        let options = DecodingOptions(allowNoop: configuration.allowNoop, limits: limits)
        // Everything is found out before the database is asked: what is wrong, and which workflow the file means.
        let decoded = DefinitionDecoder.decode(source, fileName: fileName, options: options)
        guard let definition = decoded.definition else { throw Self.invalidDefinition(decoded.diagnostics, fileName) }
        guard definition.name == name else {
            throw Problem(
                .nameMismatch, "The path names the workflow \"\(name)\", the file \"\(definition.name)\".",
                [("path_name", .string(name)), ("file_name", .string(definition.name))])
        }
        let namespace = call.namespace
        let result = try await pool.withConnection { connection -> Result<AppliedWorkflow, ApplyError> in
            do throws(ApplyError) {
                return .success(
                    try await WorkflowRegistry.apply(
                        source, fileName: fileName, namespace: namespace, makeLive: makeLive, options: options, on: connection))
            } catch {
                return .failure(error)
            }
        }
        switch result {
        case .success(let applied): return Self.response(applied, warnings: decoded.diagnostics)
        case .failure(.invalid(let diagnostics)): throw Self.invalidDefinition(diagnostics, fileName)
        case .failure(.notRunnable(let reason)): throw Problem(.workflowNotRunnable, "The workflow cannot be made ready to run: \(reason).")
        case .failure(.unknownNamespace(let name)): throw Problem(.namespaceNotFound, "There is no namespace \"\(name)\".")
        case .failure(.unavailable(let error)): throw error
        }
    }

    private static func response(_ applied: AppliedWorkflow, warnings: [Diagnostic]) -> Response {
        let document: JSONValue = [
            "workflow": .string(applied.name), "version": .int(Int64(applied.version)), "is_new": .bool(applied.isNew),
            "is_live": .bool(applied.isLive), "content_hash": .string(applied.contentHash), "warnings": .array(warnings.map(json)),
            "missing_workflows": .array(applied.missingWorkflows.map { .string($0) }),
        ]
        return .json(
            document, status: applied.isNew ? .created : .ok, headers: [.location: "/api/v1/workflows/\(applied.name)/versions/\(applied.version)"])
    }

    private static func invalidDefinition(_ diagnostics: [Diagnostic], _ fileName: String) -> Problem {
        let errors = diagnostics.count { $0.severity == .error }
        return Problem(
            .invalidDefinition, "The file has \(errors == 1 ? "one error" : "\(errors) errors"); nothing was registered.",
            [("file", .string(fileName)), ("diagnostics", .array(diagnostics.map(json)))])
    }

    private static func json(_ diagnostic: Diagnostic) -> JSONValue {
        [
            "severity": .string(diagnostic.severity.rawValue), "code": .string(diagnostic.code.rawValue), "message": .string(diagnostic.message),
            "line": .int(Int64(diagnostic.position.line)), "column": .int(Int64(diagnostic.position.column)),
            "length": .int(Int64(diagnostic.length)), "path": .string(diagnostic.path), "fix": diagnostic.fix.map { .string($0) } ?? .null,
        ]
    }

    /// The problem for a name that means no workflow, with the nearest one that there is.
    func unknownWorkflow(_ name: String, in namespace: String) async throws -> Problem {
        let names = try await reader.workflowNames(in: namespace)
        let near = Suggestion.closest(to: name, among: names)
        return Problem(
            .workflowNotFound,
            "There is no workflow \"\(name.count > 100 ? name.prefix(100) + "…" : name)\" with a live version in the namespace \"\(namespace)\"." + (near.map { " Did you mean \"\($0)\"?" } ?? ""),
            near.map { [("did_you_mean", .string($0))] } ?? [])
    }
}
