// Wrong use of every program: one line on standard error that says what is wrong, nothing on standard output, exit code 64.

import Foundation
import Programs
import Testing

extension EndToEnd {
    @Suite("Usage", .timeLimit(.minutes(5)))
    struct UsageTests {
        /// Program, arguments, a word that the line must contain. Paths are scripts of the repository.
        static let wrong: [WrongUse] = [
            // Settings of the servers, by option.
            WrongUse("skein-coordinator", ["--port", "many"], "port: must be a whole number, 0 to 65535"),
            WrongUse("skein-coordinator", ["--port", "70700"], "port"),
            WrongUse("skein-coordinator", ["--port"], "--port"),
            WrongUse("skein-coordinator", ["--prot", "0"], "--port"),
            WrongUse("skein-coordinator", ["--lease", "soon"], "lease"),
            WrongUse("skein-coordinator", ["--lease", "1ms"], "lease"),
            WrongUse("skein-coordinator", ["--fold-limit", "0"], "fold.limit"),
            WrongUse("skein-coordinator", ["--pool-size", "-1"], "pool.size"),
            WrongUse("skein-coordinator", ["--poll-interval", "0s"], "poll.interval"),
            WrongUse("skein-coordinator", ["--history-retention", "forever"], "history.retention"),
            WrongUse("skein-coordinator", ["--log-level", "loud"], "log.level"),
            WrongUse("skein-coordinator", ["--log-format", "xml"], "log.format"),
            WrongUse("skein-coordinator", ["--database-url", "host=a b=c nonsense"], "database.url"),
            WrongUse("skein-coordinator", ["--migrate=yes"], "--migrate"),
            WrongUse("skein-coordinator", ["--config", "/nonexistent/skein.json"], "config"),
            WrongUse("skein-coordinator", ["sideways"], "sideways"),
            WrongUse("skein-worker", ["--slots", "0"], "slots"),
            WrongUse("skein-worker", ["--slots", "-3"], "slots: must be a whole number"),
            WrongUse("skein-worker", ["--slots"], "--slots"),
            WrongUse("skein-worker", ["--drain-timeout", "-1s"], "drain.timeout"),
            WrongUse("skein-worker", ["--queues", ","], "queues: must name at least one"),
            WrongUse("skein-worker", ["--port", "1"], "--port"),
            WrongUse("skein-worker", ["sideways"], "sideways"),

            // The command line.
            WrongUse("skein", ["runn"], "runn"),
            WrongUse("skein", ["--verbose"], "--verbose"),
            WrongUse("skein", ["run", "strat", "x"], "strat"),
            WrongUse("skein", ["run", "start"], "workflow"),
            WrongUse("skein", ["run", "start", "greet", "--wach"], "--watch"),
            WrongUse("skein", ["run", "start", "greet", "--watch", "--wait"], "exclude each other"),
            WrongUse("skein", ["run", "start", "greet", "--timeout", "5s"], "--watch or --wait"),
            WrongUse("skein", ["run", "start", "greet", "--timeout", "soon", "--wait"], "--timeout"),
            WrongUse("skein", ["run", "start", "greet", "--batch", "x", "--key", "k"], "--batch"),
            WrongUse("skein", ["run", "start", "greet", "-o", "xml"], "xml"),
            WrongUse("skein", ["run", "start", "greet@two"], "two"),
            WrongUse("skein", ["run", "start", "greet", "-P", "name"], "name"),
            WrongUse("skein", ["run", "start", "greet", "--label", "x"], "label"),
            WrongUse("skein", ["run", "start", "greet", "--server", "localhost:1"], "localhost:1"),
            WrongUse("skein", ["run", "list", "--limit", "0"], "--limit"),
            WrongUse("skein", ["run", "list", "--limit", "many"], "--limit"),
            WrongUse("skein", ["run", "show"], "run"),
            WrongUse("skein", ["run", "show", "a", "b"], "b"),
            WrongUse("skein", ["run", "show", "@first"], "@first"),
            WrongUse("skein", ["run", "watch", "--timeout"], "--timeout"),
            WrongUse("skein", ["run", "cancel"], "run"),
            WrongUse("skein", ["workflow", "validate"], "files"),
            WrongUse("skein", ["workflow", "apply"], "files"),
            WrongUse("skein", ["workflow", "apply", "x.yaml", "--live"], "--live"),
            WrongUse("skein", ["workflow", "show"], "name"),
            WrongUse("skein", ["workflow", "list", "extra"], "extra"),
            WrongUse("skein", ["worker", "list", "--sttus", "dead"], "--status"),
            WrongUse("skein", ["queue", "list", "extra"], "extra"),
            WrongUse("skein", ["agent", "list", "extra"], "extra"),
            WrongUse("skein", ["key", "create"], "name"),
            WrongUse("skein", ["key", "create", "k", "--scope", "everything", "--database-url", "postgresql://localhost/x"], "everything"),
            WrongUse("skein", ["key", "create", "k", "--lifetime", "long"], "--lifetime"),
            WrongUse("skein", ["key", "list"], "--database-url"),
            WrongUse("skein", ["key", "revoke"], "name"),
            WrongUse("skein", ["dev", "--port", "70000"], "--port"),
            WrongUse("skein", ["dev", "--workers", "-1"], "--workers"),
            WrongUse("skein", ["dev", "--slots", "0"], "--slots"),
            WrongUse("skein", ["dev", "--pg-bindir"], "--pg-bindir"),
            WrongUse("skein", ["demo-agents", "--port", "x"], "--port"),
            WrongUse("skein", ["demo-agents", "--port", "70000"], "--port"),
            WrongUse("skein", ["migrate"], "--database-url"),
            WrongUse("skein", ["migrate", "--force"], "--force"),
            WrongUse("skein", ["doctor", "extra"], "extra"),
            WrongUse("skein", ["doctor"], "--database-url"),
            WrongUse("skein", ["explain"], "code"),
            WrongUse("skein", ["version", "now"], "now"),
            WrongUse("skein", ["expr"], "which expression"),
            WrongUse("skein", ["expr", "1", "2"], "2"),
            WrongUse("skein", ["expr", "1", "--dta", "x"], "--data"),

            WrongUse("skein-bench", ["--workloads", "W10"], "W10"),
            WrongUse("skein-bench", ["--workers", "many"], "--workers"),
            WrongUse("skein-bench", ["--workers"], "--workers"),
            WrongUse("skein-bench", ["--w3-steps", "none"], "--w3-steps"),
            WrongUse("skein-bench", ["--fast"], "--fast"),
            WrongUse("skein-bench", ["--w1-runs", "0"], "--w1-runs"),
            WrongUse("skein-bench", ["cluster", "--w8-items", "1000,"], "--w8-items"),
            WrongUse("skein-bench", ["cluster", "--w9-joins", "0"], "--w9-joins"),
            WrongUse("skein-bench", ["curve", "--workers", "0"], "--workers"),
            WrongUse("skein-bench", ["scale", "--steps", "0"], "--steps"),
            WrongUse("skein-bench", ["overload", "--factor", "0"], "--factor"),
            WrongUse("skein-bench", ["overload", "--seconds", "long"], "--seconds"),
            WrongUse("skein-bench", ["overload", "--delay", "-1"], "--delay"),
            WrongUse("skein-bench", ["snapshot", "--minutes", "0"], "--minutes"),
            WrongUse("skein-bench", ["fuzz", "--count", "0"], "--count"),
            WrongUse("skein-bench", ["fuzz", "--targets", "minds"], "minds"),
            WrongUse("skein-bench", ["expressions", "extra"], "extra"),
            WrongUse("skein-bench", ["chaos", "--faults", "all,bad-luck"], "bad-luck"),
            WrongUse("skein-bench", ["chaos", "--minutes", "0"], "--minutes"),

            // Scripts.
            WrongUse("deploy/demo", ["--fast"], "--fast"),
            WrongUse("deploy/demo", ["/tmp", "/usr"], "/usr"),
            WrongUse("deploy/demo", ["/nonexistent"], "/nonexistent"),
            WrongUse("deploy/prove", ["everything"], "everything"),
            WrongUse("deploy/prove", ["chaos", "--minutes"], "--minutes"),
            WrongUse("deploy/prove", ["chaos", "--minutes", "long"], "long"),
            WrongUse("deploy/prove", ["chaos", "--count", "3"], "--count"),
            WrongUse("deploy/prove", ["overload", "--seed", "1"], "--seed"),
            WrongUse("deploy/prove", ["outage", "--minutes", "five"], "five"),
            WrongUse("deploy/prove", ["snapshot", "--minutes", "ten"], "ten"),
            WrongUse("deploy/prove", ["fuzz", "--fast"], "--fast"),
            WrongUse("deploy/prove", ["models", "--seed", "3"], "--seed"),
            WrongUse("deploy/install-packages", ["--all"], "--all"),
            WrongUse("deploy/check-history", ["--all"], "DIRECTORY"),
            WrongUse("deploy/check-history", ["/nonexistent"], "/nonexistent"),
            WrongUse("deploy/check-deployment", ["--all"], "--all"),
            WrongUse("deploy/embed-sql", ["--all"], "--all"),
        ]

