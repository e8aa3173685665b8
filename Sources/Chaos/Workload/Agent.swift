// The agent that all workflows of a campaign call. What it does follows from the call alone, so that whoever asks again is told the same.

import WorkflowModel

/// What a call may ask the agent to do wrong, in the first so many attempts.
enum Trouble: String, CaseIterable, Sendable {
    case unavailable, limited, garbage, unfinished, lie, reset, cutOff, hang
    /// What cannot be stored. Nobody asks again for it.
    case bottomless

    /// How long a call that may hang is waited for.
    static let patienceSeconds = 3

    /// What is worth another try.
    static let passing = allCases.filter { $0 != .bottomless }

    /// What agents of this kind answer.
    func answer(_ call: AgentCall, after delay: Duration) -> AgentAnswer {
        switch self {
        case .unavailable: .reply(["why": "not now"], status: 503, after: delay)
        case .limited: .reply(["why": "too many"], status: 429, after: delay)
        case .garbage: .text("<html>It works!</html>", after: delay)
        case .unfinished: .text("{\"key\": \"\(call.key)\", \"fence\": \(call.fence), \"val", after: delay)
        // An answer of the right form that is not what was agreed upon.
        case .lie: .reply(["key": .string(call.key), "fence": .int(call.fence), "value": "a lot"], after: delay)
        case .reset: .reset(after: delay)
        case .cutOff: .cutOff(["key": .string(call.key), "fence": .int(call.fence), "value": 1], after: delay)
        case .hang: .hang
        case .bottomless: .text(String(repeating: "[", count: 1000), after: delay)
        }
    }
}

extension Workload {
    /// The agent. Most calls take a moment; some so long that somebody is likely to be killed meanwhile.
    package static let agent: AgentServer.Script = { call in
        let hash = call.key.utf8.reduce(UInt64(0xCBF2_9CE4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
        let draw = Int(hash >> 33)
        let delay = Duration.milliseconds(draw % 4 == 0 ? 300 + draw % 1500 : 5 + draw % 150)
        let body = try? JSONValue(parsing: call.body)
        if let name = body?["trouble"]?.stringValue, let trouble = Trouble(rawValue: name), call.attempt <= body?["times"]?.intValue ?? 0 {
            return trouble.answer(call, after: delay)
        }
        guard let number = body?["n"]?.intValue, body?["refuse"] != true else {
            return .reply(["key": .string(call.key), "fence": .int(call.fence)], status: 422, after: delay)
        }
        let answer: JSONValue = ["key": .string(call.key), "fence": .int(call.fence), "value": .int(Int64(Mixture.value(Int(number))))]
        return body?["slowly"] == true ? .drip(answer, over: .milliseconds(600)) : .reply(answer, after: delay)
    }
}
