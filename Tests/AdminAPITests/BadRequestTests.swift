// Requests that are refused: each with its exact answer, and a database in which nothing has changed.

import BadInput
import HTTPTypes
import NIOCore
import Postgres
import PostgresTestKit
import Testing
import WorkflowModel

@Suite("Wrong requests", .timeLimit(.minutes(2)))
struct BadRequestTests {
    @Test("each is answered with its status, its code and a sentence, and nothing has changed")
    func answers() async throws {
        try await Service.run { service in
            try await service.apply(
                "known",
                """
                workflow: known
                input:
                  type: object
                  required: [n]
                  additionalProperties: false
                  properties: { n: { type: integer, maximum: 100 }, list: { type: array, items: { type: number } } }
                steps: [ { id: only, set: 1 } ]
                """)
            try await service.applyWaiting()
            let ended = try await service.start("known", [("input", ["n": 1]), ("key", "taken")])
            let live = try await service.start("waiting")
            let names = [("${ENDED}", ended), ("${LIVE}", live), ("${NOBODY}", "01890000-0000-7000-8000-00000000abcd")]
            let before = try await service.digest()
            try await CaseFile("api").check { item in
                var text = item.body
                for (name, id) in names { text = text.replacing(name, with: id) }
                let answer = try await Self.send(text, to: service)
                var shown = answer
                for (name, id) in names { shown = shown.replacing(id, with: name) }
                let after = try await service.digest()
                if after != before { shown += "\nTHE DATABASE HAS CHANGED" }
                return shown
            }
        }
    }

    private static func send(_ text: String, to service: Service) async throws -> String {
        let parts = text.split(separator: "\n\n", maxSplits: 1, omittingEmptySubsequences: false)
        let lines = parts[0].split(separator: "\n").map(String.init)
        let words = lines[0].split(separator: " ").map(String.init)
        var fields = HTTPFields()
        for line in lines.dropFirst() where line.hasPrefix("header: ") {
            let pair = line.dropFirst(8).split(separator: ":", maxSplits: 1)
            if let name = HTTPField.Name(String(pair[0])) { fields[name] = pair[1].drop { $0 == " " }.description }
        }
        let method = try #require(HTTPRequest.Method(words[0]))
        let answer = try await service.send(method, words[1], parts.count > 1 ? String(parts[1]) : nil, fields: fields)
        // Of a batch, the one run that was refused.
        let document = answer["results"]?.arrayValue?.first?["problem"] ?? answer.json
        guard case .object(let problem) = document, let code = problem["code"]?.stringValue else {
            return "no error: \(answer.status)\n\(answer.text.prefix(300))"
        }
        var shown = "\(answer.status)\(answer["results"] == nil ? "" : " with \(problem["status"]?.intValue ?? 0)") \(code): \(problem["detail"]?.stringValue ?? "")"
        for (name, value) in problem.members where !["type", "title", "status", "detail", "code", "request_id"].contains(name) {
            if name == "errors" || name == "diagnostics", let list = value.arrayValue {
                for entry in list {
                    let place = entry["pointer"]?.stringValue ?? "line \(entry["line"]?.intValue ?? 0)"
                    shown += "\n  \(place.isEmpty ? "(whole)" : place): \(entry["message"]?.stringValue ?? "")"
                }
            } else {
                shown += "\n  \(name): \(value.compactText)"
            }
        }
        return shown
    }
}

extension Service {
    // What is in every table that a request could change.
    fileprivate func digest() async throws -> String {
        try await connection.query(
            """
            select string_agg(t.name || '=' || t.digest, ' ' order by t.name) from (
              select c.relname as name,
                     (xpath('/row/d/text()', query_to_xml(
                        'select count(*) || md5(coalesce(string_agg(r::text, '''' order by r::text), '''')) as d from skein.' || c.relname || ' r',
                        false, true, '')))[1]::text as digest
                from pg_class c
               where c.relnamespace = 'skein'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition) as t
            """)[0].text(0)
    }
}
