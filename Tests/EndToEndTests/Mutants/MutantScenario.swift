// The faults of processes, and the scenario that finds each.

#if DEBUG
import Faults
import PostgresTestKit
import Testing
import WorkflowModel

extension PlantedFault {
    /// The promises that it breaks.
    var breaks: String {
        switch self {
        case .foldInTwoTransactions: "I28"
        case .keyPerAttempt: "the idempotency key is stable"
        case .notifyOnly: "L3"
        case .noLookForStrays: "L2"
        case .submitWithoutTicket: "I3"
        case .frameOfAnyRevision: "I28"
        }
    }

    /// What finds it.
    var foundBy: String {
        switch self {
        case .submitWithoutTicket: "submit.sent:lose, without a key"
        case .frameOfAnyRevision: "a pause and a resume"
        case .foldInTwoTransactions: "fold.executed:kill"
        case .keyPerAttempt: "agent.committed:kill"
        case .notifyOnly: "notify.before:kill"
        case .noLookForStrays: "claim.sent:lose"
        }
    }

    /// Plays what finds it; an expectation fails, or something does not end.
    func play(on stage: CrashStage) async throws {
        switch self {
        case .submitWithoutTicket: try await stage.submitWithoutTicket()
        case .frameOfAnyRevision: try await stage.pauseAndResume()
        case .foldInTwoTransactions, .keyPerAttempt, .notifyOnly, .noLookForStrays:
            guard let plan = CrashPlan(foundBy) else { throw HarnessError("\(foundBy) is no scenario") }
            try await stage.play(plan)
        }
    }
}

extension CrashStage {
    /// A run is asked for once, without a key, and the answer to its commit is lost: there is one run.
    fileprivate func submitWithoutTicket() async throws {
        let point = CrashPoint(.submit, .sent)
        let mark = "keyless-\(nextNumber())"
        try coordinator.arm(CrashPlan(point, .lose))
        let body: JSONValue = ["workflow": "listener", "input": ["key": .string(mark)]]
        let answer = await attempt("POST", "/api/v1/runs", body.compactText)
        try await coordinator.waitUntilReached(point)
        #expect(answer?.status == 201)
        let count = try await cluster.count("select count(*) from skein.run where input::json ->> 'key' = '\(mark)'")
        #expect(count == 1)
    }

    /// A run is paused and resumed between two folds of the same coordinator.
    fileprivate func pauseAndResume() async throws {
        let act = try act(for: CrashPoint(.resume, .before))
        try await act.prepare()
        try await act.finish()
        try await cluster.expectClean()
    }
}
#endif
