// What a campaign has to show for itself: the database's rows and the agent's own log, joined by fence.

import Foundation
import Postgres
import WorkflowModel

/// What was found.
struct Verdict {
    /// Everything that must not be.
    var violations: [String] = []
    var steps = 0
    var calls = 0
    /// Calls beyond one for each step.
    var duplicates: Int { calls - steps }
    var attempts: [String: Int] = [:]
    /// Results of lost attempts that workers reported all the same, and that the database refused.
    var zombiesRefused = 0
    /// Results of lost attempts that workers did not even report, because they knew.
    var zombiesGivenUp = 0

    private static let shown = 10

    private mutating func violate(_ what: String, _ examples: [String]) {
        guard !examples.isEmpty else { return }
        violations.append("\(what) (\(examples.count)): \(examples.prefix(Self.shown).joined(separator: "; "))")
    }

    /// Looks at everything. The cluster must be quiet.
    static func on(_ cluster: Cluster, _ agent: AgentServer, _ clients: Clients, _ campaign: Campaign) async throws -> Verdict {
        var verdict = Verdict()
        let runs = clients.runs
        verdict.violate("not every run has one id of its own", Set(runs.values).count == runs.count ? [] : ["\(runs.count)"])

        // Every accepted run is there, and succeeded.
        var endings: [String: String] = [:]
        var others: [String: [String]] = [:]
        var outputs: [String: JSONValue] = [:]
        for row in try await cluster.query(
            """
            select e.run_id::text, e.status::text || coalesce(' ' || e.failure, ''), e.output, v.name
              from skein.ended_run e join skein.workflow_version v using (version_id)
            """)
        {
            // What others have started is counted, not looked up by id.
            if Mixture.others.contains(where: { $0.workflow == row.text(3) }) {
                others[row.text(3), default: []].append(row.text(1))
                continue
            }
            endings[row.text(0)] = row.text(1)
            outputs[row.text(0)] = row.textOrNull(2).flatMap { try? JSONValue(parsing: $0) }
        }
        verdict.violate("accepted runs that did not succeed", runs.values.filter { endings[$0] != "succeeded" }.map { "\($0): \(endings[$0] ?? "not ended")" })
        verdict.violate("runs that nobody asked for", Set(endings.keys).subtracting(runs.values).sorted())
        if campaign.isMixed {
            verdict.violate(
                "outputs that are not what the workflow computes",
                runs.filter { outputs[$0.value] != Mixture(number: $0.key).output($0.key) }
                    .map { "\(Mixture(number: $0.key).rawValue) \($0.key) \($0.value): \(outputs[$0.value]?.compactText ?? "none")" })
            for (workflow, parent, count) in Mixture.others {
                let found = others[workflow] ?? []
                let wanted = runs.keys.count { Mixture(number: $0) == parent } * count
                verdict.violate("runs of \(workflow) that did not succeed", found.filter { $0 != "succeeded" })
                verdict.violate("runs of \(workflow): \(found.count) instead of", found.count == wanted ? [] : ["\(wanted)"])
            }
        }
        verdict.violate("keys that gave another run later", try await clients.differingAnswers().map { "run-\($0)" })
        verdict.violations += try await cluster.violations()

        try await verdict.join(cluster, agent)
        try await verdict.countZombies(cluster, agent)
        return verdict
    }

    private struct Place: Hashable, CustomStringConvertible {
        let run: String
        let step: String
        var description: String { "\(run) \(step)" }
    }

    private mutating func join(_ cluster: Cluster, _ agent: AgentServer) async throws {
        let calls = agent.calls
        self.calls = calls.count
        var callsOf: [Place: [AgentCall]] = [:]
        for call in calls { callsOf[Place(run: call.run, step: call.step), default: []].append(call) }
        violate("fences that the agent saw twice", Dictionary(grouping: calls, by: \.fence).filter { $0.value.count > 1 }.map { "\($0.key)" })
        violate("steps that were called with several keys", callsOf.filter { Set($0.value.map(\.key)).count > 1 }.map { "\($0.key)" })
        violate("keys of several steps", Dictionary(grouping: calls, by: \.key).filter { Set($0.value.map { $0.run + $0.step }).count > 1 }.map(\.key))

        var others: [Place: Set<Int64>] = [:]
        for row in try await cluster.query("select run_id::text, path, fence, status::text from skein.attempt") {
            others[Place(run: row.text(0), step: row.text(1)), default: []].insert(row.int64(2))
            attempts[row.text(3), default: 0] += 1
        }
        var notAnswered: [String] = [], otherResult: [String] = [], notHighest: [String] = [], unexplained: [String] = [], retried: [String] = []
        var committed: Set<Place> = []
        let rows = try await cluster.query("select run_id::text, path, fence, attempt, output, status::text from skein.step where fence is not null")
        // Losers of a join, cancelled whether or not their agent was called; and steps whose failure a catch block has settled.
        var otherwise: Set<Place> = []
        for row in try await cluster.query("select run_id::text, path from skein.step where fence is null") {
            otherwise.insert(Place(run: row.text(0), step: row.text(1)))
        }
        for row in rows {
            let place = Place(run: row.text(0), step: row.text(1))
            let fence = row.int64(2)
            let answers = callsOf[place] ?? []
            committed.insert(place)
            if !answers.contains(where: { $0.fence == fence && $0.answered != nil }) { notAnswered.append("\(place) fence \(fence)") }
            let output = row.textOrNull(4).flatMap { try? JSONValue(parsing: $0) }
            if row.text(5) == "succeeded", output?["fence"]?.intValue != fence { otherResult.append("\(place) fence \(fence): \(row.textOrNull(4) ?? "null")") }
            if answers.contains(where: { $0.fence > fence }) { notHighest.append("\(place) fence \(fence)") }
            let known = (others[place] ?? []).union([fence])
            unexplained += answers.filter { !known.contains($0.fence) }.map { "\(place) fence \($0.fence)" }
            if row.int32(3) != 1 { retried.append("\(place) attempt \(row.int32(3))") }
        }
        steps = rows.count
        for place in otherwise {
            unexplained += (callsOf[place] ?? []).filter { others[place]?.contains($0.fence) != true }.map { "\(place) fence \($0.fence)" }
        }
        violate("steps with two committed results", rows.count == committed.count ? [] : ["\(rows.count - committed.count)"])
        violate("results whose fence the agent never answered", notAnswered)
        violate("results that are another attempt's", otherResult)
        violate("results below a fence that was granted later", notHighest)
        violate("calls without an attempt", unexplained)
        violate("calls of steps that have no result", callsOf.keys.filter { !committed.contains($0) && !otherwise.contains($0) }.map(\.description))
        violate("attempts used up although the agent never failed", retried)
    }

    // What the workers say that they dropped, among what the agent had answered, of attempts that the database calls lost.
    private mutating func countZombies(_ cluster: Cluster, _ agent: AgentServer) async throws {
        let answered = Set(agent.calls.filter { $0.answered != nil }.map(\.fence))
        var lost: Set<Int64> = []
        for row in try await cluster.query("select fence from skein.attempt where status = 'lost'") { lost.insert(row.int64(0)) }
        for line in cluster.workers.flatMap(\.logLines) where line.contains("Result dropped") {
            guard let entry = try? JSONValue(parsing: String(line)), let fence = entry["fence"]?.stringValue.flatMap({ Int64($0) }) else { continue }
            guard answered.contains(fence), lost.contains(fence) else { continue }
            if entry["reason"] == "the database refused it" { zombiesRefused += 1 } else { zombiesGivenUp += 1 }
        }
    }
}
