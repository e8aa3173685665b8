// Writes the parameters of one statement into one buffer, in PostgreSQL's binary format. A connection keeps one encoder and reuses it.

/// The buffer, and the arrays that libpq wants beside it.
///
/// Pointers are handed out only after everything is written, because the buffer may move while it grows.
final class ParameterEncoder {
    private var base: UnsafeMutableRawPointer
    private var capacity: Int
    private var count = 0
    private var starts: [Int] = []
    private var lengths: [Int32] = []
    private var formats: [Int32] = []
    private var pointers: [UnsafePointer<CChar>?] = []
    /// The type of each parameter, unspecified for nulls.
    private(set) var types: [UInt32] = []

    /// A buffer that grew beyond this is given back after the statement.
    private static let keptCapacity = 1 << 20

    init() {
        capacity = 4096
        base = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit {
        base.deallocate()
    }

    /// Writes `parameters`, forgetting what was written before.
    func encode(_ parameters: [Parameter]) {
        if capacity > Self.keptCapacity {
            base.deallocate()
            capacity = 4096
            base = .allocate(byteCount: capacity, alignment: 16)
        }
        count = 0
        starts.removeAll(keepingCapacity: true)
        lengths.removeAll(keepingCapacity: true)
        types.removeAll(keepingCapacity: true)
        for parameter in parameters {
            let start = count
            let type = write(parameter)
            types.append(type)
            if type == TypeOID.unspecified {
                starts.append(-1)
                lengths.append(0)
            } else {
                starts.append(start)
                lengths.append(Int32(count - start))
            }
        }
        while formats.count < types.count { formats.append(1) }
    }

    /// Hands libpq's four arrays to `body`: values, lengths, formats, and how many there are.
    func withArrays<R>(
        _ body: (UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?, UnsafePointer<Int32>?, Int32) -> R
    ) -> R {
        pointers.removeAll(keepingCapacity: true)
        for start in starts {
            pointers.append(start < 0 ? nil : UnsafeRawPointer(base + start).assumingMemoryBound(to: CChar.self))
        }
        return pointers.withUnsafeBufferPointer { values in
            lengths.withUnsafeBufferPointer { lengths in
                formats.withUnsafeBufferPointer { formats in
                    body(values.baseAddress, lengths.baseAddress, formats.baseAddress, Int32(values.count))
                }
            }
        }
    }
}

// MARK: - Single values

extension ParameterEncoder {
    private func write(_ parameter: Parameter) -> UInt32 {
        switch parameter {
        case .null:
            return TypeOID.unspecified
        case .bool(let value):
            put(UInt8(value ? 1 : 0))
            return TypeOID.bool
        case .int16(let value):
            put(value.bigEndian)
            return TypeOID.int2
        case .int32(let value):
            put(value.bigEndian)
            return TypeOID.int4
        case .int64(let value):
            put(value.bigEndian)
            return TypeOID.int8
        case .double(let value):
            put(value.bitPattern.bigEndian)
            return TypeOID.float8
        case .text(let value):
            put(utf8: value)
            return TypeOID.text
        case .utf8(let value):
            put(bytes: value)
            return TypeOID.text
        case .bytes(let value):
            put(bytes: value)
            return TypeOID.bytea
        case .uuid(let high, let low):
            put(high.bigEndian)
            put(low.bigEndian)
            return TypeOID.uuid
        case .timestamp(let value):
            put(TimestampEpoch.toPostgres(value).bigEndian)
            return TypeOID.timestamptz
        case .boolArray(let values):
            fixedArray(values, of: TypeOID.bool, size: 1) { UInt8($0 ? 1 : 0) }
            return TypeOID.boolArray
        case .int16Array(let values):
            fixedArray(values, of: TypeOID.int2, size: 2) { $0.bigEndian }
            return TypeOID.int2Array
        case .int32Array(let values):
            fixedArray(values, of: TypeOID.int4, size: 4) { $0.bigEndian }
            return TypeOID.int4Array
        case .int64Array(let values):
            fixedArray(values, of: TypeOID.int8, size: 8) { $0.bigEndian }
            return TypeOID.int8Array
        case .doubleArray(let values):
            fixedArray(values, of: TypeOID.float8, size: 8) { $0.bitPattern.bigEndian }
            return TypeOID.float8Array
        case .timestampArray(let values):
            fixedArray(values, of: TypeOID.timestamptz, size: 8) { TimestampEpoch.toPostgres($0).bigEndian }
            return TypeOID.timestamptzArray
        case .uuidArray(let values):
            fixedArray(values, of: TypeOID.uuid, size: 16) { UUIDPair(high: $0.high.bigEndian, low: $0.low.bigEndian) }
            return TypeOID.uuidArray
        case .textArray(let values):
            textArray(values)
            return TypeOID.textArray
        case .utf8Array(let values):
            bytesArray(values, of: TypeOID.text)
            return TypeOID.textArray
        case .bytesArray(let values):
            bytesArray(values, of: TypeOID.bytea)
            return TypeOID.byteaArray
        }
    }
}

// MARK: - Arrays

extension ParameterEncoder {
    /// Dimensions (none for an empty array), whether there are nulls, the element's type, then length and lower bound of the dimension.
    private func header(count elements: Int, hasNulls: Bool, of type: UInt32) {
        put(Int32(elements == 0 ? 0 : 1).bigEndian)
        put(Int32(hasNulls ? 1 : 0).bigEndian)
        put(type.bigEndian)
        guard elements > 0 else { return }
        put(Int32(elements).bigEndian)
        put(Int32(1).bigEndian)
    }

