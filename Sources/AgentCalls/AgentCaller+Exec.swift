// Agents that are local processes: starts one in a process group of its own, talks to it, and leaves nothing of the group behind.
import Subprocess
import WorkflowModel

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

extension AgentCaller {
    func perform(_ planned: PlannedProcess, _ agent: CompiledExecAgent) async -> Attempt {
        let limit = min(agent.definition.maxOutputBytes ?? settings.maxResponseBytes, settings.maxResponseBytes)
        var options = PlatformOptions()
        options.processGroupID = 0  // a group of its own, led by the process
        let teardown = [TeardownStep.send(signal: .terminate, toProcessGroup: true, allowedDurationToNextStep: settings.killGrace)]
        options.teardownSequence = teardown
        var variables = planned.environment
        do throws(CallFailure) {
            if let mark = try guardKeeper.mark() { variables[mark.name] = mark.value }
        } catch {
            return Attempt(.failed(error.failure))
        }
        // The rows are handed to `strdup`, so each brings its own zero: without it Subprocess reads on behind the array.
        let environment = variables.map { name, value in Array("\(name)=\(value)\0".utf8) }
        let configuration = Configuration(
            executable: .path(Self.literal(planned.executable)),
            arguments: Arguments(executablePathOverride: planned.name, remainingValues: planned.arguments),
            environment: .custom(environment), platformOptions: options)
        do {
            let ended = try await run(configuration, input: .inputWriter, output: .sequence, error: .sequence) { execution in
                await Self.converse(with: execution, input: planned.input, limit: limit, logBytes: settings.logBytes, teardown: teardown)
            }
            let talk = ended.closureResult
            var attempt = Attempt(
                Task.isCancelled ? .cancelled : Self.ending(ended.terminationStatus, talk, agent.definition.output, limit: limit),
                log: talk.log.text)
            attempt.details = Self.details(ended.terminationStatus, talk)
            return attempt
        } catch {
            guard !Task.isCancelled else { return Attempt(.cancelled) }
            return Attempt(.failed(Self.failure(of: error, planned)))
        }
    }

    // MARK: While the process runs

    /// What was heard of a process.
    private struct Conversation: Sendable {
        var output: [UInt8] = []
        var isTooLarge = false
        var log: CappedLog
    }

    private enum Part: Sendable {
        case inputWritten
        case output([UInt8], isTooLarge: Bool)
        case log(CappedLog)
        case leaderEnded
    }

    // More than a pipe holds.
    private static let lateBytes = 1 << 20

    // Input, output, log and the end of the process are followed at the same time; any order would deadlock with some process.
    private static func converse(
        with execution: Execution<CustomWriteInput, SequenceOutput, SequenceOutput>, input: [UInt8], limit: Int, logBytes: Int,
        teardown: [TeardownStep]
    ) async -> Conversation {
        let leaderHasEnded = Gate()
        return await withTaskGroup(of: Part.self) { group in
            group.addTask {
                // A process may end, or close its input, without having read it all: that is its own business.
                _ = try? await execution.standardInputWriter.write(input)
                try? await execution.standardInputWriter.finish()
                return .inputWritten
            }
            group.addTask {
                var output: [UInt8] = []
                var iterator = execution.standardOutput.makeAsyncIterator()
                while !Task.isCancelled, let buffer = try? await iterator.next() {
                    buffer.withUnsafeBytes { bytes in output.append(contentsOf: bytes) }
                    if output.count > limit {
                        await execution.teardown(using: teardown)
                        return .output([], isTooLarge: true)
                    }
                }
                return .output(output, isTooLarge: false)
            }
            group.addTask {
                var log = CappedLog(limit: logBytes)
                var iterator = execution.standardError.makeAsyncIterator()
                var isOver = false
                var late = 0
                while true {
                    while let buffer = try? await iterator.next() {
                        buffer.withUnsafeBytes { bytes in log.append(bytes) }
                        guard Task.isCancelled, leaderHasEnded.isOpen else { continue }
                        // What was in the pipe, and not what somebody goes on saying who has left the group.
                        late += buffer.count
                        if late > Self.lateBytes { return .log(log) }
                    }
                    // A reader that was cancelled waits for nothing: what is in the pipe it has read, and what the process says until it ends
                    // is read when it has ended.
                    guard Task.isCancelled, !isOver else { return .log(log) }
                    await leaderHasEnded.wait()
                    isOver = true
                }
            }
            group.addTask {
                // Subprocess stops at the leader: its teardown ends as soon as the leader has ended, whatever else is in the group. So the
                // rest of the group is ended here, in the moment between the leader's end and its reaping, when its process id, which is
                // the group's id, cannot belong to anybody else yet. That also closes the pipes which grandchildren have inherited.
                await ProcessEnd.wait(for: execution.processIdentifier.value, descriptor: execution.processIdentifier.processDescriptor)
                kill(-execution.processIdentifier.value, SIGKILL)
                leaderHasEnded.open()
                return .leaderEnded
            }
            var conversation = Conversation(log: CappedLog(limit: logBytes))
            for await part in group {
                switch part {
                case .output(let output, let isTooLarge):
                    conversation.output = output
                    conversation.isTooLarge = isTooLarge
                case .log(let log): conversation.log = log
                case .inputWritten, .leaderEnded: break
                }
            }
            return conversation
        }
    }

