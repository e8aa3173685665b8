// The typed accessors of a row: one-dimensional arrays.

extension Row {
    /// A `boolean[]`.
    public func boolArray(_ column: Int) -> [Bool?] {
        array(column, of: [TypeOID.boolArray], "[Bool?]") { $0[0] != 0 }
    }

    /// A `smallint[]`.
    public func int16Array(_ column: Int) -> [Int16?] {
        array(column, of: [TypeOID.int2Array], "[Int16?]") { $0.bigEndian(Int16.self) }
    }

    /// An `integer[]`.
    public func int32Array(_ column: Int) -> [Int32?] {
        array(column, of: [TypeOID.int4Array], "[Int32?]") { $0.bigEndian(Int32.self) }
    }

    /// A `bigint[]`.
    public func int64Array(_ column: Int) -> [Int64?] {
        array(column, of: [TypeOID.int8Array], "[Int64?]") { $0.bigEndian(Int64.self) }
    }

    /// A `double precision[]`.
    public func doubleArray(_ column: Int) -> [Double?] {
        array(column, of: [TypeOID.float8Array], "[Double?]") { Double(bitPattern: $0.bigEndian(UInt64.self)) }
    }

    /// A `text[]`, `varchar[]` or `name[]`.
    public func textArray(_ column: Int) -> [String?] {
        array(column, of: [TypeOID.textArray, TypeOID.varcharArray, TypeOID.nameArray], "[String?]") {
            String(decoding: $0, as: UTF8.self)
        }
    }

    /// A `bytea[]`.
    public func bytesArray(_ column: Int) -> [[UInt8]?] {
        array(column, of: [TypeOID.byteaArray], "[[UInt8]?]") { Array($0) }
    }

    /// A `uuid[]`.
    public func uuidArray(_ column: Int) -> [UUIDPair?] {
        array(column, of: [TypeOID.uuidArray], "[UUIDPair?]") {
            UUIDPair(high: $0.bigEndian(UInt64.self), low: $0.bigEndian(UInt64.self, at: 8))
        }
    }

    /// A `timestamptz[]`, in microseconds since 1970-01-01 UTC.
    public func timestampArray(_ column: Int) -> [Int64?] {
        array(column, of: [TypeOID.timestamptzArray], "an array of timestamps") { TimestampEpoch.fromPostgres($0.bigEndian(Int64.self)) }
    }

    private func array<Element>(
        _ column: Int, of types: [UInt32], _ wanted: String, _ element: (UnsafeRawBufferPointer) -> Element
    ) -> [Element?] {
        value(column) { bytes, type in
            guard types.contains(type) else { mismatch(column, type, wanted) }
            let dimensions = bytes.bigEndian(Int32.self)
            if dimensions == 0 { return [] }
            precondition(
                dimensions == 1, "Column \(column) (\(name(of: column))) is an array of \(dimensions) dimensions; only one is read.")
            let count = Int(bytes.bigEndian(Int32.self, at: 12))
            var elements: [Element?] = []
            elements.reserveCapacity(count)
            var offset = 20
            for _ in 0..<count {
                let length = Int(bytes.bigEndian(Int32.self, at: offset))
                offset += 4
                if length < 0 {
                    elements.append(nil)
                } else {
                    elements.append(element(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length])))
                    offset += length
                }
            }
            return elements
        }
    }
}
