// `skein dev`: everything on one machine, and nothing left of it afterwards.

import Foundation
import PostgresTestKit
import Testing
import WorkflowModel

extension EndToEnd {
    @Suite("skein dev", .timeLimit(.minutes(5)))
    struct DevTests {
        @Test("when it is killed nothing of it is left, and the next one goes on with what there was")
        func killed() async throws {
            try await withDirectory { directory in
                let first = try await Dev.start(in: directory)
                try "workflow: kept\nsteps:\n  - { id: a, set: 7 }\n".write(
                    to: directory.appending(path: "kept.yaml"), atomically: true, encoding: .utf8)
                let applied = try await Dev.skein(["workflow", "apply", "kept.yaml"], in: directory)
                #expect(applied.code == 0, "\(applied)")
                let run = try await Dev.skein(["run", "start", "kept", "--wait"], in: directory)
                #expect(run.code == 0 && run.output == "7\n", "\(run)")

                let family = descendants(of: first.process)
                // A coordinator, two workers, and PostgreSQL with its own.
                #expect(family.count >= 6, "\(family.map(commandLine(of:)))")
                for program in ["skein-coordinator", "skein-worker", "postgres"] {
                    #expect(family.contains { commandLine(of: $0).contains(program) }, "no \(program)")
                }
                first.program.send(SIGKILL)
                try await waitUntil("all that it had started is gone", deadline: .seconds(30)) { family.allSatisfy { !isRunning($0) } }

                let second = try await Dev.start(in: directory)
                let list = try await Dev.skein(["run", "list", "-o", "json"], in: directory)
                #expect(list.code == 0 && list.output.contains("\"kept\""), "\(list)")
                let doctor = try await Dev.skein(["doctor"], in: directory)
                #expect(doctor.code == 0, "\(doctor)")
                let rest = descendants(of: second.process)
                second.program.send(SIGTERM)
                try await waitUntil("it has stopped", deadline: .seconds(30)) { !second.program.isRunning }
                #expect(second.program.code == 0, "\(second.program.printed)")
                #expect(rest.allSatisfy { !isRunning($0) })
            }
        }

        @Test("two of them do not share a state: the second one says so and ends")
        func second() async throws {
            try await withDirectory { directory in
                let first = try await Dev.start(in: directory)
                let run = try await Dev.skein(["dev", "--port", "0"], in: directory)
                #expect(run.code == 6, "\(run)")
                #expect(run.errorLines.first?.hasPrefix("error: ") == true && run.errorLines.count <= 4, "\(run)")
                #expect(first.program.isRunning)
            }
        }

        private func withDirectory(_ body: (URL) async throws -> Void) async throws {
            let directory = URL(fileURLWithPath: "/tmp/skein-kept-\(String(UInt32.random(in: 0 ... .max), radix: 36))")
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: directory) }
            try await body(directory)
        }
    }
}

/// A `skein dev` in a directory of its own. It ends with its last reference.
private final class Dev {
    let program: BackgroundProgram
    let process: Int32

    private init(_ program: BackgroundProgram, _ process: Int32) {
        self.program = program
        self.process = process
    }

    deinit { program.send(SIGKILL) }

    private static var environment: [String: String] {
        ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("SKEIN_") && !$0.key.hasPrefix("PG") }.merging(["NO_COLOR": "1"]) { $1 }
    }

    static func start(in directory: URL) async throws -> Dev {
        let skein = try Binaries.url(of: "skein").path(percentEncoded: false)
        let program = try BackgroundProgram("\(skein) dev --port 0 --workers 2", environment: environment, in: directory)
        let dev = Dev(program, program.processID)
        try await waitUntil("skein dev is ready", deadline: .seconds(60)) {
            guard program.isRunning else { throw HarnessError("skein dev ended:\n\(program.printed)") }
            return program.printed.contains("  stop")
        }
        return dev
    }

    static func skein(_ arguments: [String], in directory: URL) async throws -> ProgramRun {
        try await ProgramRun.of("skein", arguments, in: directory)
    }
}

/// The processes below a process, at any depth.
private func descendants(of parent: Int32) -> [Int32] {
    children(of: parent).flatMap { [$0] + descendants(of: $0) }
}