    // MARK: What it means

    private static func ending(
        _ status: TerminationStatus, _ talk: Conversation, _ output: ExecAgent.Output, limit: Int
    ) -> Attempt.Ending {
        do throws(CallFailure) {
            if talk.isTooLarge { throw Answer.tooLarge(limit) }
            let said = Answer.excerpt(talk.log.suffix(500))
            let suffix = said.isEmpty ? "" : ": \(said)"
            switch status {
            case .exited(0): break
            case .exited(let code):
                return .failed(Failure(type: .exit, code: String(code), message: "The process ended with exit code \(code)\(suffix)"))
            case .signaled(let number):
                let name = SignalName.of(number)
                return .failed(Failure(type: .signal, code: name, message: "The process was ended by \(name)\(suffix)"))
            }
            switch output {
            case .json: return .succeeded(try Answer.json(talk.output, limit: limit))
            case .text: return .succeeded(try Answer.text(Answer.withoutLastBreak(talk.output), limit: limit))
            case .lines: return .succeeded(try Answer.lines(talk.output, limit: limit))
            }
        } catch {
            return .failed(error.failure)
        }
    }

    private static func details(_ status: TerminationStatus, _ talk: Conversation) -> JSONText {
        var object = JSONObject()
        switch status {
        case .exited(let code): object["exitCode"] = .int(Int64(code))
        case .signaled(let number): object["signal"] = .string(SignalName.of(number))
        }
        object["bytes"] = .int(Int64(talk.output.count))
        return JSONText(.object(object))
    }

    private static func failure(of error: any Error, _ planned: PlannedProcess) -> Failure {
        guard let error = error as? SubprocessError else {
            return CallFailure(.exit, .spawnFailed, "The process could not be carried out: \(Answer.excerpt("\(error)".utf8))").failure
        }
        if error.code == .executableNotFound {
            return CallFailure(.connect, .executableNotFound, "The executable \(planned.name) was not found on this worker.").failure
        }
        let isSpawn = error.code == .spawnFailed
        return CallFailure(
            isSpawn ? .connect : .exit, .spawnFailed,
            "The process could not be \(isSpawn ? "started" : "carried out"): \(Answer.excerpt("\(error)".utf8))"
        ).failure
    }

    // `FilePath` belongs to swift-system, which is not linked here; a literal's initializer makes one all the same.
    private static func literal<Path: ExpressibleByStringLiteral>(_ text: String) -> Path where Path.StringLiteralType == String {
        Path(stringLiteral: text)
    }
}

/// The names of signals, as people know them.
enum SignalName {
    private static let names: [Int32: String] = [
        SIGABRT: "SIGABRT", SIGALRM: "SIGALRM", SIGBUS: "SIGBUS", SIGFPE: "SIGFPE", SIGHUP: "SIGHUP", SIGILL: "SIGILL", SIGINT: "SIGINT",
        SIGKILL: "SIGKILL", SIGPIPE: "SIGPIPE", SIGQUIT: "SIGQUIT", SIGSEGV: "SIGSEGV", SIGSYS: "SIGSYS", SIGTERM: "SIGTERM",
        SIGTRAP: "SIGTRAP", SIGUSR1: "SIGUSR1", SIGUSR2: "SIGUSR2", SIGXCPU: "SIGXCPU", SIGXFSZ: "SIGXFSZ",
    ]

    static func of(_ number: Int32) -> String { names[number] ?? "signal \(number)" }
}
