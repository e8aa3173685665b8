// The closed list of what can go wrong with a request. Raw codes are an interface: they never change their meaning.

public import HTTPTypes

/// The kind of a problem.
public enum ProblemCode: String, Sendable, Hashable, CaseIterable {
    // The request itself.

    /// The body is no JSON that can be kept.
    case malformedJSON = "malformed_json"
    /// The body is JSON, but not what the route takes.
    case invalidRequest = "invalid_request"
    /// A parameter of the query or a header field is unknown or out of range.
    case invalidParameter = "invalid_parameter"
    /// The cursor belongs to another list, or is none.
    case invalidCursor = "invalid_cursor"
    /// The body is larger than the route takes.
    case bodyTooLarge = "body_too_large"
    /// The input of a run is larger than inputs may be.
    case inputTooLarge = "input_too_large"

    // Who is asking.

    /// No key, or none that is valid.
    case unauthenticated
    /// The key may not do this, or not in this namespace.
    case forbidden
    /// A page of another site tries to use an API that is open to this machine only.
    case foreignOrigin = "foreign_origin"

    // What is asked for.

    /// There is nothing at this path.
    case routeNotFound = "route_not_found"
    /// The path exists, the method does not.
    case methodNotAllowed = "method_not_allowed"
    /// There is no such namespace.
    case namespaceNotFound = "namespace_not_found"
    /// There is no such workflow.
    case workflowNotFound = "workflow_not_found"
    /// The workflow has no such version.
    case versionNotFound = "version_not_found"
    /// There is no such run.
    case runNotFound = "run_not_found"
    /// The step has not started, or does not exist.
    case stepNotFound = "step_not_found"
    /// There is no such event.
    case eventNotFound = "event_not_found"

    // What the request would do.

    /// The file names another workflow than the path.
    case nameMismatch = "name_mismatch"
    /// The workflow file has errors.
    case invalidDefinition = "invalid_definition"
    /// The version cannot be run by this release.
    case workflowNotRunnable = "workflow_not_runnable"
    /// The input does not match the workflow's schema.
    case invalidInput = "invalid_input"
    /// The idempotency key was used before, for another request.
    case keyConflict = "key_conflict"
    /// The run has ended.
    case runEnded = "run_ended"
    /// The run is in a state that the order does not fit.
    case runConflict = "run_conflict"
    /// The run's state machine does not expect the event, and refuses what it does not expect.
    case eventRefused = "event_refused"

    // The service.

    /// More is asked for than can be done; nothing was done.
    case tooManyRequests = "too_many_requests"
    /// A part of the service is too slow at the moment; nothing was done.
    case overloaded
    /// The database cannot be reached.
    case databaseUnavailable = "database_unavailable"
    /// The database has another schema than this release needs.
    case schemaNotReady = "schema_not_ready"
    /// A mistake in this program.
    case internalError = "internal_error"

    /// The HTTP status that goes with it.
    public var status: HTTPResponse.Status {
        switch self {
        case .malformedJSON, .invalidRequest, .invalidParameter, .invalidCursor: .badRequest
        case .unauthenticated: .unauthorized
        case .forbidden, .foreignOrigin: .forbidden
        case .routeNotFound, .namespaceNotFound, .workflowNotFound, .versionNotFound, .runNotFound, .stepNotFound, .eventNotFound: .notFound
        case .methodNotAllowed: .methodNotAllowed
        case .keyConflict, .runEnded, .runConflict, .eventRefused: .conflict
        case .bodyTooLarge, .inputTooLarge: .contentTooLarge
        case .nameMismatch, .invalidDefinition, .workflowNotRunnable, .invalidInput: .unprocessableContent
        case .tooManyRequests: .tooManyRequests
        case .overloaded, .databaseUnavailable, .schemaNotReady: .serviceUnavailable
        case .internalError: .internalServerError
        }
    }

    /// What `type` of a problem document points at, relative to the coordinator.
    public var typePath: String { "/problems/\(rawValue)" }

    /// Seconds after which another try makes sense, where one does.
    var retryAfterSeconds: Int? {
        switch self {
        case .tooManyRequests, .overloaded: 1
        case .databaseUnavailable: 2
        case .schemaNotReady: 5
        case .malformedJSON, .invalidRequest, .invalidParameter, .invalidCursor, .unauthenticated, .forbidden, .foreignOrigin,
            .routeNotFound, .namespaceNotFound, .workflowNotFound, .versionNotFound, .runNotFound, .stepNotFound, .eventNotFound, .methodNotAllowed,
            .keyConflict, .runEnded, .runConflict, .eventRefused, .bodyTooLarge, .inputTooLarge, .nameMismatch, .invalidDefinition, .workflowNotRunnable,
            .invalidInput, .internalError:
            nil
        }
    }
}
