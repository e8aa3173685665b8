// The random workflows of campaigns are workflows, whatever the seed.

import Foundation
import Testing

extension EndToEnd {
    @Suite("Workload of campaigns")
    struct WorkloadTests {
        @Test("the workflows of a seed are valid, and the same each time", arguments: UInt64(0)..<4)
        func valid(seed: UInt64) async throws {
            let workload = Workload(seed: seed, agent: "http://127.0.0.1:9/", hasBadAgents: true)
            let again = Workload(seed: seed, agent: "http://127.0.0.1:9/", hasBadAgents: true)
            #expect(workload.kinds.map(\.source) == again.kinds.map(\.source))
            let scratch = FileManager.default.temporaryDirectory.appending(path: "skein-workload-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: scratch) }
            let files = try workload.kinds.map { kind in
                let file = scratch.appending(path: "\(kind.name).yaml")
                try kind.source.write(to: file, atomically: true, encoding: .utf8)
                return file.path(percentEncoded: false)
            }
            #expect(files.count >= 40)
            let run = try await ProgramRun.of("skein", ["workflow", "validate"] + files)
            #expect(run.code == 0, "\(run)")
        }
    }
}
