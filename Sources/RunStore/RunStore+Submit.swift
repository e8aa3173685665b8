// Submit: many runs in one transaction, each with its first work.

import Crypto
import Engine
public import JSONSchema
public import Postgres
public import WorkflowModel

/// A run that somebody asks for.
public struct SubmitRequest: Sendable {
    /// The namespace.
    public var namespace: String
    /// The workflow.
    public var workflow: String
    /// The version; nil is the one that is live.
    public var version: Int?
    /// The input.
    public var input: JSONText
    /// The idempotency key: a second request with the same key gets the first one's run.
    public var key: String?
    /// Labels: a JSON object of strings.
    public var labels: JSONText?
    /// What asks: `api`, `cli`, ….
    public var trigger: String
    /// Makes a request without a key repeatable for as long as its ticket is kept.
    public var ticket: SubmitTicket?

    /// A run that somebody asks for.
    public init(
        namespace: String = "default", workflow: String, version: Int? = nil, input: JSONText, key: String? = nil,
        labels: JSONText? = nil, trigger: String = "api"
    ) {
        self.namespace = namespace
        self.workflow = workflow
        self.version = version
        self.input = input
        self.key = key
        self.labels = labels
        self.trigger = trigger
    }
}

/// Remembers which run a request makes, so that it can be tried again when nobody knows what became of it: the same run, or the one that is there.
public final class SubmitTicket: Sendable {
    private let made = Guarded<RunID?>(nil)

    /// A ticket for one request.
    public init() {}

    /// The run of the first attempt; nil before it.
    public fileprivate(set) var runID: RunID? {
        get { made.value }
        set { made.value = newValue }
    }
}

/// What becomes of a request.
public enum SubmitAnswer: Sendable {
    /// The run exists, durably. `isReplay`: an earlier request with the same key made it.
    case accepted(RunID, version: Int, isReplay: Bool)
    /// There is no such workflow in the namespace, or it has no live version.
    case unknownWorkflow
    /// The workflow has no such version.
    case unknownVersion
    /// The input does not match the workflow's schema.
    case invalidInput([Violation])
    /// The key was used before, for another request.
    case keyConflict(RunID)
    /// The version cannot be run by this release.
    case unusable(String)
}

extension RunStore {
    private static let resolve: SQL = """
        select g.place, v.version_id, v.version
          from unnest($1, $2, $3, $4) as g (place, namespace, workflow, version)
          join skein.namespace n on n.name = g.namespace
          join skein.workflow w on w.namespace_id = n.namespace_id and w.name = g.workflow
          left join skein.workflow_version v
            on v.namespace_id = w.namespace_id and v.name = w.name
           and (v.version = g.version or (g.version is null and v.version_id = w.live_version_id))
        """

    private static let takeKeys: SQL = """
        insert into skein.run_key (namespace_id, key_hash, request_hash, run_id, expires_at)
        select g.namespace_id, g.key_hash, g.request_hash, g.run_id, clock_timestamp() + interval '30 days'
          from unnest($1, $2, $3, $4) as g (namespace_id, key_hash, request_hash, run_id)
         order by g.namespace_id, g.key_hash
        on conflict (namespace_id, key_hash) do nothing
        returning run_id
        """

    private static let readKeys: SQL = """
        select k.namespace_id, k.key_hash, k.request_hash, k.run_id
          from skein.run_key k join unnest($1, $2) as g (namespace_id, key_hash) using (namespace_id, key_hash)
        """

    private static let takeBackKeys: SQL = """
        delete from skein.run_key k using unnest($1, $2) as g (namespace_id, key_hash)
         where k.namespace_id = g.namespace_id and k.key_hash = g.key_hash
        """

    private static let readMade: SQL = """
        select m.run_id, v.version
          from (select run_id, version_id from skein.run where run_id = any ($1)
                union all
                select run_id, version_id from skein.ended_run where run_id = any ($1)) as m
          join skein.workflow_version v using (version_id)
        """

    private static let readEnded: SQL = "select run_id from skein.ended_run where run_id = any ($1) limit 1"

