// Runs, their steps, attempts and history. Pages are found by primary keys, so that a page of a large run costs what one of a small run costs.

package import Postgres
public import WorkflowModel

/// Which runs a list shows.
public struct RunFilter: Sendable, Hashable {
    /// Only runs of this workflow.
    public var workflow: String?
    /// Only runs with one of these statuses.
    public var statuses: [RunStatus]?
    /// Only runs submitted at this moment or later.
    public var since: Timestamp?

    /// Which runs a list shows; what is not given does not matter.
    public init(workflow: String? = nil, statuses: [RunStatus]? = nil, since: Timestamp? = nil) {
        self.workflow = workflow
        self.statuses = statuses
        self.since = since
    }
}

/// How far a run is: two equal marks mean that nothing has changed in between.
public enum RunMark: Sendable, Hashable {
    /// The run is live.
    case live(revision: Int64, historyLength: Int32, isCancelling: Bool)
    /// The run has ended, or there never was one.
    case gone
}

extension RunReader {
    /// Runs, the newest first.
    public func runs(in namespace: String, matching filter: RunFilter, limit: Int, after: [String]?) async throws -> ReadPage {
        let limit = Self.bounded(limit)
        let wanted = filter.statuses ?? RunStatus.allCases
        let living = wanted.filter { !$0.isEnding }.map(\.rawValue)
        let ended = wanted.filter(\.isEnding).map(\.rawValue)
        return try await page(
            filter.workflow == nil ? Self.listRuns : Self.listRunsOfWorkflow,
            [
                .text(namespace), .textOrNull(filter.workflow), .timestampOrNull(filter.since?.microseconds),
                .uuidOrNull(after?.first.flatMap { UUIDBytes($0) }.map(\.pair)), .textArray(living), .textArray(ended),
                .bool(filter.statuses == nil), .int32(Int32(limit + 1)),
            ], limit: limit)
    }

    // The ids of the page come from the two primary keys; only the rows of the page go through the view (`offset 0`: joined freely, the view
    // would be made of all runs first, 455 ms with 100,000 steps).
    private static let listRuns = list(
        """
          (select r.run_id from skein.run r, place p where r.namespace_id = p.namespace_id and \(isWantedLive) order by r.run_id desc limit $8)
          union all
          (select r.run_id from skein.ended_run r, place p where r.namespace_id = p.namespace_id and \(isWantedEnded) order by r.run_id desc limit $8)
        """)

    // The same for each version of one workflow: among the runs of all it would look through those of the others. Their indexes are for those who
    // say that a version's id is positive (migration 0005).
    private static let listRunsOfWorkflow = list(
        """
          (select k.run_id from place p cross join unnest(p.versions) as v (version_id) cross join lateral (
                    select r.run_id from skein.run r where r.version_id = v.version_id and r.version_id > 0 and \(isWantedLive) order by r.run_id desc limit $8) as k
            order by k.run_id desc limit $8)
          union all
          (select k.run_id from place p cross join unnest(p.versions) as v (version_id) cross join lateral (
                    select r.run_id from skein.ended_run r where r.version_id = v.version_id and r.version_id > 0 and \(isWantedEnded) order by r.run_id desc limit $8) as k
            order by k.run_id desc limit $8)
        """)

    private static let isInRange = "($3::timestamptz is null or r.run_id >= p.oldest) and ($4::uuid is null or r.run_id < $4)"
    private static let isWantedLive =
        isInRange
        + " and cardinality($5::text[]) > 0 and ($7 or (select v.status from skein.run_overview v where v.run_id = r.run_id limit 1) = any ($5))"
    private static let isWantedEnded = isInRange + " and cardinality($6::text[]) > 0 and ($7 or r.status = any ($6::skein.ending[]))"

    private static func list(_ candidates: String) -> SQL {
        SQL(
            """
            with place as (
              select n.namespace_id,
                     array(select v.version_id from skein.workflow_version v where v.namespace_id = n.namespace_id and v.name = $2::text) as versions,
                     case when $3::timestamptz is not null then skein.first_run_id($3) end as oldest
                from skein.namespace n where n.name = $1),
            candidate as (
            \(candidates)
              order by run_id desc limit $8)
            select to_json(v)::text, v.run_id::text
              from candidate c cross join lateral (select * from skein.run_overview o where o.run_id = c.run_id offset 0) as v
             order by v.run_id desc
            """)
    }

