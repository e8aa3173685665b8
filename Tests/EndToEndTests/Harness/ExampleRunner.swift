// Carries out examples on a cluster and compares what comes of them with what they promise.

import Foundation
import Postgres
import PostgresTestKit
import Testing
import WorkflowModel

/// Carries out the cases of examples on one cluster, and compares.
struct ExampleRunner: Sendable {
    let cluster: Cluster
    let client: AdminClient
    /// What stands in inputs for what differs from machine to machine: `$ANALYST`, `$DOCUMENTS`.
    var names: [String: String] = [:]

    private static let deadline: Duration = .seconds(60)

    /// Registers an example and what it needs, and runs all its cases. What is not as expected is recorded as an issue.
    func check(_ example: ExampleFile) async throws {
        for file in example.others + [example.url] { try await apply(file) }
        #expect(!example.cases.isEmpty, "\(example.name) expects nothing")
        for (number, one) in example.cases.enumerated() {
            let place = "\(example.name), case \(number + 1)" + (one["name"]?.stringValue.map { " (\($0))" } ?? "")
            do {
                try await check(one, of: example.name, place)
            } catch {
                Issue.record("\(place): \(error)")
            }
        }
    }

    private func apply(_ file: URL) async throws {
        let source = try String(contentsOf: file, encoding: .utf8)
        try await client.apply(file.deletingPathExtension().lastPathComponent, source)
    }

    private func check(_ one: JSONValue, of workflow: String, _ place: String) async throws {
        let run = try await client.start(workflow, input: filled(one["input"] ?? [:]))
        for act in one["acts"]?.arrayValue ?? [] { try await carryOut(act, on: run) }
        let ended: JSONValue
        do {
            ended = try await client.ended(run, within: Self.deadline)
        } catch {
            throw HarnessError("\(error)\n\(try await rows(of: run))")
        }
        let shown = "\(place): \(ended.compactText)\n\(try await rows(of: run))"
        #expect(ended["status"] == one["status"], "\(shown)")
        if let output = one["output"] { #expect(Self.isSame(ended["output"] ?? .null, filled(output)), "\(shown)") }
        if let outputs = one["outputOneOf"]?.arrayValue {
            #expect(outputs.contains { Self.isSame(ended["output"] ?? .null, filled($0)) }, "\(shown)")
        }
        for (key, value) in Self.members(one["failure"]) { #expect(ended["error"]?[key] == value, "\(shown)") }
        try await checkSteps(one, run, shown)
        try await checkOtherRuns(one["runs"], run, shown)
    }

    private func checkSteps(_ one: JSONValue, _ run: String, _ shown: String) async throws {
        for (path, status) in Self.members(one["steps"]) {
            let found = try await cluster.text("select status from skein.step_overview where run_id = '\(run)' and step = \(Self.quoted(path))")
            #expect(found == status.stringValue, "\(path), \(shown)")
        }
        for (prefix, count) in Self.members(one["count"]) {
            let found = try await cluster.count(
                "select count(*) from skein.step_overview where run_id = '\(run)' and finished_at is not null and starts_with(step, \(Self.quoted(prefix)))")
            #expect(count.intValue == Int64(found), "\(prefix), \(shown)")
        }
        var last = Int.min
        for path in one["order"]?.arrayValue?.compactMap(\.stringValue) ?? [] {
            let place = try await cluster.count("select coalesce(max(seq), -1) from skein.step_overview where run_id = '\(run)' and step = \(Self.quoted(path))")
            #expect(place > last, "\(path) settled too early or never, \(shown)")
            last = place
        }
    }

    // Children and chained runs: those that were started after this one and belong to it.
    private func checkOtherRuns(_ expected: JSONValue?, _ run: String, _ shown: String) async throws {
        for (workflow, endings) in Self.members(expected) {
            let wanted = (endings.arrayValue ?? []).compactMap(\.stringValue).sorted()
            let sql = """
                select coalesce(string_agg(coalesce(case when ended_at is null then 'live' else status end, ''), ',' order by status), '')
                  from skein.run_overview
                 where workflow = \(Self.quoted(workflow)) and run_id <> '\(run)' and submitted_at >= (select submitted_at from skein.run_overview where run_id = '\(run)')
                """
            var found = ""
            let deadline = ContinuousClock.now + .seconds(30)
            repeat {
                found = try await cluster.text(sql) ?? ""
                if found.split(separator: ",").map(String.init).sorted() == wanted { break }
                try await Task.sleep(for: .milliseconds(50))
            } while ContinuousClock.now < deadline
            #expect(found.split(separator: ",").map(String.init).sorted() == wanted, "runs of \(workflow), \(shown)")
        }
    }

    private func carryOut(_ act: JSONValue, on run: String) async throws {
        if let when = act["when"], let step = when["step"]?.stringValue, let status = when["status"]?.stringValue {
            try await waitUntil("\(step) is \(status)", deadline: Self.deadline) {
                try await cluster.text("select status from skein.step_overview where run_id = '\(run)' and step = \(Self.quoted(step))") == status
            }
        }
        let answer: AdminAnswer
        if let signal = act["signal"]?.stringValue {
            answer = try await client.signal(run, signal, data: filled(act["data"] ?? [:]), id: act["id"]?.stringValue)
        } else if let reason = act["cancel"]?.stringValue {
            answer = try await client.order(run, "cancel", ["reason": .string(reason)])
        } else if act["pause"] != nil {
            answer = try await client.order(run, "pause")
        } else if act["resume"] != nil {
            answer = try await client.order(run, "resume")
        } else {
            throw HarnessError("nobody knows the act \(act.compactText)")
        }
        let wanted = act["answer"]?.intValue ?? Int64(answer.status / 100 == 2 ? answer.status : 200)
        guard Int64(answer.status) == wanted else { throw HarnessError("\(act.compactText) was answered by \(answer)") }
    }

    private func rows(of run: String) async throws -> String {
        try await cluster.query(
            """
            select step || ' ' || status || coalesce(' ' || wait_reason, '') || coalesce(' ' || output::text, '') || coalesce(' ' || error::text, '')
              from skein.step_overview where run_id = '\(run)' order by seq nulls last, step limit 40
            """
        ).map { "  \($0.text(0).prefix(300))" }.joined(separator: "\n")
    }

    // Puts in what differs from machine to machine.
    private func filled(_ value: JSONValue) -> JSONValue {
        switch value {
        case .string(let text): .string(names.reduce(text) { $0.replacing($1.key, with: $1.value) })
        case .array(let values): .array(values.map(filled))
        case .object(let object): .object(object.members.reduce(into: JSONObject()) { $0[$1.0] = filled($1.1) })
        case .null, .bool, .int, .double: value
        }
    }

    // As JSON has it: the order of members does not matter, and 1 is 1.0.
    private static func isSame(_ one: JSONValue, _ other: JSONValue) -> Bool {
        switch (one, other) {
        case (.array(let left), .array(let right)): left.count == right.count && zip(left, right).allSatisfy { isSame($0, $1) }
        case (.object(let left), .object(let right)):
            left.count == right.count && left.members.allSatisfy { key, value in right[key].map { isSame(value, $0) } ?? false }
        case (.null, _), (.bool, _), (.int, _), (.double, _), (.string, _), (.array, _), (.object, _): one == other || (one.doubleValue != nil && one.doubleValue == other.doubleValue)
        }
    }

    private static func members(_ value: JSONValue?) -> [(String, JSONValue)] { Array((value?.objectValue ?? JSONObject()).members) }

    private static func quoted(_ text: String) -> String { "'" + text.replacing("'", with: "''") + "'" }
}
