// Clusters in tests: on a database of the tests' server, or on a server of their own.

// The harness is a library, because campaigns outside the suite need it as well; every test sees it.
@_exported import Chaos
import Foundation
import Postgres
import PostgresTestKit
import Schema
import Testing

/// What the database of a cluster is like.
enum ClusterDatabase {
    /// One database of the tests' shared server, migrated.
    case shared
    /// The same, but empty.
    case unmigrated
    /// On a server of its own, which the test may stop; migrated.
    case ownServer
}

/// Runs `body` with a cluster that has no processes yet. When it throws, the logs are shown. In the end every invariant must hold.
///
/// - Parameter endsChecked: false for tests that leave no database behind, or one that is broken on purpose.
func withCluster(
    _ kind: ClusterDatabase = .shared, endsChecked: Bool = true, sourceLocation: SourceLocation = #_sourceLocation,
    _ body: (Cluster) async throws -> Void
) async throws {
    ClusterDirectories.removeLeftovers()
    let directory = try ClusterDirectories.make()
    let cluster: Cluster
    switch kind {
    case .shared, .unmigrated:
        let migrated = if case .shared = kind { true } else { false }
        let database = try await TestDatabase.create(migrated: migrated)
        cluster = Cluster(directory: directory, owner: database, databaseURL: database.url)
    case .ownServer:
        let server = try OwnServer(in: directory.appending(path: "postgres"))
        cluster = Cluster(directory: directory, server: server, databaseURL: server.url)
        let connection = try await cluster.connect()
        _ = try await Migrator.migrate(connection)
        await connection.close()
    }
    defer { cluster.dispose() }
    do {
        try await body(cluster)
        if endsChecked { try await cluster.expectClean(sourceLocation: sourceLocation) }
    } catch {
        print(cluster.shownLogs())
        throw error
    }
}

extension Cluster {
    func expectClean(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let found = try await violations()
        #expect(found.isEmpty, sourceLocation: sourceLocation)
    }
}
