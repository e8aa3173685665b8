// Commands that ask the database itself: migrate, doctor, keys.

import Foundation
package import Postgres
import Schema

extension CommandFailure {
    /// What a failed statement means to whoever typed the command.
    package init(_ error: PostgresError) {
        let text = Console.printable(error.debugDescription)
        switch error.code {
        case .connectionFailed, .connectionLost, .connectionClosed, .answerTimeout, .poolTimeout, .poolClosed:
            self.init(
                .unreachable, "the database cannot be reached", fix: "check --database-url, and that the server runs", details: [text])
        case .invalidConfiguration:
            self.init(.usage, "the database's address cannot be read", fix: "write postgresql://USER@HOST:PORT/DATABASE", details: [text])
        case .server where error.sqlState == .undefinedTable || error.sqlState == .undefinedFunction || error.sqlState == .unknownSchema:
            self.init(.conflict, "the database lacks what this release needs", fix: "run `skein migrate`")
        case .server, .statementOutdated, .cancelled, .transactionAborted, .protocolViolation:
            self.init(.unexpected, "the database refused", details: [text])
        }
    }
}

/// PostgreSQL's version for people.
package enum DatabaseVersion {
    /// `15.18` from 150018.
    package static func text(_ number: Int32) -> String { "\(number / 10_000).\(number % 10_000)" }
}

/// A short life of a connection for one command.
package enum Database {
    /// Connects, does the work, and closes; failures of the database become failures of the command.
    package static func use<Result: Sendable>(
        _ url: String, _ work: (PostgresConnection) async throws -> Result
    ) async throws -> Result {
        do {
            let connection = try await PostgresConnection.connect(PostgresConfiguration(url, applicationName: "skein"))
            do {
                let result = try await work(connection)
                await connection.close()
                return result
            } catch {
                await connection.close()
                throw error
            }
        } catch let error as PostgresError {
            throw CommandFailure(error)
        } catch let error as MigrationError {
            switch error {
            case .database(let cause): throw CommandFailure(cause)
            case .failed, .checksumChanged, .newerDatabase, .olderDatabase, .missingFunctions, .malformed, .busy:
                throw CommandFailure(.conflict, Console.printable(error.description), details: [Console.printable(error.debugDescription)])
            }
        }
    }
}