        @Test("wrong use is one clear line on standard error and exit code 64, and nothing happens", arguments: wrong)
        func wrongUse(_ use: WrongUse) async throws {
            let program = use.program.hasPrefix("deploy/") ? ProgramRun.repository.appending(path: use.program).path(percentEncoded: false) : use.program
            let run = try await ProgramRun.of(program, use.arguments, within: .seconds(20))
            #expect(run.code == 64, "\(run)")
            #expect(run.output.isEmpty, "\(run)")
            #expect(run.errorLines.count == 1, "\(run)")
            #expect(run.errors.contains(use.says), "\(run)")
            #expect(run.errors.utf8.count < 400, "\(run)")
        }

        @Test(
            "a setting that cannot be used and does not come from the command line stops the start with its key and exit code 78",
            arguments: [
                ("skein-coordinator", ["SKEIN_PORT": "many"], "port: must be a whole number, 0 to 65535; SKEIN_PORT says \"many\""),
                ("skein-worker", ["SKEIN_SLOTS": "0"], "slots"),
                ("skein-coordinator", ["SKEIN_ADDRESS": "0.0.0.0", "SKEIN_REQUIRE_API_KEYS": "false"], "address"),
            ])
        func badEnvironment(_ program: String, _ environment: [String: String], _ says: String) async throws {
            let run = try await ProgramRun.of(program, environment: environment)
            #expect(run.code == 78, "\(run)")
            #expect(run.errorLines.count == 1 && run.errors.contains(says), "\(run)")
        }