    /// One run with its input, output and error.
    public func run(_ id: RunID, in namespace: String) async throws -> JSONText? {
        try await object(
            """
            select to_json(x)::text
              from (select v.*, coalesce(r.input, e.input)::json as input, e.output::json as output, e.failure::json as error,
                     (select json_agg(json_build_object('run_id', t.run_id, 'workflow', t.workflow, 'trigger', t.trigger, 'status', t.status) order by t.run_id)
                        from skein.run_overview t where t.source_run_id = v.run_id) as triggered,
                     (select json_agg(json_build_object('step', d.path, 'workflow', d.workflow, 'error', d.failure::json) order by d.letter_id)
                        from skein.dead_letter d where d.run_id = v.run_id) as letters,
                     (select count(*) from skein.step s where s.run_id = v.run_id) as steps_settled
                      from skein.run_overview v
                      left join skein.run r on r.run_id = $1
                      left join skein.ended_run e on e.run_id = $1
                     where v.run_id = $1 and v.namespace = $2) as x
            """, [.uuid(id.pair), .text(namespace)])
    }

    /// Whether the run is there, and whether it has ended; nil when there is none.
    public func hasEnded(_ id: RunID, in namespace: String) async throws -> Bool? {
        try await rows(
            """
            select e.is_ended
              from (select run_id, namespace_id, false as is_ended from skein.run where run_id = $1
                    union all select run_id, namespace_id, true from skein.ended_run where run_id = $1) as e
              join skein.namespace n using (namespace_id) where n.name = $2
            """, [.uuid(id.pair), .text(namespace)]
        ).first?.bool(0)
    }

    /// Where runs stand, aligned with the ids.
    public func marks(of runs: [RunID]) async throws -> [RunMark] {
        let rows = try await rows(
            """
            select r.revision, r.history_length, r.cancel_requested_at is not null
              from unnest($1) with ordinality as g (run_id, place) left join skein.run r on r.run_id = g.run_id order by g.place
            """, [.uuidArray(runs.map(\.pair))])
        return rows.map { row in
            guard let revision = row.int64OrNull(0) else { return .gone }
            return .live(revision: revision, historyLength: row.int32(1), isCancelling: row.bool(2))
        }
    }

    /// Orders a run to be cancelled.
    ///
    /// - Returns: `cancelling`, or the ending of a run that has ended; nil when there is no such run.
    public func cancel(_ id: RunID, reason: String?, in namespace: String) async throws -> String? {
        try await rows(
            """
            select skein.cancel(r.run_id, $3)
              from (select run_id, namespace_id from skein.run where run_id = $1
                    union all select run_id, namespace_id from skein.ended_run where run_id = $1) as r
              join skein.namespace n using (namespace_id) where n.name = $2 limit 1
            """, [.uuid(id.pair), .text(namespace), .textOrNull(reason)]
        ).first?.text(0)
    }
}

// MARK: - Inside a run

extension RunReader {
    // What a page of steps may weigh; a single larger step is a page of its own.
    private static let pageBytes = 4 << 20

    // What is left out where nobody asked for it: it may be large.
    private static let briefStep = """
        (select to_json(b) from (
           select v.run_id, v.step, v.verb, v.status, v.wait_reason, v.attempt, v.losses, v.started_at, v.finished_at, v.duration_seconds,
                  v.worker, v.error, v.fence, v.seq, v.next_attempt_at) as b)
        """

    /// The steps of a run that have started or settled, by path. A page ends early where its steps are large.
    ///
    /// - Parameter isBrief: leaves out inputs, outputs and details.
    public func steps(of run: RunID, isBrief: Bool = false, limit: Int, after: [String]?) async throws -> ReadPage {
        let limit = Self.bounded(limit)
        let rows = try await rows(
            SQL(
                """
                with candidate as (
                  (select path from skein.step where run_id = $1 and ($2::text is null or path > $2) order by path limit $3)
                  union
                  (select path from skein.task where run_id = $1 and ($2::text is null or path > $2) order by path limit $3)
                  union
                  (select path from skein.live_step where run_id = $1 and ($2::text is null or path > $2) order by path limit $3)
                  order by path limit $3),
                shown as (
                  select \(isBrief ? Self.briefStep : "to_json(v)")::text as json, v.step, row_number() over (order by v.step) as place
                    from candidate c cross join lateral (select * from skein.step_overview o where o.run_id = $1 and o.step = c.path limit 1) as v),
                weighed as (
                  select *, count(*) over () as total, sum(octet_length(json)) over (order by place) as bytes from shown)
                select json, step, place < total from weighed where place < $3 and (place = 1 or bytes <= $4) order by place
                """), [.uuid(run.pair), .textOrNull(after?.first), .int32(Int32(limit + 1)), .int64(Int64(Self.pageBytes))])
        let items = rows.map { row in JSONText(trusted: row.text(0)) }
        guard let last = rows.last, last.bool(2) else { return ReadPage(items: items, next: nil) }
        return ReadPage(items: items, next: [last.text(1)])
    }

