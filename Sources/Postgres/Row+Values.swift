// The typed accessors of a row: single values.

extension Row {
    /// A `boolean`.
    public func bool(_ column: Int) -> Bool {
        value(column) { bytes, type in
            guard type == TypeOID.bool else { mismatch(column, type, "Bool") }
            return bytes[0] != 0
        }
    }

    /// A `smallint`.
    public func int16(_ column: Int) -> Int16 {
        value(column) { bytes, type in
            guard type == TypeOID.int2 else { mismatch(column, type, "Int16") }
            return bytes.bigEndian(Int16.self)
        }
    }

    /// An `integer` or `smallint`.
    public func int32(_ column: Int) -> Int32 {
        value(column) { bytes, type in
            switch type {
            case TypeOID.int4: bytes.bigEndian(Int32.self)
            case TypeOID.int2: Int32(bytes.bigEndian(Int16.self))
            default: mismatch(column, type, "Int32")
            }
        }
    }

    /// A `bigint`, `integer`, `smallint`, `oid` or `xid8`.
    public func int64(_ column: Int) -> Int64 {
        value(column) { bytes, type in
            switch type {
            case TypeOID.int8, TypeOID.xid8: bytes.bigEndian(Int64.self)
            case TypeOID.int4: Int64(bytes.bigEndian(Int32.self))
            case TypeOID.int2: Int64(bytes.bigEndian(Int16.self))
            case TypeOID.oid: Int64(bytes.bigEndian(UInt32.self))
            case TypeOID.numeric:
                preconditionFailure(
                    "Column \(column) (\(name(of: column))) is a numeric, as sums of bigint are; cast it to bigint in the statement.")
            default: mismatch(column, type, "Int64")
            }
        }
    }

    /// A `double precision`, `real`, `numeric` (rounded to the nearest), or an integer.
    public func double(_ column: Int) -> Double {
        value(column) { bytes, type in
            switch type {
            case TypeOID.float8: Double(bitPattern: bytes.bigEndian(UInt64.self))
            case TypeOID.float4: Double(Float(bitPattern: bytes.bigEndian(UInt32.self)))
            case TypeOID.numeric: Numeric.double(bytes)
            case TypeOID.int8: Double(bytes.bigEndian(Int64.self))
            case TypeOID.int4: Double(bytes.bigEndian(Int32.self))
            case TypeOID.int2: Double(bytes.bigEndian(Int16.self))
            default: mismatch(column, type, "Double")
            }
        }
    }

    /// A `text`, `varchar`, `char`, `name`, `json`, `jsonb`, `xml`, `void`, or the label of an enum. (An enum cannot be told from other types
    /// that a database defines itself, so those are taken as text, too; cast them in the statement if they are none.)
    public func text(_ column: Int) -> String {
        withText(column) { String(decoding: $0, as: UTF8.self) }
    }

    /// The UTF-8 of what `text` would give, without making a string of it.
    public func utf8(_ column: Int) -> [UInt8] {
        withText(column) { Array($0) }
    }

    /// Hands the UTF-8 of what `text` would give to `body`, without copying. The buffer is valid inside `body` only.
    public func withText<R>(_ column: Int, _ body: (UnsafeRawBufferPointer) -> R) -> R {
        value(column) { bytes, type in
            switch type {
            case TypeOID.text, TypeOID.varchar, TypeOID.json, TypeOID.name, TypeOID.bpchar, TypeOID.char, TypeOID.unknown, TypeOID.xml,
                TypeOID.void:
                return body(bytes)
            case TypeOID.jsonb:
                precondition(bytes.first == 1, "Column \(column) has a version of jsonb's binary format that is not known here.")
                return body(UnsafeRawBufferPointer(rebasing: bytes.dropFirst()))
            case TypeOID.firstUserDefined...:
                return body(bytes)
            default:
                mismatch(column, type, "text")
            }
        }
    }

