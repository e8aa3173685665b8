// Agents that are processes.
import AgentCalls
import Testing
import WorkflowModel

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

@Suite("Process agents")
struct ExecTests {
    private func run(
        _ agent: ExecAgent, with value: JSONValue = ["n": 1], timeout: Duration = .seconds(120),
        settings: AgentCallSettings = AgentCallSettings(
            allowedExecutables: ["*"], searchPath: "/usr/bin:/bin", language: "C.UTF-8", killGrace: .milliseconds(300))
    ) async throws -> AgentResult {
        try await withCaller(settings) { caller in
            await caller.perform(
                call(.exec(agent), with: value, timeout: timeout, traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
        }
    }

    // MARK: Answers

    @Test("the words of a text are counted")
    func words() async throws {
        let result = try await run(
            ExecAgent(command: ["wc", "-w"], stdin: "${{ with.text }}", output: .text), with: ["text": "one two three"])
        #expect(result.answer == "\"3\"")
        #expect(result.detail["exitCode"] == 0)
        #expect(result.log == nil)
        #expect(result.duration > .zero)
    }

    @Test("what the agent is given is its input, and its output is read as JSON")
    func json() async throws {
        let result = try await run(ExecAgent(command: ["cat"]), with: ["a": [1, 2.5, "ü"]])
        #expect(result.answer == #"{"a":[1,2.5,"ü"]}"#)
    }

    @Test("lines become a list, without their breaks")
    func lines() async throws {
        let result = try await run(ExecAgent(command: ["printf", #"a\r\n\nb\n"#], output: .lines))
        #expect(result.answer == #"["a","","b"]"#)
        let none = try await run(ExecAgent(command: ["true"], output: .lines))
        #expect(none.answer == "[]")
    }

    @Test("a megabyte through a pipe arrives whole")
    func large() async throws {
        let text = String(repeating: "0123456789abcdef", count: 60_000)
        let result = try await run(ExecAgent(command: ["cat"], stdin: "${{ with.text }}", output: .text), with: ["text": .string(text)])
        #expect(result.answer?.utf8.count == text.utf8.count + 2)
    }

    @Test("arguments go to the process as they are, past no shell")
    func arguments() async throws {
        let result = try await run(
            ExecAgent(command: ["printf", "%s|", "$(id)", "; rm *", "${{ with.n }}", "${{ with.flag }}", ""], output: .text),
            with: ["n": 7, "flag": true])
        #expect(result.answer == #""$(id)|; rm *|7|true||""#)
    }

    @Test("an argument that is no scalar is refused", arguments: [JSONValue.null, [1], ["a": 1]])
    func badArgument(value: JSONValue) async throws {
        let result = try await run(ExecAgent(command: ["echo", "${{ with.x }}"]), with: ["x": value])
        #expect(result.failure?.type == .expression)
        #expect(result.failure?.code == "E_TEMPLATE_KIND")
    }

    @Test("the environment has what is documented, and nothing of the worker's")
    func environment() async throws {
        setenv("SKEIN_SECRET_DATABASE", "do not pass on", 1)
        let result = try await run(
            ExecAgent(command: ["env"], output: .lines, environment: [NamedTemplate(name: "MODE", value: "${{ with.mode }}")]),
            with: ["mode": "fast"])
        let lines = (JSONText(trustedForTest: result.answer ?? "[]")?.value.arrayValue ?? []).compactMap(\.stringValue).sorted()
        #expect(
            lines == [
                "IDEMPOTENCY_KEY=run-1/review.score", "LANG=C.UTF-8", "MODE=fast", "PATH=/usr/bin:/bin", "SKEIN_ATTEMPT=2",
                "SKEIN_FENCE=77",
                "SKEIN_RUN_ID=\(runID)", "SKEIN_STEP=review.score", "TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            ])
    }

    @Test("a process that does not read its input does no harm")
    func inputIgnored() async throws {
        let text = String(repeating: "x", count: 5_000_000)
        let result = try await run(ExecAgent(command: ["true"], stdin: .string(text)))
        #expect(result.answer == "null")
        // SIGPIPE is ignored in the worker, and has its default in the child: `head` ends `yes`.
        let scripts = Scripts()
        let piped = try await run(ExecAgent(command: [scripts.write("run", "#!/bin/sh\nyes | head -n 1\n")], output: .text))
        #expect(piped.answer == "\"y\"")
    }

    // MARK: Failures

    @Test("an exit code other than zero fails with what the process complained about")
    func exitCode() async throws {
        let scripts = Scripts()
        let result = try await run(ExecAgent(command: [scripts.write("run", "#!/bin/sh\necho out\necho 'no such model' >&2\nexit 7\n")]))
        #expect(result.failure?.type == .exit)
        #expect(result.failure?.code == "7")
        #expect(result.failure?.message == "The process ended with exit code 7: no such model")
        #expect(result.failure?.attempt == 2)
        #expect(result.log == "no such model\n")
        #expect(result.detail["exitCode"] == 7)
    }

    @Test("a process that is ended by a signal fails with its name")
    func signal() async throws {
        let scripts = Scripts()
        let result = try await run(ExecAgent(command: [scripts.write("run", "#!/bin/sh\nkill -SEGV $$\n")]))
        #expect(result.failure?.type == .signal)
        #expect(result.failure?.code == "SIGSEGV")
    }

    @Test("output that is no JSON, no text or cannot be stored fails each in its way")
    func badOutput() async throws {
        let notJSON = try await run(ExecAgent(command: ["echo", "{\"a\": "]))
        #expect(notJSON.failure?.type == .protocolError)
        #expect(notJSON.failure?.code == "E_RESULT_NOT_JSON")
        let notText = try await run(ExecAgent(command: ["printf", #"\377"#], output: .text))
        #expect(notText.failure?.code == "E_RESULT_NOT_TEXT")
        let unstorable = try await run(ExecAgent(command: ["printf", #"a\000b"#], output: .text))
        #expect(unstorable.failure?.type == .unstorable)
        #expect(unstorable.failure?.code == "E_RESULT_UNSTORABLE")
        let twice = try await run(ExecAgent(command: ["echo", #"{"a":1,"a":2}"#]))
        #expect(twice.failure?.code == "E_RESULT_UNSTORABLE")
    }

    @Test("endless output is stopped at the limit")
    func endlessOutput() async throws {
        let result = try await run(ExecAgent(command: ["yes"], output: .lines))
        #expect(result.failure?.type == .tooLarge)
        #expect(result.failure?.code == "E_RESULT_TOO_LARGE")
        let small = try await run(ExecAgent(command: ["printf", "12345678901"], output: .text, maxOutputBytes: 10))
        #expect(small.failure?.type == .tooLarge)
    }

    @Test("of an endless log the beginning and the end are kept")
    func endlessLog() async throws {
        let scripts = Scripts()
        let script = scripts.write("run", "#!/bin/sh\necho first >&2\nyes | head -c 3000000 >&2\necho last >&2\necho null\n")
        let result = try await run(ExecAgent(command: [script]))
        #expect(result.answer == "null")
        let log = result.log ?? ""
        #expect(log.hasPrefix("first\ny\n"))
        #expect(log.hasSuffix("y\nlast\n"))
        #expect(log.contains("bytes left out"))
        #expect(log.utf8.count < (64 << 10) + 100)
    }

    // MARK: What may be started

    @Test("executables that the worker does not allow are refused")
    func notAllowed() async throws {
        func failure(_ allowed: [String]?, _ name: String, path: String = "/usr/bin:/bin") async throws -> Failure? {
            try await run(
                ExecAgent(command: [name], output: .text), settings: AgentCallSettings(allowedExecutables: allowed, searchPath: path)
            ).failure
        }
        let none = try await failure(nil, "true")
        #expect(none?.type == .limit)
        #expect(none?.code == "E_NOT_ALLOWED")
        #expect(none?.message == "This worker does not start processes.")
        let other = try await failure(["cat"], "true")
        #expect(other?.code == "E_NOT_ALLOWED")
        let byPath = try await failure(["true"], "/usr/bin/true")
        #expect(byPath?.code == "E_NOT_ALLOWED")
        let relative = try await failure(["*"], "bin/true")
        #expect(relative?.code == "E_NOT_ALLOWED")
        let byName = try await failure(["true"], "true")
        #expect(byName == nil)
        let byFoundPath = try await failure(["/usr/bin/true"], "true")
        #expect(byFoundPath == nil)
    }

    @Test("an agent cannot bring an executable of its own along by its environment")
    func pathIsTheWorkers() async throws {
        let scripts = Scripts()
        _ = scripts.write("tool", "#!/bin/sh\necho '\"mine\"'\n")
        let agent = ExecAgent(command: ["tool"], environment: [NamedTemplate(name: "PATH", value: scripts.directory)])
        let result = try await run(agent)
        #expect(result.failure?.code == "E_EXECUTABLE_NOT_FOUND")
        #expect(result.failure?.type == .connect)
        let preload = try await run(ExecAgent(command: ["true"], environment: [NamedTemplate(name: "LD_PRELOAD", value: "/tmp/x.so")]))
        #expect(preload.failure?.code == "E_NOT_ALLOWED")
    }

    @Test("a file that is no program fails clearly")
    func noProgram() async throws {
        let scripts = Scripts()
        let garbage = try await run(ExecAgent(command: [scripts.write("run", "\u{7F}ELF nothing")]))
        #expect(garbage.failure?.code == "E_SPAWN_FAILED")
        let notExecutable = try await run(ExecAgent(command: [scripts.write("plain", "x", mode: 0o644)]))
        #expect(notExecutable.failure?.code == "E_EXECUTABLE_NOT_FOUND")
        let directory = try await run(ExecAgent(command: [scripts.directory]))
        #expect(directory.failure?.code == "E_EXECUTABLE_NOT_FOUND")
    }

    // MARK: The end

    @Test("a process that takes too long is ended, and soon")
    func timeout() async throws {
        let result = try await run(ExecAgent(command: ["sleep", "600"]), timeout: .milliseconds(200))
        #expect(result.isTimedOut)
        #expect(result.failure?.type == .timeout)
        #expect(result.failure?.message == "The agent did not answer within 200ms.")
        #expect(result.duration < .seconds(60))
    }

    @Test("a process that ignores SIGTERM is killed after the grace, its grandchildren with it")
    func stubborn() async throws {
        let scripts = Scripts()
        let script = scripts.write(
            "run", "#!/bin/sh\ntrap '' TERM\necho begun >&2\nsleep 600 &\necho $! > \(scripts.directory)/pid\nwait\nsleep 600\n")
        let result = try await perform(call(.exec(ExecAgent(command: [script])))) { scripts.number(in: "pid") != nil }
        #expect(result.isTimedOut)
        #expect(result.detail["signal"] == "SIGKILL")
        #expect(result.duration >= .milliseconds(300))
        #expect(result.log == "begun\n")
        let grandchild = try #require(scripts.number(in: "pid"))
        try await eventually("the grandchild is still there") { !isRunning(grandchild) }
    }

    @Test("what a process says while it is being ended is in its log")
    func lastWords() async throws {
        let scripts = Scripts()
        let script = scripts.write(
            "run",
            "#!/bin/sh\ntrap 'echo ended >&2; exit 3' TERM\necho begun >&2\nsleep 600 &\necho $! > \(scripts.directory)/pid\nwait\n")
        let result = try await perform(call(.exec(ExecAgent(command: [script])))) { scripts.number(in: "pid") != nil }
        #expect(result.isTimedOut)
        #expect(result.log == "begun\nended\n")
        #expect(result.detail["exitCode"] == 3)
    }

    @Test("a grandchild that ignores SIGTERM does not outlive a leader that obeys it")
    func stubbornGrandchild() async throws {
        let scripts = Scripts()
        let script = scripts.write(
            "run",
            "#!/bin/sh\n(trap '' TERM; echo > \(scripts.directory)/plain; sleep 600; sleep 600) &\necho $! > \(scripts.directory)/pid\nwait\n"
        )
        let result = try await perform(call(.exec(ExecAgent(command: [script])))) {
            scripts.number(in: "pid") != nil && scripts.exists("plain")
        }
        #expect(result.isTimedOut)
        #expect(result.detail["signal"] == "SIGTERM")
        let grandchild = try #require(scripts.number(in: "pid"))
        try await eventually("the grandchild is still there") { !isRunning(grandchild) }
    }

    @Test("what a process leaves behind when it succeeds is ended, and does not hold the answer up")
    func leftBehind() async throws {
        let scripts = Scripts()
        let script = scripts.write(
            "run", "#!/bin/sh\nsleep 600 &\necho $! > \(scripts.directory)/pid\necho '\"done\"'\n")
        let result = try await run(ExecAgent(command: [script]))
        #expect(result.answer == "\"done\"")
        #expect(result.duration < .seconds(60))
        let grandchild = try #require(scripts.number(in: "pid"))
        try await eventually("the grandchild is still there") { !isRunning(grandchild) }
    }

    @Test("a grandchild that floods the log does not keep the call alive")
    func floodingGrandchild() async throws {
        let scripts = Scripts()
        let script = scripts.write("run", "#!/bin/sh\nyes >&2 &\necho $! > \(scripts.directory)/pid\necho 1\n")
        let result = try await run(ExecAgent(command: [script]))
        #expect(result.answer == "1")
        let grandchild = try #require(scripts.number(in: "pid"))
        try await eventually("the grandchild is still there") { !isRunning(grandchild) }
    }

    @Test("cancelling the task ends the process group before the call returns")
    func cancelled() async throws {
        let scripts = Scripts()
        let script = scripts.write("run", "#!/bin/sh\nsleep 600 &\necho $! > \(scripts.directory)/pid\nwait\n")
        try await withCaller { caller in
            let task = Task { await caller.perform(call(.exec(ExecAgent(command: [script])), timeout: .seconds(120))) }
            try await eventually("the script did not start") { scripts.number(in: "pid") != nil }
            task.cancel()
            let result = await task.value
            #expect(result.outcome == .cancelled)
            #expect(result.duration < .seconds(60))
        }
        let grandchild = try #require(scripts.number(in: "pid"))
        try await eventually("the grandchild is still there") { !isRunning(grandchild) }
    }

    @Test("a hundred processes at once keep apart")
    func many() async throws {
        try await withCaller { caller in
            let right = await withTaskGroup(of: Bool.self) { group in
                for index in 0..<100 {
                    group.addTask {
                        let value = ["i": .int(Int64(index))] as JSONValue
                        let result = await caller.perform(call(.exec(ExecAgent(command: ["cat"])), with: value, timeout: .seconds(120)))
                        return result.answer == "{\"i\":\(index)}"
                    }
                }
                return await group.reduce(0) { count, isRight in count + (isRight ? 1 : 0) }
            }
            #expect(right == 100)
        }
    }
}
