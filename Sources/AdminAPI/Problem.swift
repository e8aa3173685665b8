// A problem document (RFC 9457): what a request gets when it is refused.

import HTTPTypes
import Hummingbird
import NIOCore
import Postgres
import Schema
import WorkflowModel

/// Why a request was refused.
struct Problem: Error, Sendable {
    let code: ProblemCode
    let detail: String
    /// Members of the document beside the standard ones.
    var members: [(name: String, value: JSONValue)] = []
    var headers: HTTPFields = [:]
    /// Seconds after which another try makes sense, where one does.
    var retryAfterSeconds: Int?

    init(_ code: ProblemCode, _ detail: String, _ members: [(name: String, value: JSONValue)] = []) {
        self.code = code
        self.detail = detail
        self.members = members
        retryAfterSeconds = code.retryAfterSeconds
    }

    /// What a failed statement means to whoever asked.
    init(_ error: PostgresError) {
        switch error.sqlState {
        case .undefinedTable?, .undefinedFunction?, .unknownSchema?:
            self.init(.schemaNotReady, "The database lacks what this release needs. Run: skein migrate")
        default:
            if error.code == .poolTimeout || error.wantsBackPressure || (error.code == .server && error.sqlState == .queryCancelled) {
                self.init(.overloaded, "\(error).")
            } else if error.isTransient || error.code == .poolClosed {
                self.init(.databaseUnavailable, "\(error).")
            } else {
                self.init(.internalError, "\(error).")
            }
        }
    }

    /// The document.
    func json(requestID: String) -> JSONValue {
        var object = JSONObject()
        object["type"] = .string(code.typePath)
        object["title"] = .string(code.title)
        object["status"] = .int(Int64(code.status.code))
        object["detail"] = .string(detail)
        object["code"] = .string(code.rawValue)
        object["request_id"] = .string(requestID)
        if let seconds = retryAfterSeconds { object["retry_after_seconds"] = .int(Int64(seconds)) }
        for (name, value) in members { object[name] = value }
        return .object(object)
    }

    func response(requestID: String) -> Response {
        var fields = headers
        fields[.contentType] = "application/problem+json"
        fields[.cacheControl] = "no-store"
        if let seconds = retryAfterSeconds { fields[.retryAfter] = String(seconds) }
        if code == .unauthenticated { fields[.wwwAuthenticate] = "Bearer realm=\"skein\"" }
        return Response(status: code.status, headers: fields, body: .init(byteBuffer: ByteBuffer(string: json(requestID: requestID).compactText)))
    }
}

/// One place in a body that is not as it should be.
struct BodyError {
    let pointer: String
    let message: String

    static func list(_ errors: [BodyError]) -> JSONValue {
        .array(errors.map { ["pointer": .string($0.pointer), "message": .string($0.message)] })
    }
}
