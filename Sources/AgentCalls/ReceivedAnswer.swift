// An HTTP answer: what it means for the attempt, and what of it is kept.
import AsyncHTTPClient
import Expressions
import NIOHTTP1
import WorkflowModel

/// The head of an answer and, once it has been read, its body.
struct ReceivedAnswer: Sendable {
    let status: Int
    var headers: [(name: String, value: String)]
    let redirects: Int
    let afterSeconds: Double
    var body: [UInt8] = []

    /// The fields that are kept with the attempt.
    private static let keptFields = [
        "content-type", "date", "retry-after", "server", "x-request-id", "location", "ratelimit-limit", "ratelimit-remaining",
        "ratelimit-reset", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "traceresponse",
    ]
    /// The longest value of a field that is kept or shown to expressions, in characters.
    private static let longestField = 2048

    init(_ response: HTTPClientResponse, redirects: Int, afterSeconds: Double) {
        status = Int(response.status.code)
        headers = response.headers.map { name, value in (name.lowercased(), Self.printable(value)) }
        self.redirects = redirects
        self.afterSeconds = afterSeconds
    }

    // Fields are stored and shown: no control characters, and no endless values.
    private static func printable(_ value: String) -> String {
        var out = String.UnicodeScalarView()
        for scalar in value.unicodeScalars.prefix(longestField) {
            out.append(scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value) ? " " : scalar)
        }
        return String(out)
    }

    var isSuccessStatus: Bool { (200..<300).contains(status) }

    /// The answer without the secrets that the request carried, should the agent send them back.
    func redacted(_ redaction: Redaction) -> ReceivedAnswer {
        var copy = self
        copy.body = redaction.applied(to: body)
        copy.headers = headers.map { name, value in (name, redaction.applied(to: value)) }
        return copy
    }

    func field(_ name: String) -> String? { headers.first { header in header.name == name }?.value }

    /// The request that a redirect asks for; nil where this is no redirect.
    ///
    /// 307 and 308 repeat the request as it was, 303 turns it into a GET. 301 and 302 are followed for GET and HEAD only: for other
    /// methods every client does something else, and most lose the body.
    func redirect(of request: PlannedRequest) throws(CallFailure) -> PlannedRequest? {
        guard [301, 302, 303, 307, 308].contains(status), let location = field("location") else { return nil }
        guard let target = request.address.following(location), target.origin == request.address.origin else {
            throw CallFailure(
                .protocolError, .redirect, "The agent answered \(status) and redirects to another origin, which is not followed.")
        }
        var next = request
        next.address = target
        switch status {
        case 303 where request.method != "HEAD":
            next.method = "GET"
            next.body = nil
            next.fields.remove("content-type")
        case 301, 302:
            guard request.method == "GET" || request.method == "HEAD" else {
                throw CallFailure(
                    .protocolError, .redirect,
                    "The agent redirects a \(request.method) with \(status), which would lose the request; 307 and 308 keep it.")
            }
        case 303, 307, 308: break
        default: break
        }
        return next
    }

    /// What the answer means for the attempt.
    func ending(_ agent: CompiledHTTPAgent, limit: Int) -> Attempt.Ending {
        guard let success = agent.success else {
            guard isSuccessStatus else { return .failed(statusFailure()) }
            do {
                return .succeeded(try result(limit: limit))
            } catch {
                return .failed(error.failure)
            }
        }
        do throws(CallFailure) {
            // An expression that takes error answers for good must be able to read them; one whose body is of no use shows it null.
            let result = isSuccessStatus ? try result(limit: limit) : (try? self.result(limit: limit)) ?? .null
            var scope = Scope()
            scope.set("status", Value(.int(Int64(status))))
            scope.set("headers", Value(.object(fieldsObject)))
            scope.set("result", Value(result.value))
            let isSuccess: Bool
            do {
                isSuccess = try success.evaluateCondition(scope)
            } catch {
                throw CallFailure(.expression, nil, "The agent's success expression could not be evaluated: \(error)")
            }
            if isSuccess { return .succeeded(try self.result(limit: limit)) }
            if !isSuccessStatus { return .failed(statusFailure()) }
            throw CallFailure(
                .custom, .notSuccessful, "The agent answered \(status), but its success expression says no\(excerptSuffix).")
        } catch {
            return .failed(error.failure)
        }
    }

    /// What is kept with the attempt.
    func details(seconds: Double) -> JSONText {
        var object = JSONObject()
        object["status"] = .int(Int64(status))
        var kept = JSONObject()
        for name in Self.keptFields {
            if let value = field(name) { kept[name] = .string(value) }
        }
        object["headers"] = .object(kept)
        object["bytes"] = .int(Int64(body.count))
        object["firstByteSeconds"] = .double((afterSeconds * 1_000_000).rounded() / 1_000_000)
        object["seconds"] = .double((seconds * 1_000_000).rounded() / 1_000_000)
        if redirects > 0 { object["redirects"] = .int(Int64(redirects)) }
        return JSONText(.object(object))
    }

    // MARK: The body

    private func result(limit: Int) throws(CallFailure) -> JSONText {
        guard status != 204, !body.isEmpty else { return .null }
        let coding = field("content-encoding")?.lowercased() ?? "identity"
        guard coding == "identity" else {
            throw CallFailure(
                .protocolError, .resultNotText,
                "The agent's answer is compressed (\(Answer.excerpt(coding.utf8, length: 40))), which nobody asked for.")
        }
        let (type, charset) = Self.mediaType(field("content-type") ?? "")
        if type == "application/json" || type == "text/json" || type.hasSuffix("+json") { return try Answer.json(body, limit: limit) }
        guard ["", "utf-8", "utf8", "us-ascii"].contains(charset) else {
            throw CallFailure(
                .protocolError, .resultNotText,
                "The agent's answer is in the character set \(Answer.excerpt(charset.utf8, length: 40)); only UTF-8 is read.")
        }
        return try Answer.text(body, limit: limit)
    }

    private static func mediaType(_ field: String) -> (type: String, charset: String) {
        let parts = field.lowercased().split(separator: ";", omittingEmptySubsequences: false).map { part in
            part.filter { character in character != " " && character != "\t" && character != "\"" }
        }
        let charset = parts.dropFirst().first { part in part.hasPrefix("charset=") }?.dropFirst("charset=".count)
        return (parts.first ?? "", charset.map { String($0) } ?? "")
    }

    // MARK: Failures

    private var fieldsObject: JSONObject {
        var object = JSONObject()
        for (name, value) in headers {
            // Fields that occur several times are one list in HTTP.
            if let before = object[name]?.stringValue {
                object[name] = .string(before + ", " + value)
            } else {
                object[name] = .string(value)
            }
        }
        return object
    }

    private var excerptSuffix: String {
        let text = Answer.excerpt(body)
        return text.isEmpty ? "" : ": \(text)"
    }

    private func statusFailure() -> Failure {
        let type: FailureType =
            switch status {
            case 429: .rateLimited
            case 408, 425, 500...: .serverError
            case 400..<500: .clientError
            default: .protocolError
            }
        let reason = HTTPResponseStatus(statusCode: status).reasonPhrase
        let name = reason.isEmpty || reason.hasPrefix("Unknown") ? "\(status)" : "\(status) \(reason)"
        // The sender's own clock, where it tells the time, makes a date right even where the two clocks differ.
        let now = field("date").flatMap { date in HTTPDate.parse(date) } ?? SystemClock.now()
        return Failure(
            type: type, code: String(status), message: "The agent answered \(name)\(excerptSuffix)",
            retryAfter: field("retry-after").flatMap { field in HTTPDate.delay(retryAfter: field, now: now) })
    }
}
