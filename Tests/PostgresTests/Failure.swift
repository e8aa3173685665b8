// The error of something that is expected to fail.

import Postgres

/// The `PostgresError` that `work` throws, nil if it throws none.
func failure<R>(_ work: () async throws -> R) async -> PostgresError? {
    do {
        _ = try await work()
        return nil
    } catch {
        return error as? PostgresError
    }
}
