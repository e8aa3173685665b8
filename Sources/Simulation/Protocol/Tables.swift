// The tables of Skein in the model database, and the workflows that runs are of.

package import Engine
package import WorkflowModel

/// A version of a workflow.
package struct WorkflowVersion: Sendable {
    package let id: VersionID
    package let name: String
    package let program: Program

    // Up to so many steps a definition's runs are loaded whole.
    private static let smallProgram = 64

    var isLoadedWhole: Bool { program.nodes.count <= Self.smallProgram && !program.isDynamic }
    var callee: CalleeFacts { CalleeFacts(versionID: id, number: 1) }
}

/// The tables.
package final class Tables {
    package let database = ModelDatabase()
    package let runs: Table<RunRow>
    package let endedRuns: Table<EndedRunRow>
    package let runKeys: Table<RunKeyRow>
    package let tasks: Table<TaskRow>
    package let liveSteps: Table<LiveStepRow>
    package let timers: Table<TimerRow>
    package let inbox: Table<InboxRow>
    package let steps: Table<StepRow>
    package let attempts: Table<AttemptRow>
    package let runEvents: Table<RunEventRow>
    package let sessions: Table<SessionRow>
    package let notices: Table<NoticeRow>
    package let events: Table<EventRow>
    package let eventKeys: Table<EventKeyRow>
    package let deliveries: Table<DeliveryRow>
    package let waits: Table<WaitRow>
    package let waitKeys: Table<WaitKeyRow>
    package let matches: Table<MatchRow>
    package let items: Table<ItemsRow>
    package let trees: Table<TreeRow>
    package let letters: Table<LetterRow>
    package let epochs: Table<EpochRow>
    package let lowWater: Table<LowWaterRow>

    package let fences: Sequence
    let sessionNumbers: Sequence
    let inboxNumbers: Sequence
    let eventNumbers: Sequence
    let matchNumbers: Sequence
    let letterNumbers: Sequence

    /// The workflows, by number from 1; the last one of a name is the live one.
    package private(set) var versions: [WorkflowVersion] = []
    private var liveVersions: [String: WorkflowVersion] = [:]

    package init() {
        runs = Table("run", in: database)
        endedRuns = Table("ended_run", in: database)
        runKeys = Table("run_key", in: database)
        tasks = Table("task", in: database)
        liveSteps = Table("live_step", in: database)
        timers = Table("timer", in: database)
        inbox = Table("inbox", in: database)
        steps = Table("step", in: database)
        attempts = Table("attempt", in: database)
        runEvents = Table("run_event", in: database)
        sessions = Table("worker_session", in: database)
        notices = Table("cancel_notice", in: database)
        events = Table("event", in: database)
        eventKeys = Table("event_key", in: database)
        deliveries = Table("event_delivery", in: database)
        waits = Table("wait", in: database)
        waitKeys = Table("wait_key", in: database)
        matches = Table("match", in: database)
        items = Table("loop_slice", in: database)
        trees = Table("run_tree", in: database)
        letters = Table("dead_letter", in: database)
        epochs = Table("cluster_epoch", in: database)
        lowWater = Table("low_water", in: database)
        fences = Sequence(in: database)
        sessionNumbers = Sequence(in: database)
        inboxNumbers = Sequence(in: database)
        eventNumbers = Sequence(in: database)
        matchNumbers = Sequence(in: database)
        letterNumbers = Sequence(in: database)
    }

    /// Adds a workflow, which is the live one of its name from now on.
    @discardableResult
    package func add(_ definition: WorkflowDefinition) throws(ProgramError) -> WorkflowVersion {
        add(try Program(definition))
    }

    @discardableResult
    package func add(_ program: Program) -> WorkflowVersion {
        let version = WorkflowVersion(
            id: VersionID(Int64(versions.count + 1)), name: program.definition.name, program: program)
        versions.append(version)
        liveVersions[version.name] = version
        return version
    }

    func version(_ id: VersionID) -> WorkflowVersion { versions[Int(id.rawValue) - 1] }
    func liveVersion(_ name: String) -> WorkflowVersion? { liveVersions[name] }
}