    /// Whether the step has started or settled.
    public func hasStep(_ path: StepPath, of run: RunID) async throws -> Bool {
        try await !rows(
            "select 1 from skein.step_overview where run_id = $1 and step = $2 limit 1", [.uuid(run.pair), .text(path.text)]
        ).isEmpty
    }

    /// The attempts of a run, or of one step of it, by step and in the order of their leases.
    public func attempts(of run: RunID, step: StepPath?, limit: Int, after: [String]?) async throws -> ReadPage {
        let limit = Self.bounded(limit)
        let place = after.flatMap { after in after.count == 2 ? Int64(after[1]).map { (after[0], $0) } : nil }
        return try await page(
            """
            with candidate as (
              (select path, fence from skein.step
                where run_id = $1 and fence is not null and ($2::text is null or path = $2) and ($3::text is null or (path, fence) > ($3, $4))
                order by path, fence limit $5)
              union
              (select path, fence from skein.attempt
                where run_id = $1 and ($2::text is null or path = $2) and ($3::text is null or (path, fence) > ($3, $4))
                order by path, fence limit $5)
              union
              (select path, fence from skein.task
                where run_id = $1 and fence is not null and state in ('leased', 'settled') and ($2::text is null or path = $2)
                  and ($3::text is null or (path, fence) > ($3, $4))
                order by path, fence limit $5)
              order by path, fence limit $5)
            select to_json(v)::text, v.step, v.fence::text
              from candidate c
             cross join lateral (select * from skein.attempt_overview o where o.run_id = $1 and o.step = c.path and o.fence = c.fence limit 1) as v
             order by v.step, v.fence
            """,
            [.uuid(run.pair), .textOrNull(step?.text), .textOrNull(place?.0), .int64OrNull(place?.1), .int32(Int32(limit + 1))],
            limit: limit)
    }

    /// What happened to a run, in order, after the event with the number `after`.
    public func history(of run: RunID, limit: Int, after: [String]?) async throws -> ReadPage {
        let limit = Self.bounded(limit)
        return try await page(
            "select to_json(v)::text, v.seq::text, v.event from skein.history_overview v where v.run_id = $1 and v.seq > $2 and v.seq > 0 order by v.seq limit $3",
            [.uuid(run.pair), .int32(after?.first.flatMap { Int32($0) } ?? 0), .int32(Int32(limit + 1))], limit: limit)
    }

    /// What follows in a run's history after a number: whoever follows a run asks this over and over, so it must not read the run's whole
    /// history (`step_history` and `attempt_history` are the indexes for it, and for those who say that numbers are positive: migration 0005).
    package static let eventsAfter: SQL =
        "select to_json(v)::text, v.seq, v.event from skein.history_overview v where v.run_id = $1 and v.seq > $2 and v.seq > 0 order by v.seq limit $3"

    /// One thing that happened to a run.
    public struct Event: Sendable {
        /// Its number in the run's history.
        public let sequence: Int32
        /// What happened: `step_succeeded`, `run_cancelled`, ….
        public let name: String
        /// The row of the history.
        public let body: JSONText

        /// Whether nothing can come after it.
        public var isEnding: Bool { RunStatus.allCases.contains { $0.isEnding && "run_\($0.rawValue)" == name } }
    }

    /// What happened to a run after the event with the number `after`.
    public func events(of run: RunID, after: Int32, limit: Int) async throws -> [Event] {
        try await rows(Self.eventsAfter, [.uuid(run.pair), .int32(after), .int32(Int32(Self.bounded(limit)))]).map { row in
            Event(sequence: row.int32(1), name: row.text(2), body: JSONText(trusted: row.text(0)))
        }
    }
}

extension UUIDBytes {
    fileprivate var pair: UUIDPair { UUIDPair(high: high, low: low) }
}
