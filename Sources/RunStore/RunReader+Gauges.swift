// What the database holds, as numbers: one pass over the live tables for all gauges.

import Postgres

/// The depth of one queue.
public struct QueueGauge: Sendable, Hashable {
    /// The queue; that of another namespace than `default` has the namespace in front.
    public let queue: String
    /// Tasks that wait for a worker.
    public let ready: Int
    /// Tasks that a worker holds, or whose outcome waits for the fold.
    public let leased: Int
    /// Tasks that wait for their back-off.
    public let delayed: Int
    /// How long the oldest ready task has been waiting.
    public let oldestReadySeconds: Double
}

/// The gauges of a database.
public struct DatabaseGauges: Sendable {
    /// The queues.
    public var queues: [QueueGauge] = []
    /// Results that have not been folded yet.
    public var outcomesPending = 0
    /// Worker sessions by state: `alive`, `draining`, `expired`.
    public var workers: [(state: String, count: Int)] = []
    /// Runs that have not ended.
    public var liveRuns = 0
}

extension RunReader {
    private static let queueGauges: SQL = """
        select case when n.name = 'default' then q.name else n.name || '/' || q.name end,
               coalesce(d.ready, 0), coalesce(d.leased, 0), coalesce(d.delayed, 0), coalesce(d.oldest, 0)
          from skein.queue q
          join skein.namespace n using (namespace_id)
          left join (
            select queue_id,
                   count(*) filter (where state = 'ready') as ready,
                   count(*) filter (where state in ('leased', 'settled')) as leased,
                   count(*) filter (where state = 'waiting') as delayed,
                   extract(epoch from clock_timestamp() - min(ready_at) filter (where state = 'ready' and not held))::double precision as oldest
              from skein.task group by queue_id) as d using (queue_id)
        """

    /// The gauges of all namespaces.
    public func gauges() async throws -> DatabaseGauges {
        try await pool.withConnection { connection in
            let answers = try await connection.pipeline([
                (Self.queueGauges, []),
                ("select count(*) from skein.task where state = 'settled'", []),
                (
                    """
                    select case when draining then 'draining' when lease_until < clock_timestamp() then 'expired' else 'alive' end, count(*)
                      from skein.worker_session where dead_at is null group by 1
                    """, []
                ),
                ("select count(*) from skein.run", []),
            ])
            var gauges = DatabaseGauges()
            gauges.queues = answers[0].map { row in
                QueueGauge(
                    queue: row.text(0), ready: Int(row.int64(1)), leased: Int(row.int64(2)), delayed: Int(row.int64(3)),
                    oldestReadySeconds: row.double(4))
            }
            gauges.outcomesPending = Int(answers[1][0].int64(0))
            gauges.workers = answers[2].map { row in (row.text(0), Int(row.int64(1))) }
            gauges.liveRuns = Int(answers[3][0].int64(0))
            return gauges
        }
    }
}