        @Test("what cannot be reached is said in one line with what helps, and exit code 8", arguments: [
            ["run", "list", "--server", "http://127.0.0.1:9"], ["doctor", "--database-url", "postgresql://127.0.0.1:9/x"],
            ["migrate", "--database-url", "postgresql://127.0.0.1:9/x"], ["run", "start", "greet", "--server", "http://127.0.0.1:9", "--wait"],
        ])
        func unreachable(_ arguments: [String]) async throws {
            let run = try await ProgramRun.of("skein", arguments)
            #expect(run.code == 8, "\(run)")
            #expect(run.errorLines.first?.hasPrefix("error: ") == true, "\(run)")
            #expect(run.errorLines.count <= 4, "\(run)")
            #expect(run.errors.contains("fix:"), "\(run)")
        }

        @Test("every program shows the one release", arguments: ["skein", "skein-coordinator", "skein-worker"])
        func version(_ program: String) async throws {
            let run = try await ProgramRun.of(program, ["--version"])
            #expect(run.code == 0)
            #expect(run.output == "\(Release.version)\n", "\(run)")
        }

        @Test("help is on standard output, names every option, and exits with 0", arguments: [
            ["skein"], ["skein", "run"], ["skein", "run", "start"], ["skein", "run", "watch"], ["skein", "workflow"], ["skein", "dev"],
            ["skein-coordinator"], ["skein-worker"], ["skein-bench"],
            ["skein-bench", "cluster"], ["skein-bench", "curve"], ["skein-bench", "scale"], ["skein-bench", "overload"], ["skein-bench", "snapshot"], ["skein-bench", "fuzz"], ["skein-bench", "expressions"], ["skein-bench", "chaos"], ["skein", "expr"],
        ])
        func help(_ words: [String]) async throws {
            let run = try await ProgramRun.of(words[0], words.dropFirst() + ["--help"])
            #expect(run.code == 0)
            #expect(run.errors.isEmpty)
            #expect(run.output.contains("USAGE: \(words.joined(separator: " "))"), "\(run)")
            #expect(!run.output.contains("exec-guard"))
        }

        @Test("--print-config shows each setting with where it comes from, without the password")
        func printConfig() async throws {
            let run = try await ProgramRun.of(
                "skein-coordinator", ["--print-config", "--port", "7171"],
                environment: ["SKEIN_DATABASE_URL": "postgresql://skein:secret@db/skein", "SKEIN_HISTORY_RETENTION": "7d"])
            #expect(run.code == 0)
            func row(_ key: String) -> [Substring] { run.outputLines.first { $0.hasPrefix("\(key) ") }?.split(separator: " ") ?? [] }
            #expect(row("port") == ["port", "7171", "--port"])
            #expect(row("history.retention") == ["history.retention", "7d", "SKEIN_HISTORY_RETENTION"])
            #expect(row("lease") == ["lease", "10s", "default"])
            #expect(!run.output.contains("secret"), "\(run)")
        }
    }
}

/// A command line that cannot work.
struct WrongUse: Sendable, CustomTestStringConvertible {
    let program: String
    let arguments: [String]
    let says: String

    init(_ program: String, _ arguments: [String], _ says: String) {
        self.program = program
        self.arguments = arguments
        self.says = says
    }

    var testDescription: String { ([program] + arguments).joined(separator: " ") }
}