    /// Accepts runs. The answers are aligned with the requests; when this returns, what was accepted is durable.
    ///
    /// Safe to repeat with the same keys, or the same tickets, when the outcome is unknown. An attempt whose server is still at it can make a
    /// repetition fail with `uniqueViolation`: it is to be tried once more.
    ///
    /// - Parameter note: is told what the new runs have left to do, once they are committed.
    public func submit(
        _ requests: [SubmitRequest], on connection: PostgresConnection, note: (FoldReport) -> Void = { _ in }
    ) async throws(PostgresError) -> [SubmitAnswer] {
        let result = try await connection.transaction { @Sendable db throws(PostgresError) in
            try self.submitLocked(requests, on: db)
        }
        note(result.fold.report)
        return result.finished(by: self)
    }

    private func submitLocked(
        _ requests: [SubmitRequest], on db: isolated PostgresConnection
    ) throws(PostgresError) -> SubmitResult {
        let answers = try db.pipeline([
            ("select skein.now()", []),
            (
                Self.resolve,
                [
                    .int32Array(requests.indices.map { Int32(clamping: $0) }), .textArray(requests.map(\.namespace)),
                    .textArray(requests.map(\.workflow)), .int32Array(requests.map { $0.version.map { Int32(clamping: $0) } }),
                ]
            ),
        ])
        let now = Timestamp(microseconds: answers[0][0].timestamp(0))
        var resolved: [Int: VersionID?] = [:]
        for row in answers[1] { resolved[Int(row.int32(0))] = .some(row.int64OrNull(1).map { VersionID($0) }) }
        let versions = try programs.load(resolved.values.compactMap { $0 }, on: db)

        var result = SubmitResult(answers: requests.map { _ in .unknownWorkflow }, fold: FoldResult(generation: frames.generation))
        var candidates: [Candidate] = []
        var random = SystemRandomNumberGenerator()
        for (place, request) in requests.enumerated() {
            guard let found = resolved[place] else { continue }
            guard let id = found, let loaded = versions[id] else {
                if request.version != nil { result.answers[place] = .unknownVersion }
                continue
            }
            switch loaded {
            case .failure(let unusable): result.answers[place] = .unusable(unusable.description)
            case .success(let version):
                if let violations = version.inputSchema?.validate(request.input.value), !violations.isEmpty {
                    result.answers[place] = .invalidInput(violations)
                    continue
                }
                let earlier = request.ticket?.runID
                let run = earlier ?? RunID(.version7(unixMilliseconds: now.microseconds / 1000, random: &random))
                request.ticket?.runID = run
                candidates.append(Candidate(place: place, request: request, version: version, runID: run, isRepeated: earlier != nil))
            }
        }
        try takeKeys(&candidates, &result, on: db)
        let repeated = try takeMade(&candidates, &result, on: db)

        var changes = ChangeSet()
        var report = FoldReport()
        var folds = try begin(candidates.map(\.newRun), now: now, on: db)
        try decideTree(&folds, &changes, &report, now: now, on: db)
        let refused = Dictionary(report.refused, uniquingKeysWith: { first, _ in first })
        folds.removeAll { refused[$0.change.id] != nil }
        for candidate in candidates {
            result.answers[candidate.place] =
                refused[candidate.runID].map { .unusable("the run could not be started: \($0)") }
                ?? .accepted(candidate.runID, version: candidate.version.number, isReplay: false)
        }
        let runs = folds.map(\.change)
        result.fold.folds = folds
        result.fold.count(runs, changes)
        var statements = changes.statements(for: runs, now: now)
        let unused = candidates.filter { $0.request.key != nil && refused[$0.runID] != nil }
        if !unused.isEmpty {
            statements.append((Self.takeBackKeys, [.int32Array(unused.map(\.version.namespaceID)), .bytesArray(unused.map(\.keyHash))]))
        }
        if !repeated.isEmpty {
            // What an earlier attempt has committed since it was looked for is in the way of these, unless it has ended meanwhile.
            _ = try db.pipeline(statements)
            statements = []
            guard try db.query(Self.readEnded, [.uuidArray(repeated.map(\.pair))]).isEmpty else {
                throw PostgresError(code: .server, sqlState: .serializationFailure, message: "An earlier attempt has made the run meanwhile.")
            }
        }
        _ = try db.pipelineAndCommit(statements, notifying: result.fold.report.tasksReady > 0 ? tasksNotice : nil)
        return result
    }