    private func fixedArray<Element, Wire: BitwiseCopyable>(
        _ values: [Element?], of type: UInt32, size: Int, _ wire: (Element) -> Wire
    ) {
        reserve(20 + values.count * (4 + size))
        let flag = count + 4
        header(count: values.count, hasNulls: false, of: type)
        var hasNulls = false
        for value in values {
            if let value {
                putReserved(Int32(size).bigEndian)
                putReserved(wire(value))
            } else {
                hasNulls = true
                putReserved(Int32(-1))
            }
        }
        if hasNulls { base.storeBytes(of: Int32(1).bigEndian, toByteOffset: flag, as: Int32.self) }
    }

    private func textArray(_ values: [String?]) {
        header(count: values.count, hasNulls: values.contains { $0 == nil }, of: TypeOID.text)
        for value in values {
            guard let value else {
                put(Int32(-1))
                continue
            }
            let length = value.utf8.count
            reserve(4 + length)
            putReserved(Int32(length).bigEndian)
            put(utf8: value)
        }
    }

    private func bytesArray(_ values: [[UInt8]?], of type: UInt32) {
        header(count: values.count, hasNulls: values.contains { $0 == nil }, of: type)
        for value in values {
            guard let value else {
                put(Int32(-1))
                continue
            }
            reserve(4 + value.count)
            putReserved(Int32(value.count).bigEndian)
            put(bytes: value)
        }
    }
}

// MARK: - The buffer

extension ParameterEncoder {
    @inline(__always)
    private func reserve(_ more: Int) {
        if count + more > capacity { grow(to: count + more) }
    }

    private func grow(to needed: Int) {
        let larger = max(needed, capacity * 2)
        let moved = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 16)
        moved.copyMemory(from: base, byteCount: count)
        base.deallocate()
        base = moved
        capacity = larger
    }

    @inline(__always)
    private func put<Wire: BitwiseCopyable>(_ value: Wire) {
        reserve(MemoryLayout<Wire>.size)
        putReserved(value)
    }

    @inline(__always)
    private func putReserved<Wire: BitwiseCopyable>(_ value: Wire) {
        base.storeBytes(of: value, toByteOffset: count, as: Wire.self)
        count += MemoryLayout<Wire>.size
    }

    private func put(bytes: [UInt8]) {
        bytes.withUnsafeBytes { put(raw: $0) }
    }

    private func put(utf8 text: String) {
        let direct: Void? = text.utf8.withContiguousStorageIfAvailable { put(raw: UnsafeRawBufferPointer($0)) }
        if direct == nil { put(bytes: Array(text.utf8)) }
    }

    @inline(__always)
    private func put(raw: UnsafeRawBufferPointer) {
        guard let source = raw.baseAddress, raw.count > 0 else { return }
        reserve(raw.count)
        (base + count).copyMemory(from: source, byteCount: raw.count)
        count += raw.count
    }
}