    /// A `bytea`.
    public func bytes(_ column: Int) -> [UInt8] {
        value(column) { bytes, type in
            guard type == TypeOID.bytea else { mismatch(column, type, "bytes") }
            return Array(bytes)
        }
    }

    /// A `uuid`.
    public func uuid(_ column: Int) -> UUIDPair {
        value(column) { bytes, type in
            guard type == TypeOID.uuid else { mismatch(column, type, "UUIDPair") }
            return UUIDPair(high: bytes.bigEndian(UInt64.self), low: bytes.bigEndian(UInt64.self, at: 8))
        }
    }

    /// A `timestamptz` (or a `timestamp`, taken as UTC) in microseconds since 1970-01-01 UTC.
    /// `infinity` and `-infinity` are `Int64.max` and `Int64.min`.
    public func timestamp(_ column: Int) -> Int64 {
        value(column) { bytes, type in
            guard type == TypeOID.timestamptz || type == TypeOID.timestamp else { mismatch(column, type, "a timestamp") }
            return TimestampEpoch.fromPostgres(bytes.bigEndian(Int64.self))
        }
    }
}

// MARK: - Or null

extension Row {
    /// `bool`, or nil for null.
    public func boolOrNull(_ column: Int) -> Bool? { isNull(column) ? nil : bool(column) }
    /// `int16`, or nil for null.
    public func int16OrNull(_ column: Int) -> Int16? { isNull(column) ? nil : int16(column) }
    /// `int32`, or nil for null.
    public func int32OrNull(_ column: Int) -> Int32? { isNull(column) ? nil : int32(column) }
    /// `int64`, or nil for null.
    public func int64OrNull(_ column: Int) -> Int64? { isNull(column) ? nil : int64(column) }
    /// `double`, or nil for null.
    public func doubleOrNull(_ column: Int) -> Double? { isNull(column) ? nil : double(column) }
    /// `text`, or nil for null.
    public func textOrNull(_ column: Int) -> String? { isNull(column) ? nil : text(column) }
    /// `utf8`, or nil for null.
    public func utf8OrNull(_ column: Int) -> [UInt8]? { isNull(column) ? nil : utf8(column) }
    /// `bytes`, or nil for null.
    public func bytesOrNull(_ column: Int) -> [UInt8]? { isNull(column) ? nil : bytes(column) }
    /// `uuid`, or nil for null.
    public func uuidOrNull(_ column: Int) -> UUIDPair? { isNull(column) ? nil : uuid(column) }
    /// `timestamp`, or nil for null.
    public func timestampOrNull(_ column: Int) -> Int64? { isNull(column) ? nil : timestamp(column) }
}

// MARK: - Reading bytes

extension UnsafeRawBufferPointer {
    /// The big-endian integer at `offset`.
    @inline(__always)
    func bigEndian<Integer: FixedWidthInteger & BitwiseCopyable>(_: Integer.Type, at offset: Int = 0) -> Integer {
        Integer(bigEndian: loadUnaligned(fromByteOffset: offset, as: Integer.self))
    }
}

/// The binary format of `numeric`: groups of four decimal digits.
private enum Numeric {
    static func double(_ bytes: UnsafeRawBufferPointer) -> Double {
        let groups = Int(bytes.bigEndian(UInt16.self))
        let weight = Int(bytes.bigEndian(Int16.self, at: 2))
        let sign = bytes.bigEndian(UInt16.self, at: 4)
        switch sign {
        case 0xC000: return .nan
        case 0xD000: return .infinity
        case 0xF000: return -.infinity
        default: break
        }
        // Decimal text is rounded once and correctly by the standard library; multiplying group by group would round many times.
        var text = sign == 0x4000 ? "-0" : "0"
        for group in 0..<groups {
            let digits = String(bytes.bigEndian(UInt16.self, at: 8 + 2 * group))
            text += String(repeating: "0", count: 4 - digits.count) + digits
        }
        return Double(text + "e\((weight - groups + 1) * 4)") ?? .nan
    }
}