    // Answers for runs that an earlier attempt has made; gives those that have to be made again, under the same ids.
    private func takeMade(
        _ candidates: inout [Candidate], _ result: inout SubmitResult, on db: isolated PostgresConnection
    ) throws(PostgresError) -> [RunID] {
        let repeated = candidates.filter(\.isRepeated).map(\.runID)
        guard !repeated.isEmpty else { return [] }
        var made: [RunID: Int] = [:]
        for row in try db.query(Self.readMade, [.uuidArray(repeated.map(\.pair))]) { made[RunID(row.uuid(0))] = Int(row.int32(1)) }
        candidates.removeAll { candidate in
            guard candidate.isRepeated, let version = made[candidate.runID] else { return false }
            result.answers[candidate.place] = .accepted(candidate.runID, version: version, isReplay: false)
            return true
        }
        return repeated.filter { made[$0] == nil }
    }

    // Keys are taken in one order, so that two submits with the same keys wait for each other instead of deadlocking.
    private func takeKeys(
        _ candidates: inout [Candidate], _ result: inout SubmitResult, on db: isolated PostgresConnection
    ) throws(PostgresError) {
        let keyed = candidates.filter { $0.request.key != nil }
        guard !keyed.isEmpty else { return }
        let namespaces: Parameter = .int32Array(keyed.map(\.version.namespaceID))
        let hashes: Parameter = .bytesArray(keyed.map(\.keyHash))
        let answers = try db.pipeline([
            (
                Self.takeKeys,
                [namespaces, hashes, .bytesArray(keyed.map(\.requestHash)), .uuidArray(keyed.map(\.runID.pair))]
            ),
            (Self.readKeys, [namespaces, hashes]),
        ])
        let taken = Set(answers[0].map { RunID($0.uuid(0)) })
        var owners: [OwnedKey: (RunID, [UInt8])] = [:]
        for row in answers[1] {
            owners[OwnedKey(namespaceID: row.int32(0), hash: row.bytes(1))] = (RunID(row.uuid(3)), row.bytes(2))
        }
        candidates.removeAll { candidate in
            guard candidate.request.key != nil, !taken.contains(candidate.runID) else { return false }
            guard let owner = owners[OwnedKey(namespaceID: candidate.version.namespaceID, hash: candidate.keyHash)] else { return true }
            result.answers[candidate.place] =
                owner.1 == candidate.requestHash
                ? .accepted(owner.0, version: candidate.version.number, isReplay: true) : .keyConflict(owner.0)
            return true
        }
    }
}

private struct OwnedKey: Hashable {
    let namespaceID: Int32
    let hash: [UInt8]
}

private struct Candidate {
    let place: Int
    let request: SubmitRequest
    let version: LoadedVersion
    let runID: RunID
    // Whether an earlier attempt may have made the run.
    let isRepeated: Bool

    var keyHash: [UInt8] { Array(SHA256.hash(data: Array((request.key ?? "").utf8))) }

    // What was asked for, whatever the order of the input's keys.
    var requestHash: [UInt8] {
        let input = request.input.value.canonicalText
        return Array(SHA256.hash(data: Array("\(request.workflow)\n\(request.version.map(String.init) ?? "live")\n\(input)".utf8)))
    }

    var newRun: NewRun {
        NewRun(id: runID, version: version, input: request.input, trigger: request.trigger, labels: labels)
    }

    // The workflow's labels, and the request's over them.
    var labels: JSONText? {
        let own = version.program.definition.labels
        guard !own.isEmpty else { return request.labels }
        var object = JSONObject()
        for (name, value) in own.sorted(by: { $0.key < $1.key }) { object[name] = .string(value) }
        for (name, value) in request.labels?.value.objectValue?.members ?? JSONObject().members { object[name] = value }
        return JSONText(.object(object))
    }
}

/// What a submit leaves behind when its transaction has committed.
private struct SubmitResult: Sendable {
    var answers: [SubmitAnswer]
    var fold: FoldResult

    func finished(by store: RunStore) -> [SubmitAnswer] {
        _ = fold.finished(by: store)
        return answers
    }
}
