// Runs that other runs start: sub-workflows in the middle, chained ones at the end. They begin in the transaction that starts them.

import Engine
import JSONSchema
import Postgres
import WorkflowModel

/// A run that is about to begin.
struct NewRun {
    var id: RunID
    var version: LoadedVersion
    var input: JSONText
    var trigger: String
    var labels: JSONText?
    var depth = 0
    var lineage: [String] = []
    var relatives = Relatives.none
}

extension RunStore {
    private static let liveVersions: SQL = """
        select g.place, w.live_version_id
          from unnest($1, $2, $3) as g (place, namespace_id, name)
          join skein.workflow w on w.namespace_id = g.namespace_id and w.name = g.name
         where w.live_version_id is not null
        """

    // Counts only where there is room; who is missing from the answer has none.
    private static let countDescendants: SQL = """
        insert into skein.run_tree (root_run_id, namespace_id, descendants)
        select g.root_run_id, g.namespace_id, g.descendants from unnest($1, $2, $3) as g (root_run_id, namespace_id, descendants)
         where g.descendants <= $4
         order by g.root_run_id
        on conflict (root_run_id) do update set descendants = run_tree.descendants + excluded.descendants
         where run_tree.descendants + excluded.descendants <= $4
        returning root_run_id
        """

    /// Frames for runs that begin, with the versions of their sub-workflows as they are now.
    func begin(_ new: [NewRun], now: Timestamp, on db: isolated PostgresConnection) throws(PostgresError) -> [RunFold] {
        var asked: [(Int, Int32, String)] = []
        for (place, run) in new.enumerated() {
            for name in run.version.program.callees { asked.append((place, run.version.namespaceID, name)) }
        }
        var callees: [Int: [String: CalleeFacts]] = [:]
        var stored: [Int: JSONObject] = [:]
        if !asked.isEmpty {
            let versions = try liveVersions(asked.map { ($0.1, $0.2) }, on: db)
            for (index, (place, _, name)) in asked.enumerated() {
                guard let version = versions[index] else { continue }
                callees[place, default: [:]][name] = version.callee
                stored[place, default: JSONObject()][name] = .int(version.id.rawValue)
            }
        }
        return new.enumerated().map { place, run in
            let facts = RunFacts(
                id: run.id, version: run.version.number, historyLength: 1, submittedAt: now, trigger: run.trigger, labels: run.labels,
                input: run.input, callees: callees[place] ?? [:], depth: run.depth, lineage: run.lineage, parentID: run.relatives.parent)
            var relatives = run.relatives
            relatives.callees = stored[place].map { JSONValue.object($0).compactText }
            return RunFold(
                starting: RunChange(id: run.id, version: run.version, isNew: true, facts: facts, relatives: relatives),
                frame: Frame(program: run.version.program, run: facts, isComplete: true))
        }
    }

    // The live versions of workflows, aligned with the question; nil where there is none that can be run.
    private func liveVersions(
        _ names: [(Int32, String)], on db: isolated PostgresConnection
    ) throws(PostgresError) -> [LoadedVersion?] {
        let rows = try db.query(
            Self.liveVersions,
            [.int32Array(names.indices.map { Int32(clamping: $0) }), .int32Array(names.map(\.0)), .textArray(names.map(\.1))])
        let versions = try programs.load(rows.map { VersionID($0.int64(1)) }, on: db)
        var found = [LoadedVersion?](repeating: nil, count: names.count)
        for row in rows {
            if case .success(let version) = versions[VersionID(row.int64(1))] { found[Int(row.int32(0))] = version }
        }
        return found
    }

    /// Decides for all runs of a batch, and for those that they start, and those that these start, until nothing is left to begin.
    func decideTree(
        _ folds: inout [RunFold], _ changes: inout ChangeSet, _ report: inout FoldReport, now: Timestamp,
        on db: isolated PostgresConnection
    ) throws(PostgresError) {
        try decideAll(&folds, &changes, &report, now: now, on: db)
        while !changes.children.isEmpty || !changes.chains.isEmpty {
            var new: [NewRun] = []
            try takeChildren(of: folds, &changes, into: &new, on: db)
            try takeChains(of: folds, &changes, into: &new, now: now, on: db)
            folds += try begin(new, now: now, on: db)
            try decideAll(&folds, &changes, &report, now: now, on: db)
        }
    }

