// Rows of real shape, many of them, made by SQL: copies of what a run that was submitted has left in the tables.

import Postgres

extension BenchCluster {
    /// Copies a run's rows.
    ///
    /// - Parameters:
    ///   - template: the run.
    ///   - ids: a query for the ids of the new runs.
    ///   - tables: where rows are copied, and what is different in them: SQL expressions for columns, with `i.run_id` for the new id.
    func copy(_ template: String, ids: String, into tables: [(name: String, changes: [String: String])]) async throws {
        try await execute("create temp table bench_id as select g.run_id from (\(ids)) as g (run_id)")
        for (table, changes) in tables { try await execute(try await copying(table, template, changes)) }
        try await execute("drop table bench_id")
    }

    private func copying(_ table: String, _ template: String, _ changes: [String: String]) async throws -> String {
        let columns = try await connection.query(
            SQL(
                """
                select attname::text from pg_attribute
                 where attrelid = 'skein.\(table)'::regclass and attnum > 0 and not attisdropped and attname <> 'run_id' order by attnum
                """)
        ).map { $0.text(0) }
        let values = columns.map { changes[$0] ?? "t.\($0)" }
        return """
            insert into skein.\(table) (run_id, \(columns.joined(separator: ", ")))
            select i.run_id, \(values.joined(separator: ", ")) from bench_id i cross join skein.\(table) t where t.run_id = '\(template)'
            """
    }
}
