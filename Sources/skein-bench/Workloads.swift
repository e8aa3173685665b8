// The workloads. Each applies its own workflow, waits until the cluster is quiet, and reads its figures from the run tables.

import Foundation
import Postgres
import WorkflowModel

/// Measures the floor beside a workload.
typealias FloorProbe = () throws -> Void

enum Workloads {
    static let noop: JSONValue = ["noop": ["kind": "noop"]]

    static func step(_ id: String, needs: [String] = []) -> JSONValue {
        var step = JSONObject()
        step["id"] = .string(id)
        step["agent"] = "noop"
        if !needs.isEmpty { step["needs"] = .array(needs.map { .string($0) }) }
        return .object(step)
    }

    static func sequence(_ name: String, steps: Int) -> JSONValue {
        ["workflow": .string(name), "agents": noop, "steps": .array((1...steps).map { step("s\($0)") })]
    }

    /// Measures several times, with the floor before, between and after.
    static func repeated<Result>(_ times: Int, _ floor: FloorProbe, _ measure: () async throws -> Result) async throws -> [Result] {
        var results: [Result] = []
        try floor()
        for _ in 0..<times {
            results.append(try await measure())
            try floor()
        }
        return results
    }
}
