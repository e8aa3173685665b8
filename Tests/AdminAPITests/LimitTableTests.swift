// The table of limits in the documentation says what the code says.

import AgentCalls
import Definitions
import Engine
import Expressions
import Foundation
import JSONSchema
@testable import RunStore
import ServerSettings
import Testing
import WorkflowModel

@testable import AdminAPI

@Suite("Limits")
struct LimitTableTests {
    private static let constants: [String: Int] = [
        "AdminConfiguration.largestBatch": AdminConfiguration.largestBatch, "AdminConfiguration.longestKey": AdminConfiguration.longestKey,
        "AdminConfiguration.longestReason": AdminConfiguration.longestReason, "AdminConfiguration.mostLabels": AdminConfiguration.mostLabels,
        "AdminConfiguration.longestLabel": AdminConfiguration.longestLabel, "RunReader.largestPage": RunReader.largestPage,
        "RunWatcher.waiterLimit": RunWatcher.waiterLimit, "JSONLimits.depth": JSONLimits.standard.depth,
        "DefinitionLimits.bytes": DefinitionLimits().bytes, "DefinitionLimits.depth": DefinitionLimits().depth,
        "DefinitionLimits.nodes": DefinitionLimits().nodes, "ExpressionLimits.sourceBytes": ExpressionLimits.standard.sourceBytes,
        "ExpressionLimits.tokens": ExpressionLimits.standard.tokens, "ExpressionLimits.nesting": ExpressionLimits.standard.nesting,
        "ExpressionLimits.steps": ExpressionLimits.standard.steps, "ExpressionLimits.bytes": ExpressionLimits.standard.bytes,
        "SchemaLimits.schemaDepth": SchemaLimits.standard.schemaDepth, "SchemaLimits.subschemas": SchemaLimits.standard.subschemas,
        "SchemaLimits.patternBytes": SchemaLimits.standard.patternBytes, "SchemaLimits.evaluationDepth": SchemaLimits.standard.evaluationDepth,
        "SchemaLimits.evaluationSteps": SchemaLimits.standard.evaluationSteps, "SchemaLimits.violations": SchemaLimits.standard.violations,
        "AgentCallSettings.maxResponseBytes": AgentCallSettings().maxResponseBytes, "AgentCallSettings.logBytes": AgentCallSettings().logBytes,
        "EngineDefaults.lossLimit": EngineDefaults.lossLimit, "EngineDefaults.depthLimit": EngineDefaults.depthLimit,
        "EngineDefaults.iterationsPerTransaction": EngineDefaults.iterationsPerTransaction, "RunStore.descendantLimit": RunStore().descendantLimit,
    ]

    @Test("every limit of the table has the default that the program has, and every setting that is a limit is in the table")
    func table() throws {
        let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let file = root.appending(path: "Sources/RunStore/RunStore.docc/Limits.md")
        // This one is in SQL.
        let fold = try String(contentsOf: root.appending(path: "sql/functions/fold.sql"), encoding: .utf8)
        let bytes = try #require(fold.firstMatch(of: /v_most_bytes +constant bigint := ([0-9]+);/)?.1)
        let constants = Self.constants.merging(["skein.lock_due_runs_v1": Int(bytes) ?? 0]) { $1 }
        var rows: [String: String] = [:]
        for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") where line.hasPrefix("| ") {
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard cells.count == 4, cells[1].hasPrefix("`") else { continue }
            rows[cells[1].replacing("`", with: "")] = cells[2]
        }
        for (name, shown) in rows {
            if let value = constants[name] {
                #expect(shown == String(value), "\(name)")
            } else {
                let setting = try #require(Setting.all.first { $0.key == name }, "\(name) is in the table and nowhere else")
                #expect(shown == setting.fallback, "\(name)")
            }
        }
        #expect(Set(constants.keys).subtracting(rows.keys) == [])
        let limits = Setting.all.map(\.key).filter { $0.hasSuffix(".limit") || $0.hasSuffix(".bytes") || $0.hasSuffix(".waiting") }
        #expect(Set(limits).subtracting(rows.keys) == [])
        // And what the coordinator is told when nobody says anything is the same.
        let configuration = AdminConfiguration(version: "test")
        #expect(rows["backlog.limit"] == String(configuration.backlogLimit) && rows["submit.waiting"] == String(configuration.waitingLimit))
        #expect(rows["request.bytes"] == String(configuration.bytesLimit) && rows["input.limit"] == String(configuration.inputLimit))
    }
}
