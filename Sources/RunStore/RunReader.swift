// What people and programs read of runs: rows of the stable views, as the JSON that PostgreSQL made of them.

public import Postgres
public import WorkflowModel

/// One page of a list.
public struct ReadPage: Sendable {
    /// The rows, each a JSON object with the names of the view's columns.
    public var items: [JSONText]
    /// Where the next page begins, as the values of the sort key; nil on the last page.
    public var next: [String]?
}

/// Reads what the API shows. Nothing is decoded on the way: PostgreSQL writes the JSON, moments in UTC.
///
/// Every method answers for one namespace: what belongs to another one does not exist for the reader.
public struct RunReader: Sendable {
    /// The most rows of one page.
    public static let largestPage = 500

    let pool: PostgresPool

    /// A reader that borrows its connections.
    public init(_ pool: PostgresPool) { self.pool = pool }

    // The time zone holds until the end of the batch's transaction, so that the session's own setting does not show in the text.
    private static let inUTC: SQL = "select set_config('TimeZone', 'UTC', true)"

    func rows(_ sql: SQL, _ parameters: [Parameter]) async throws -> Rows {
        try await pool.withConnection { connection in
            try await connection.pipeline([(Self.inUTC, []), (sql, parameters)])[1]
        }
    }

    /// The first column of the only row.
    func object(_ sql: SQL, _ parameters: [Parameter]) async throws -> JSONText? {
        try await rows(sql, parameters).first.map { row in JSONText(trusted: row.text(0)) }
    }

    /// A page from a statement that was asked for one row more than `limit`; the columns after the first are the sort key.
    func page(_ sql: SQL, _ parameters: [Parameter], limit: Int) async throws -> ReadPage {
        let rows = try await rows(sql, parameters)
        let items = rows.prefix(limit).map { row in JSONText(trusted: row.text(0)) }
        guard rows.count > limit, limit > 0 else { return ReadPage(items: items, next: nil) }
        let last = rows[limit - 1]
        return ReadPage(items: items, next: (1..<rows.columnCount).map { last.text($0) })
    }

    static func bounded(_ limit: Int) -> Int { min(max(1, limit), largestPage) }
}

// MARK: - Workflows

extension RunReader {
    /// The workflows of a namespace, by name.
    public func workflows(in namespace: String, limit: Int, after: [String]?) async throws -> ReadPage {
        let limit = Self.bounded(limit)
        return try await page(
            """
            select to_json(v)::text, v.workflow from skein.workflow_overview v
             where v.namespace = $1 and ($2::text is null or v.workflow > $2) order by v.workflow limit $3
            """, [.text(namespace), .textOrNull(after?.first), .int32(Int32(limit + 1))], limit: limit)
    }

    /// One workflow, with the definition that new runs get.
    public func workflow(_ name: String, in namespace: String) async throws -> JSONText? {
        try await object(
            """
            select to_json(x)::text
              from (select v.*, d.definition::json as definition
                      from skein.workflow_overview v
                      join skein.namespace n on n.name = v.namespace
                      join skein.workflow w on w.namespace_id = n.namespace_id and w.name = v.workflow
                      left join skein.workflow_version d on d.version_id = w.live_version_id
                     where v.namespace = $1 and v.workflow = $2) as x
            """, [.text(namespace), .text(name)])
    }

    /// The names of workflows, for suggestions: at most two thousand.
    public func workflowNames(in namespace: String) async throws -> [String] {
        try await rows(
            """
            select w.name from skein.workflow w join skein.namespace n using (namespace_id) where n.name = $1 order by w.name limit 2000
            """, [.text(namespace)]
        ).map { $0.text(0) }
    }

    /// The versions of a workflow, the newest first.
    public func versions(of name: String, in namespace: String, limit: Int, after: [String]?) async throws -> ReadPage {
        let limit = Self.bounded(limit)
        return try await page(
            """
            select to_json(v)::text, v.version::text from skein.workflow_version_overview v
             where v.namespace = $1 and v.workflow = $2 and ($3::integer is null or v.version < $3) order by v.version desc limit $4
            """, [.text(namespace), .text(name), .int32OrNull(after?.first.flatMap { Int32($0) }), .int32(Int32(limit + 1))], limit: limit)
    }

    /// One version, with its definition in the normal form and the file as it was sent.
    public func version(_ number: Int, of name: String, in namespace: String) async throws -> JSONText? {
        try await object(
            """
            select to_json(x)::text
              from (select v.*, d.definition::json as definition, d.source
                      from skein.workflow_version_overview v
                      join skein.namespace n on n.name = v.namespace
                      join skein.workflow_version d on d.namespace_id = n.namespace_id and d.name = v.workflow and d.version = v.version
                     where v.namespace = $1 and v.workflow = $2 and v.version = $3) as x
            """, [.text(namespace), .text(name), .int32(Int32(clamping: number))])
    }
}

// MARK: - The fleet

extension RunReader {
    /// The agents that live versions name, with the workflows that name them.
    public func agents(in namespace: String) async throws -> ReadPage {
        try await page(
            """
            select to_json(x)::text, x.agent
              from (select a.key as agent, a.value ->> 'kind' as kind, array_agg(w.name order by w.name) as workflows
                      from skein.workflow w
                      join skein.namespace n using (namespace_id)
                      join skein.workflow_version v on v.version_id = w.live_version_id
                     cross join lateral jsonb_each(coalesce(v.definition::jsonb -> 'agents', '{}')) as a
                     where n.name = $1 group by a.key, a.value ->> 'kind') as x
             order by x.agent, x.kind
            """, [.text(namespace)], limit: .max)
    }

    /// Worker sessions, the newest first. Without `statuses`, those that are not dead.
    public func workers(in namespace: String, statuses: [String]?, limit: Int, after: [String]?) async throws -> ReadPage {
        let limit = Self.bounded(limit)
        return try await page(
            """
            select to_json(v)::text, v.session_id::text from skein.worker_overview v
             where v.namespace = $1 and case when $2::text[] is null then v.dead_at is null else v.status = any ($2) end
               and ($3::bigint is null or v.session_id < $3)
             order by v.session_id desc limit $4
            """,
            [
                .text(namespace), statuses.map { .textArray($0) } ?? .null, .int64OrNull(after?.first.flatMap { Int64($0) }),
                .int32(Int32(limit + 1)),
            ], limit: limit)
    }

    /// The queues of a namespace, with what is in them and who serves them.
    public func queues(in namespace: String) async throws -> ReadPage {
        try await page(
            "select to_json(v)::text, v.queue from skein.queue_depth v where v.namespace = $1 order by v.queue", [.text(namespace)],
            limit: .max)
    }
}