    private func takeChildren(
        of folds: [RunFold], _ changes: inout ChangeSet, into new: inout [NewRun], on db: isolated PostgresConnection
    ) throws(PostgresError) {
        let starts = changes.children
        changes.children = []
        guard !starts.isEmpty else { return }
        var parents: [RunID: Int] = [:]
        for (index, fold) in folds.enumerated() { parents[fold.change.id] = index }
        let children = starts.compactMap { id, start in parents[id].map { (folds[$0], start) } }

        var counts: [RunID: (namespaceID: Int32, Int32)] = [:]
        for (parent, _) in children { counts[parent.root, default: (parent.change.version.namespaceID, 0)].1 += 1 }
        let roots = counts.sorted { $0.key < $1.key }
        let counted = try db.query(
            Self.countDescendants,
            [
                .uuidArray(roots.map(\.key.pair)), .int32Array(roots.map(\.value.namespaceID)), .int32Array(roots.map(\.value.1)),
                .int32(Int32(clamping: descendantLimit)),
            ])
        let hasRoom = Set(counted.map { RunID($0.uuid(0)) })
        let versions = try programs.load(children.compactMap { $0.0.frame.run.callees[$0.1.workflow]?.versionID }, on: db)

        for (parent, start) in children {
            let run = parent.frame.run
            let lineage = run.lineage + [parent.change.version.workflow]
            guard hasRoom.contains(parent.root) else {
                let chain = (lineage + [start.workflow]).joined(separator: " > ")
                changes.refuse(
                    start, of: parent,
                    Failure(
                        type: .limit, code: "E_TOO_MANY_DESCENDANTS",
                        message: "the run at the top has \(descendantLimit) runs below it, which is the limit; this one would be one more: \(chain)"))
                continue
            }
            guard let id = run.callees[start.workflow]?.versionID, case .success(let version) = versions[id] else {
                changes.refuse(
                    start, of: parent,
                    Failure(type: .custom, code: "E_UNUSABLE_VERSION", message: "workflow \(start.workflow) cannot be run by this release"))
                continue
            }
            new.append(
                NewRun(
                    id: start.runID, version: version, input: start.input, trigger: "workflow", labels: version.ownLabels,
                    depth: run.depth + 1, lineage: lineage,
                    relatives: Relatives(
                        parent: run.id, parentPath: start.path, parentAttempt: start.attempt, isAwaited: start.isAwaited,
                        followsParent: start.followsParent, root: parent.root)))
        }
    }

    private func takeChains(
        of folds: [RunFold], _ changes: inout ChangeSet, into new: inout [NewRun], now: Timestamp, on db: isolated PostgresConnection
    ) throws(PostgresError) {
        let chains = changes.chains
        changes.chains = []
        guard !chains.isEmpty else { return }
        var sources: [RunID: Int] = [:]
        for (index, fold) in folds.enumerated() { sources[fold.change.id] = index }
        let starts = chains.compactMap { id, start in sources[id].map { (folds[$0], start) } }
        let versions = try liveVersions(starts.map { ($0.0.change.version.namespaceID, $0.1.workflow) }, on: db)
        var random = SystemRandomNumberGenerator()
        for ((source, start), version) in zip(starts, versions) {
            let run = source.frame.run
            let input: JSONText
            switch start.start {
            case .failed(let failure):
                changes.bury(start, of: source, input: nil, failure)
                continue
            case .input(let given): input = given
            }
            guard let version else {
                changes.bury(
                    start, of: source, input: input,
                    Failure(type: .custom, code: "E_UNKNOWN_WORKFLOW", message: "there is no workflow \"\(start.workflow)\" that could be run"))
                continue
            }
            if let violations = version.inputSchema?.validate(input.value), !violations.isEmpty {
                let shown = violations.prefix(5).map { "\($0)" }.joined(separator: "; ")
                changes.bury(
                    start, of: source, input: input,
                    Failure(type: .schema, message: "the input does not match the schema of workflow \(start.workflow): \(shown)"))
                continue
            }
            new.append(
                NewRun(
                    id: RunID(.version7(unixMilliseconds: now.microseconds / 1000, random: &random)), version: version, input: input,
                    trigger: start.trigger.rawValue, labels: version.ownLabels, depth: run.depth + 1,
                    lineage: run.lineage + [source.change.version.workflow], relatives: Relatives(source: run.id)))
        }
    }

    /// The versions of a run's sub-workflows, as its row has them.
    func callees(
        _ text: String?, among versions: [VersionID: Result<LoadedVersion, UnusableVersion>]
    ) -> [String: CalleeFacts] {
        var callees: [String: CalleeFacts] = [:]
        for (name, id) in Self.calleeIDs(text) {
            if case .success(let version) = versions[id] { callees[name] = version.callee }
        }
        return callees
    }

    static func calleeIDs(_ text: String?) -> [(String, VersionID)] {
        guard let text, let object = (try? JSONValue(parsing: text))?.objectValue else { return [] }
        return object.members.compactMap { name, value in value.intValue.map { (name, VersionID($0)) } }
    }
}

extension ChangeSet {
    fileprivate mutating func refuse(_ start: ChildStart, of parent: RunFold, _ failure: Failure) {
        if start.isAwaited { return refusedChildren.append((parent.change.id, start, failure)) }
        letters.append(
            DeadLetter(
                kind: .child, run: parent.change.id, namespaceID: parent.change.version.namespaceID, path: start.path.text,
                workflow: start.workflow, input: start.input, failure: failure))
    }

    fileprivate mutating func bury(_ start: ChainStart, of source: RunFold, input: JSONText?, _ failure: Failure) {
        letters.append(
            DeadLetter(
                kind: .chain, run: source.change.id, namespaceID: source.change.version.namespaceID,
                path: "\(start.trigger.rawValue)[\(start.index)]", workflow: start.workflow, input: input, failure: failure))
    }
}

extension LoadedVersion {
    fileprivate var callee: CalleeFacts { CalleeFacts(versionID: id, number: number, inputSchema: inputSchema) }

    // The labels that the workflow gives every run.
    fileprivate var ownLabels: JSONText? {
        let own = program.definition.labels
        guard !own.isEmpty else { return nil }
        var object = JSONObject()
        for (name, value) in own.sorted(by: { $0.key < $1.key }) { object[name] = .string(value) }
        return JSONText(.object(object))
    }
}
