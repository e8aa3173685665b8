// The random workflows of campaigns are workflows, whatever the seed.

import Definitions
import Foundation
import Testing
import WorkflowModel

extension EndToEnd {
    @Suite("Workload of campaigns")
    struct WorkloadTests {
        @Test("the workflows of a seed are valid, and the same each time", arguments: UInt64(0)..<4)
        func valid(seed: UInt64) async throws {
            let workload = Workload(seed: seed, agent: "http://127.0.0.1:9/", processLog: "/tmp/calls", hasBadAgents: true)
            let again = Workload(seed: seed, agent: "http://127.0.0.1:9/", processLog: "/tmp/calls", hasBadAgents: true)
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

        @Test("a history that is kept is not taken for what a process has left behind")
        func kept() throws {
            let directory = try ClusterDirectories.make()
            try "call".write(to: directory.appending(path: "history.jsonl"), atomically: true, encoding: .utf8)
            let kept = try ClusterDirectories.keep(directory)
            defer { try? FileManager.default.removeItem(at: kept) }
            // Everybody who begins removes what goes by this name once its process is gone.
            #expect(!kept.lastPathComponent.hasPrefix("skein-e2e-"))
            #expect(try String(contentsOf: kept.appending(path: "history.jsonl"), encoding: .utf8) == "call")
            #expect(!FileManager.default.fileExists(atPath: directory.path(percentEncoded: false)))
        }

        /// A construct that a release takes has to be under fire in its campaigns. The random workflows add to what the fixed ones use.
        @Test("every key and word of the language that this release takes is in the mixture")
        func everyConstruct() throws {
            let workload = Workload(seed: 0, agent: "http://127.0.0.1:9/", processLog: "/tmp/calls", hasBadAgents: true)
            var use = try LanguageUse()
            for kind in workload.kinds where kind.name.hasPrefix("mix-") {
                try use.read(try #require(DataDocument.read(kind.source).value, "\(kind.name)"))
            }
            #expect(use.used.isSubset(of: use.known))
            #expect(use.known.count >= 150)
            #expect(use.known.subtracting(use.used).subtracting(Self.unused).sorted() == [])
            #expect(Self.unused.subtracting(use.known).sorted() == [], "there is no such key or word")
        }

        /// What no campaign needs: methods that carry no body, and others that agents treat like PUT.
        private static let unused = Set(["GET", "HEAD", "OPTIONS", "PATCH", "DELETE"].map { "httpAgent.method: \($0)" })
    }
}
