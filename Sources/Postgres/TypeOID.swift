// The object identifiers of the built-in types that this client speaks. They are part of PostgreSQL's catalogue and never change.

enum TypeOID {
    static let unspecified: UInt32 = 0
    static let bool: UInt32 = 16
    static let bytea: UInt32 = 17
    static let char: UInt32 = 18
    static let name: UInt32 = 19
    static let int8: UInt32 = 20
    static let int2: UInt32 = 21
    static let int4: UInt32 = 23
    static let text: UInt32 = 25
    static let oid: UInt32 = 26
    static let json: UInt32 = 114
    static let xml: UInt32 = 142
    static let float4: UInt32 = 700
    static let float8: UInt32 = 701
    static let unknown: UInt32 = 705
    static let bpchar: UInt32 = 1042
    static let varchar: UInt32 = 1043
    static let timestamp: UInt32 = 1114
    static let timestamptz: UInt32 = 1184
    static let numeric: UInt32 = 1700
    static let void: UInt32 = 2278
    static let uuid: UInt32 = 2950
    static let jsonb: UInt32 = 3802
    static let xid8: UInt32 = 5069

    /// Types made in a database, such as enums, are numbered from here.
    static let firstUserDefined: UInt32 = 16384

    static let boolArray: UInt32 = 1000
    static let byteaArray: UInt32 = 1001
    static let nameArray: UInt32 = 1003
    static let int2Array: UInt32 = 1005
    static let int4Array: UInt32 = 1007
    static let textArray: UInt32 = 1009
    static let varcharArray: UInt32 = 1015
    static let int8Array: UInt32 = 1016
    static let float8Array: UInt32 = 1022
    static let timestamptzArray: UInt32 = 1185
    static let uuidArray: UInt32 = 2951
}

/// PostgreSQL counts microseconds from 2000-01-01; we count from 1970-01-01.
enum TimestampEpoch {
    private static let offset: Int64 = 946_684_800_000_000

    /// Infinities stay what they are; times too early to be said are the earliest one.
    static func toPostgres(_ microsecondsSinceUnixEpoch: Int64) -> Int64 {
        if microsecondsSinceUnixEpoch == .max { return .max }
        let (shifted, overflow) = microsecondsSinceUnixEpoch.subtractingReportingOverflow(offset)
        return overflow ? .min : shifted
    }

    static func fromPostgres(_ microsecondsSince2000: Int64) -> Int64 {
        if microsecondsSince2000 == .min { return .min }
        let (shifted, overflow) = microsecondsSince2000.addingReportingOverflow(offset)
        return overflow ? .max : shifted
    }
}
