// How people name a run: by its id, by the end of its id, or as the last one.

import WorkflowModel

/// Finds the run that somebody means.
package enum RunReference {
    /// The fewest digits of an id's end that name a run. The beginning of an id is the time, and so alike among neighbours.
    static let shortestSuffix = 6
    /// How many of the newest runs are looked at.
    static let searched = 20_000

    /// What an argument says.
    package enum Kind: Sendable, Hashable {
        case whole(String)
        case suffix(String)
        case last
    }

    /// Reads an argument.
    package static func kind(of argument: String) throws -> Kind {
        if argument == "@last" { return .last }
        var text = argument.lowercased()
        while let first = text.first, "….".contains(first) { text.removeFirst() }
        if let id = RunID(text) { return .whole(id.description) }
        let digits = text.filter { $0 != "-" }
        guard digits.count >= shortestSuffix, digits.count <= 32, digits.allSatisfy(\.isHexDigit) else {
            throw CommandFailure(
                .usage, "\"\(argument)\" names no run", fix: "give the whole id, at least \(shortestSuffix) digits of its end, or @last")
        }
        return .suffix(digits)
    }

    /// The id of the run that is meant.
    package static func resolve(_ argument: String, with client: APIClient) async throws -> String {
        switch try kind(of: argument) {
        case .whole(let id): return id
        case .last:
            // The last one that somebody started: not a sub-workflow's, and none that followed another.
            func isOwn(_ run: JSONValue) -> Bool { run["parent_run_id"]?.stringValue == nil && run["source_run_id"]?.stringValue == nil }
            let newest = try await client.items("/api/v1/runs", limit: searched, until: isOwn)
            guard let id = newest.first(where: isOwn)?["run_id"]?.stringValue else {
                throw CommandFailure(.notFound, "there are no runs", fix: "`skein run start NAME` starts one")
            }
            return id
        case .suffix(let digits):
            let found = try await client.items("/api/v1/runs", limit: searched).compactMap { $0["run_id"]?.stringValue }
                .filter { id in id.filter { $0 != "-" }.hasSuffix(digits) }
            guard let first = found.first else {
                throw CommandFailure(
                    .notFound, "none of the newest runs ends in \"\(digits)\"", fix: "give the whole id, or look with `skein run list`")
            }
            guard found.count == 1 else {
                throw CommandFailure(
                    .conflict, "\(found.count) runs end in \"\(digits)\"", fix: "give more digits", details: Array(found.prefix(5)))
            }
            return first
        }
    }

    /// The end of an id, as lists show it.
    package static func short(_ id: String) -> String { "…" + String(id.suffix(8)) }
}
