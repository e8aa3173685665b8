// Agents behind HTTP: sends the request, follows redirects within the origin, reads the answer up to its limit.
import AsyncHTTPClient
import Expressions
import NIOCore
import NIOHTTP1
import WorkflowModel

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

extension AgentCaller {
    /// How often a redirect is followed.
    static let mostRedirects = 5

    func perform(_ planned: PlannedRequest, _ agent: CompiledHTTPAgent) async -> Attempt {
        let began = ContinuousClock.now
        let limit = min(agent.definition.maxResponseBytes ?? settings.maxResponseBytes, settings.maxResponseBytes)
        let client = clients.client(connectTimeout: agent.definition.connectTimeout)
        var request = planned
        var redirects = 0
        var head: ReceivedAnswer?
        do {
            while true {
                head = nil
                let response = try await client.execute(Self.message(request), deadline: .distantFuture)
                var answer = ReceivedAnswer(response, redirects: redirects, afterSeconds: (ContinuousClock.now - began).seconds)
                head = answer.redacted(planned.redaction)
                if let next = try answer.redirect(of: request) {
                    guard redirects < Self.mostRedirects else {
                        throw CallFailure(.protocolError, .redirect, "The agent redirected more than \(Self.mostRedirects) times.")
                    }
                    redirects += 1
                    request = next
                    for try await _ in response.body { break }  // giving up the body closes the connection where there is more of it
                    continue
                }
                answer.body = try await Self.read(response.body, limit: limit, isSuccess: answer.isSuccessStatus)
                answer = answer.redacted(planned.redaction)
                head = answer
                let details = answer.details(seconds: (ContinuousClock.now - began).seconds)
                return Attempt(answer.ending(agent, limit: limit), details: details)
            }
        } catch let error as CallFailure {
            return Attempt(.failed(error.failure), details: head?.details(seconds: (ContinuousClock.now - began).seconds))
        } catch {
            guard !Task.isCancelled else { return Attempt(.cancelled) }
            var failure = TransportError.failure(of: error, hasAnswer: head != nil)
            failure.message = planned.redaction.applied(to: failure.message)
            return Attempt(.failed(failure), details: head?.details(seconds: (ContinuousClock.now - began).seconds))
        }
    }

    private static func message(_ planned: PlannedRequest) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: planned.address.text)
        request.method = HTTPMethod(rawValue: planned.method)
        request.headers = planned.fields.headers
        if let body = planned.body { request.body = .bytes(ByteBuffer(bytes: body.bytes)) }
        return request
    }

    // The rest of a body that is too long is never read: the connection is closed. Of an error's body the beginning is enough.
    private static func read(_ body: HTTPClientResponse.Body, limit: Int, isSuccess: Bool) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        for try await chunk in body {
            let room = limit - bytes.count
            if chunk.readableBytes > room {
                if isSuccess { throw Answer.tooLarge(limit) }
                bytes.append(contentsOf: chunk.readableBytesView.prefix(room))
                break
            }
            bytes.append(contentsOf: chunk.readableBytesView)
        }
        return bytes
    }
}

/// What an exchange that broke off becomes.
enum TransportError {
    /// The failure that an error of the client stands for. Once a byte of the answer was there, or the request was on its way, the agent
    /// may have done its work: that is a broken protocol, never a failed connection.
    static func failure(of error: any Error, hasAnswer: Bool) -> Failure {
        // NIOSSL and NIOPosix are not linked here, and their errors are needed in this one place only; so they are told by name.
        let typeName = String(reflecting: type(of: error))
        if typeName.hasPrefix("NIOSSL.") {
            return CallFailure(.tls, nil, "No secure connection to the agent could be made: \(Answer.excerpt("\(error)".utf8))").failure
        }
        if let error = error as? HTTPClientError {
            switch error {
            case .tlsHandshakeTimeout:
                return CallFailure(.tls, nil, "The agent did not finish the TLS handshake in time.").failure
            case .serverOfferedUnsupportedApplicationProtocol(""):
                return CallFailure(.tls, nil, "The agent offers no protocol that is known here.").failure
            case .connectTimeout, .getConnectionFromPoolTimeout:
                return CallFailure(.connect, nil, "The connection to the agent did not stand in time.").failure
            case .remoteConnectionClosed, .uncleanShutdown, .readTimeout, .writeTimeout, .cancelled, .requestStreamCancelled:
                let when = hasAnswer ? "in the middle of its answer" : "before it answered"
                return CallFailure(.protocolError, .connectionClosed, "The agent closed the connection \(when).").failure
            case .alreadyShutdown:
                return CallFailure(.connect, nil, "This worker is shutting down.").failure
            case .invalidURL, .emptyHost, .emptyScheme:
                return CallFailure(.expression, .urlInvalid, "The agent's address is not valid.").failure
            default:  // the client's list is open: it has no cases, and grows
                return CallFailure(.protocolError, nil, "The exchange with the agent failed: \(Answer.excerpt("\(error)".utf8))").failure
            }
        }
        if let error = error as? HTTPParserError {
            let isCutOff = error == .invalidEOFState
            return CallFailure(
                .protocolError, isCutOff ? .connectionClosed : .notHTTP,
                isCutOff
                    ? "The agent closed the connection in the middle of its answer."
                    : "The agent's answer is not HTTP: \(Answer.excerpt("\(error)".utf8))"
            ).failure
        }
        if let error = error as? IOError, hasAnswer || error.errnoCode == ECONNRESET || error.errnoCode == EPIPE {
            let when = hasAnswer ? "in the middle of its answer" : "before it answered"
            return CallFailure(.protocolError, .connectionClosed, "The agent closed the connection \(when).").failure
        }
        return CallFailure(
            hasAnswer ? .protocolError : .connect, hasAnswer ? .connectionClosed : nil,
            "\(hasAnswer ? "The exchange with the agent failed" : "No connection to the agent could be made"): \(reason(error, typeName))"
        ).failure
    }

    // What went wrong in words, without the addresses and pointers of the libraries' own descriptions.
    private static func reason(_ error: any Error, _ typeName: String) -> String {
        if let error = error as? IOError { return Answer.excerpt(String(cString: strerror(error.errnoCode)).utf8) }
        let text = "\(error)"
        for code in [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT, ECONNRESET] where text.contains("errno: \(code))") {
            return String(cString: strerror(code))
        }
        if typeName.contains("NIOConnectionError"), text.contains("connectionErrors: []") { return "the host's name could not be resolved" }
        return Answer.excerpt(text.utf8)
    }
}
