// What a statement answered: rows in binary format, read in full, decoded where they lie.

import CLibPQ

/// The rows of one answer. Copying is cheap: all copies, rows and slices share the memory that libpq filled.
public struct Rows: Sendable, RandomAccessCollection {
    let storage: ResultStorage
    /// How many rows there are.
    public let count: Int
    /// How many rows the statement inserted, updated, deleted or selected; 0 for statements that count nothing.
    public let affected: Int

    init(storage: ResultStorage) {
        self.storage = storage
        count = Int(PQntuples(storage.pointer))
        affected = PQcmdTuples(storage.pointer).map { Int(String(cString: $0)) ?? 0 } ?? 0
    }

    // The command's tag without its count: `COMMIT`, `ROLLBACK`.
    var command: String { PQcmdStatus(storage.pointer).map { String(cString: $0) } ?? "" }

    /// Always 0.
    public var startIndex: Int { 0 }
    /// `count`.
    public var endIndex: Int { count }

    /// The row at `position`.
    public subscript(position: Int) -> Row {
        precondition(position >= 0 && position < count, "Row \(position) was asked for, but the answer has \(count) rows.")
        return Row(storage: storage, index: Int32(truncatingIfNeeded: position))
    }

    /// How many columns each row has.
    public var columnCount: Int { Int(PQnfields(storage.pointer)) }

    /// The names of the columns, from left to right.
    public var columnNames: [String] {
        (0..<Int32(columnCount)).map { PQfname(storage.pointer, $0).map { String(cString: $0) } ?? "" }
    }

    /// The position of the first column called `name`.
    public func column(named name: String) -> Int? {
        columnNames.firstIndex(of: name)
    }
}

/// Owns a `PGresult`.
///
/// `@unchecked Sendable` is true because nobody writes to a result after it was handed out, and libpq's accessors only read it.
final class ResultStorage: @unchecked Sendable {
    let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) {
        self.pointer = pointer
    }

    deinit {
        PQclear(pointer)
    }
}

/// One row of an answer. Columns are counted from 0.
///
/// Asking for a type that the column does not have, or for the value of a null, is a programming error and stops the process with a sentence
/// that names the column. Ask with the `…OrNull` variants where nulls are possible.
public struct Row: Sendable {
    let storage: ResultStorage
    let index: Int32

    /// Whether the value is null.
    public func isNull(_ column: Int) -> Bool {
        PQgetisnull(storage.pointer, index, checked(column)) == 1
    }

    // Every accessor goes through here: the column exists, the value is not null, and its bytes and type are handed on.
    @inline(__always)
    func value<R>(_ column: Int, _ read: (UnsafeRawBufferPointer, UInt32) -> R) -> R {
        let field = checked(column)
        let length = Int(PQgetlength(storage.pointer, index, field))
        if length == 0 && PQgetisnull(storage.pointer, index, field) == 1 {
            preconditionFailure("Column \(column) (\(name(of: column))) is null; read it with the …OrNull variant.")
        }
        defer { withExtendedLifetime(storage) {} }
        return read(
            UnsafeRawBufferPointer(start: PQgetvalue(storage.pointer, index, field), count: length), PQftype(storage.pointer, field))
    }

    @inline(__always)
    func checked(_ column: Int) -> Int32 {
        let width = PQnfields(storage.pointer)
        precondition(column >= 0 && column < Int(width), "Column \(column) was asked for, but the answer has \(width) columns.")
        return Int32(truncatingIfNeeded: column)
    }

    func name(of column: Int) -> String {
        PQfname(storage.pointer, Int32(column)).map { String(cString: $0) } ?? "?"
    }

    func mismatch(_ column: Int, _ type: UInt32, _ wanted: String) -> Never {
        preconditionFailure("Column \(column) (\(name(of: column))) has the type with OID \(type), which cannot be read as \(wanted).")
    }
}
