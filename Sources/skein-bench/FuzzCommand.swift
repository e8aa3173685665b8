// Random and mutated inputs for everything that reads what users write: workflow files, expressions, schemas and patterns.

import ArgumentParser
import Foundation
import WorkflowModel

struct FuzzCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fuzz",
        abstract: "Feeds random and mutated inputs to the readers of files, expressions, schemas and patterns. Needs no database.",
        discussion: """
            Nothing may crash, take long, or take much memory. The seed is printed; every input follows from the seed and its number, so \
            that --seed S --from N --count 1 has one of them again. Exits with 1 when a bound was exceeded, and names the input.
            """)

    @Option(help: "How many inputs.")
    var count = 100_000

    @Option(help: "The seed. Otherwise SKEIN_FUZZ_SEED, or a new one.")
    var seed: UInt64?

    @Option(help: "The number of the first input.")
    var from = 0

    @Option(help: "Which readers, separated by commas: definitions expressions schemas patterns.")
    var targets = "definitions,expressions,schemas,patterns"

    @Option(help: "The longest that one input may take, in seconds.")
    var seconds = 2.0

    @Option(help: "The most memory that the process may take at its peak, in MiB.")
    var memory = 512

    @Flag(help: "Print each input before it is read.")
    var show = false

    func validate() throws {
        if count < 1 { throw ValidationError("--count must be 1 or more, not \(count)") }
        if from < 0 { throw ValidationError("--from must be 0 or more, not \(from)") }
        if seconds <= 0 { throw ValidationError("--seconds must be more than 0, not \(seconds)") }
        for name in targets.split(separator: ",") where FuzzTarget(rawValue: String(name)) == nil {
            let known = FuzzTarget.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("there is nothing called \"\(name)\" to fuzz; there are \(known)")
        }
    }

    func run() async throws {
        let given = ProcessInfo.processInfo.environment["SKEIN_FUZZ_SEED"].flatMap { UInt64($0) }
        let seed = seed ?? given ?? UInt64.random(in: 0 ... .max)
        let wanted = targets.split(separator: ",").compactMap { FuzzTarget(rawValue: String($0)) }
        print("fuzz: SKEIN_FUZZ_SEED=\(seed)")
        LastWords.install(timeout: UInt32(max(10, seconds * 10)))
        let clock = ContinuousClock()
        let begun = clock.now
        var tallies = Dictionary(uniqueKeysWithValues: wanted.map { ($0, Tally()) })
        var tooSlow = 0
        for number in from..<from + count {
            var generator = FuzzGenerator(seed: seed, number: UInt64(number))
            let target = wanted[number % wanted.count]
            let input = target.input(&generator)
            if show { FileHandle.standardError.write(Data("\(number) \(target.rawValue)\n\(input)\n".utf8)) }
            LastWords.begin(number)
            let start = clock.now
            let isAccepted = target.read(input, &generator)
            let time = clock.now - start
            tallies[target]?.add(isAccepted: isAccepted, time: time, number: number)
            if time > .seconds(seconds) {
                tooSlow += 1
                print("fuzz: input \(number) (\(target.rawValue)) took \(milliseconds(time)) ms: \(excerpt(input.text))")
            }
            if (number - from + 1) % max(1, count / 10) == 0 {
                let done = "fuzz: \(number - from + 1) of \(count), \(peakMemory() >> 20) MiB at the peak\n"
                FileHandle.standardError.write(Data(done.utf8))
            }
        }
        LastWords.end()
        for target in wanted {
            guard let tally = tallies[target] else { continue }
            print(
                "fuzz: \(target.rawValue): \(tally.count) inputs, \(tally.accepted) accepted, "
                    + "\(milliseconds(tally.total / max(1, tally.count))) ms in the mean, "
                    + "\(milliseconds(tally.worst)) ms at worst (input \(tally.worstNumber))")
        }
        let peak = peakMemory() >> 20
        print("fuzz: \(count) inputs in \(milliseconds(clock.now - begun)) ms, no crash, \(tooSlow) too slow, \(peak) MiB at the peak")
        if tooSlow > 0 || peak > memory {
            if peak > memory { print("fuzz: more memory was taken than \(memory) MiB") }
            throw ExitCode(1)
        }
    }

    private struct Tally {
        var count = 0
        var accepted = 0
        var total = Duration.zero
        var worst = Duration.zero
        var worstNumber = 0

        mutating func add(isAccepted: Bool, time: Duration, number: Int) {
            count += 1
            if isAccepted { accepted += 1 }
            total += time
            if time > worst { (worst, worstNumber) = (time, number) }
        }
    }

    private func milliseconds(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let micro = seconds * 1_000_000 + attoseconds / 1_000_000_000_000
        return "\(micro / 1000)." + String(String(1000 + micro % 1000).dropFirst())
    }

    private func excerpt(_ text: String) -> String {
        text.utf8.count > 300 ? String(text.prefix(300)).debugDescription + "…" : text.debugDescription
    }

    // The kernel's own figure; 0 where there is none.
    private func peakMemory() -> Int {
        var usage = rusage()
        // RUSAGE_SELF, which is imported in different types on different systems, is 0 on all of them.
        guard getrusage(0, &usage) == 0 else { return 0 }
        #if os(Linux)
        return usage.ru_maxrss << 10
        #else
        return usage.ru_maxrss
        #endif
    }
}

/// What is said when an input takes the process down or never ends: its number. Written by signal handlers, so with nothing but `write`.
private enum LastWords {
    // Written by the one thread that reads inputs, read by a handler on whatever thread is interrupted; a torn number cannot occur.
    private nonisolated(unsafe) static let number: UnsafeMutablePointer<Int> = {
        let pointer = UnsafeMutablePointer<Int>.allocate(capacity: 1)
        pointer.initialize(to: -1)
        return pointer
    }()
    private nonisolated(unsafe) static let timeout: UnsafeMutablePointer<UInt32> = {
        let pointer = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
        pointer.initialize(to: 0)
        return pointer
    }()

    static func install(timeout seconds: UInt32) {
        timeout.pointee = seconds
        for name in [SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGABRT, SIGALRM, SIGFPE] {
            signal(name) { name in
                LastWords.speak()
                signal(name, SIG_DFL)
                raise(name)
            }
        }
    }

    static func begin(_ input: Int) {
        number.pointee = input
        alarm(timeout.pointee)
    }

    static func end() { alarm(0) }

    private static func speak() {
        write(STDERR_FILENO, "fuzz: the process ends in input ", 32)
        var rest = max(0, number.pointee)
        var divisor = 1
        while rest / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            var digit = UInt8(0x30 + rest / divisor)
            write(STDERR_FILENO, &digit, 1)
            rest %= divisor
            divisor /= 10
        }
        write(STDERR_FILENO, "\n", 1)
    }
}
