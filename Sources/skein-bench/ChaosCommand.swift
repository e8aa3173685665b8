// Real processes under faults, with a judge of its own.

import ArgumentParser
import Chaos
import Foundation
import WorkflowModel

struct ChaosCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chaos",
        abstract: "Runs random workflows on a cluster of real processes, does it all the harm there is, and has the history judged.",
        discussion: """
            The cluster has two coordinators, five workers in two namespaces, and a PostgreSQL server of its own. Clients start, pause, resume, \
            signal, adjust and cancel runs and write down every call; agents write down theirs; an oracle knows how each run must end. At the end \
            deploy/check-history, a program in Python that shares no code with Skein, reads it all together with the database, and says "good", \
            "broken" or "void" (when too little happened for a verdict). What is seeded is what is asked for and what harm is done; real processes \
            never do the same twice.

            Faults:
            \(Fault.allCases.map { "  \($0.rawValue)\(String(repeating: " ", count: max(1, 20 - $0.rawValue.count)))\($0.summary)" }.joined(separator: "\n"))

            Exits with 0 when the verdict is good, with 1 when a promise was broken, with 2 when it is void.
            """)

    @Option(help: "How long runs are started and faults go on.")
    var minutes = 1.0

    @Option(help: "The seed of everything that is chosen. Otherwise a new one, which is printed.")
    var seed: UInt64?

    @Option(help: "The faults, separated by commas; all; or none. A minus in front leaves one out of all: all,-fill-disk.")
    var faults = "all"

    @Option(help: "A file for the report, in JSON.")
    var report: String?

    @Option(help: "Where the history is kept. Otherwise it is kept only when the verdict is not good.")
    var directory: String?

    @Option(help: "The program that judges. Otherwise deploy/check-history of the repository.")
    var judge: String?

    @Option(help: "SQL that is run after the migrations: a planted fault, which the campaign has to find.")
    var plant: String?

    @Option(help: "How many runs are under way at most.")
    var runs = 240

    func validate() throws {
        if minutes <= 0 || minutes > 24 * 60 { throw ValidationError("--minutes must be more than 0 and at most 1440, not \(minutes)") }
        if runs < 1 { throw ValidationError("--runs must be 1 or more, not \(runs)") }
        _ = try chosenFaults()
    }

    private func chosenFaults() throws -> Set<Fault> {
        var chosen: Set<Fault> = []
        for word in faults.split(separator: ",").map({ $0.trimmingCharacters(in: .whitespaces) }) {
            switch word {
            case "all": chosen = Set(Fault.allCases)
            case "none": chosen = []
            case _ where word.hasPrefix("-"):
                guard let fault = Fault(rawValue: String(word.dropFirst())) else { throw Self.unknown(word) }
                chosen.remove(fault)
            default:
                guard let fault = Fault(rawValue: word) else { throw Self.unknown(word) }
                chosen.insert(fault)
            }
        }
        return chosen
    }

    private static func unknown(_ word: String) -> ValidationError {
        ValidationError("--faults: there is no fault \"\(word)\"; skein-bench chaos --help lists them")
    }

    func run() async throws {
        var campaign = Campaign(seed: seed ?? UInt64.random(in: 0...UInt64(UInt32.max)), time: .seconds(minutes * 60), faults: try chosenFaults())
        campaign.runs = runs
        campaign.directory = directory.map { URL(fileURLWithPath: $0) }
        if let plant { campaign.planted = try String(contentsOfFile: plant, encoding: .utf8) }
        Self.say("--seed \(campaign.seed) --minutes \(minutes)")
        let judge = try judge.map { Judge(URL(fileURLWithPath: $0)) } ?? Judge.find()
        let result = try await CampaignRun(campaign, judge: judge, say: Self.say).carryOut()
        let text = ChaosReport(campaign, result)
        for line in text.lines { Self.say(line) }
        if let report { try (text.json.compactText + "\n").write(toFile: report, atomically: true, encoding: .utf8) }
        switch result.judgement.verdict {
        case "good": return
        case "void": throw ExitCode(2)
        default: throw ExitCode.failure
        }
    }

    @Sendable private static func say(_ text: String) {
        FileHandle.standardOutput.write(Data("chaos: \(text)\n".utf8))
    }
}

/// What is shown of a campaign.
private struct ChaosReport {
    let json: JSONValue
    let lines: [String]

    init(_ campaign: Campaign, _ result: CampaignResult) {
        let figures = result.judgement.report["figures"]?.objectValue ?? JSONObject()
        var report = JSONObject()
        report["seed"] = .int(Int64(bitPattern: campaign.seed))
        report["minutes"] = .double(campaign.time.inSeconds / 60)
        report["verdict"] = .string(result.judgement.verdict)
        var struck = JSONObject()
        for fault in Fault.allCases { if let count = result.counts[fault] { struck[fault.rawValue] = .int(Int64(count)) } }
        report["faults"] = .object(struck)
        var impossible = JSONObject()
        for fault in Fault.allCases { if let why = result.impossible[fault] { impossible[fault.rawValue] = .string(why) } }
        report["impossible"] = .object(impossible)
        report["figures"] = .object(figures)
        report["violations"] = result.judgement.report["violations"] ?? []
        report["void"] = result.judgement.report["void"] ?? []
        json = .object(report)

        var lines = figures.members.map { "\($0.replacing("_", with: " ")): \($1.stringValue ?? $1.compactText)" }
        let total = result.counts.values.reduce(0, +)
        lines.append("faults: \(total): " + struck.members.map { "\($1.compactText) \($0)" }.joined(separator: ", "))
        lines += impossible.members.map { "not possible here: \($0): \($1.stringValue ?? "")" }
        lines += result.judgement.findings
        if let directory = result.directory { lines.append("the history is in \(directory.path(percentEncoded: false))") }
        lines.append("verdict: \(result.judgement.verdict)")
        self.lines = lines
    }
}
