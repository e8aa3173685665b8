// What can go wrong between a client and the model database.

/// An error of the model database or of the way to it.
package enum ModelError: Error, Hashable, Sendable {
    /// A key is taken (23505). The table.
    case uniqueViolation(String)
    /// A row is locked, and the statement does not wait (55P03).
    case lockNotAvailable
    /// The statement waited in a circle, and was chosen to end (40P01).
    case deadlock
    /// The transaction has failed before; only a rollback helps (25P02).
    case inFailedTransaction
    /// An error that a function raised, by its code.
    case raised(String)
    /// The connection is gone. Whether what was sent has been done is unknown.
    case connectionLost
    /// The process is gone. Nobody catches this.
    case killed
}
