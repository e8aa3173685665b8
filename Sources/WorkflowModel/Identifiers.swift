// The identifiers of the product as types: nothing in the package passes an id around as a string or a bare number.

/// Sixteen bytes in the layout of RFC 9562, compared and hashed as bytes.
///
/// The package's own type, so that the pure floors need no Foundation and an id costs no allocation.
public struct UUIDBytes: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The first eight bytes, big-endian.
    public let high: UInt64
    /// The last eight bytes, big-endian.
    public let low: UInt64

    /// An id from its two halves.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Parses the 36-character form `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`, in either case. Anything else is nil.
    public init?(_ text: some StringProtocol) {
        var high: UInt64 = 0
        var low: UInt64 = 0
        var digits = 0
        var position = 0
        for byte in text.utf8 {
            if position == 8 || position == 13 || position == 18 || position == 23 {
                guard byte == 0x2D else { return nil }
            } else {
                let digit: UInt64
                switch byte {
                case 0x30...0x39: digit = UInt64(byte - 0x30)
                case 0x41...0x46: digit = UInt64(byte - 0x41 + 10)
                case 0x61...0x66: digit = UInt64(byte - 0x61 + 10)
                default: return nil
                }
                if digits < 16 { high = high << 4 | digit } else { low = low << 4 | digit }
                digits += 1
            }
            position += 1
        }
        guard position == 36, digits == 32 else { return nil }
        self.init(high: high, low: low)
    }

    /// A version 7 id: the Unix time in milliseconds in front, 74 random bits behind. Sorts by time of creation.
    ///
    /// - Parameters:
    ///   - unixMilliseconds: the moment it is made; 48 bits are kept.
    ///   - random: the source of the random bits.
    public static func version7(unixMilliseconds: Int64, random: inout some RandomNumberGenerator) -> UUIDBytes {
        let high = UInt64(truncatingIfNeeded: unixMilliseconds) << 16 | 0x7000 | (random.next() & 0x0FFF)
        let low = 0x8000_0000_0000_0000 | (random.next() & 0x3FFF_FFFF_FFFF_FFFF)
        return UUIDBytes(high: high, low: low)
    }

    /// A version 4 id: 122 random bits.
    public static func version4(random: inout some RandomNumberGenerator) -> UUIDBytes {
        let high = (random.next() & 0xFFFF_FFFF_FFFF_0FFF) | 0x4000
        let low = 0x8000_0000_0000_0000 | (random.next() & 0x3FFF_FFFF_FFFF_FFFF)
        return UUIDBytes(high: high, low: low)
    }

    /// The lower-case 36-character form.
    public var description: String {
        String(unsafeUninitializedCapacity: 36) { buffer in
            var position = 0
            func put(_ value: UInt64, digits: Int) {
                for place in stride(from: (digits - 1) * 4, through: 0, by: -4) {
                    let digit = UInt8(truncatingIfNeeded: value >> UInt64(place)) & 0xF
                    buffer[position] = digit < 10 ? 0x30 + digit : 0x57 + digit
                    position += 1
                }
            }
            func dash() {
                buffer[position] = 0x2D
                position += 1
            }
            put(high >> 32, digits: 8)
            dash()
            put(high >> 16, digits: 4)
            dash()
            put(high, digits: 4)
            dash()
            put(low >> 48, digits: 4)
            dash()
            put(low, digits: 12)
            return 36
        }
    }

    /// Byte order, which for version 7 is the order of creation.
    public static func < (left: UUIDBytes, right: UUIDBytes) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

/// One execution of a workflow. A UUIDv7, so runs sort by the time they were submitted.
public struct RunID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The bytes of the id.
    public let uuid: UUIDBytes

    /// Wraps the bytes of an id.
    public init(_ uuid: UUIDBytes) { self.uuid = uuid }

    /// Parses the 36-character form.
    public init?(_ text: some StringProtocol) {
        guard let uuid = UUIDBytes(text) else { return nil }
        self.uuid = uuid
    }

    /// The lower-case 36-character form.
    public var description: String { uuid.description }

    /// The order of submission.
    public static func < (left: RunID, right: RunID) -> Bool { left.uuid < right.uuid }
}

/// One life of one worker process. Random for each registration, never derived from a host name; a dead session stays dead.
public struct SessionID: Sendable, Hashable, CustomStringConvertible {
    /// The number that the database gave the session.
    public let rawValue: Int64

    /// Wraps the number of a session.
    public init(_ rawValue: Int64) { self.rawValue = rawValue }

    /// The number in decimal.
    public var description: String { String(rawValue) }
}

/// The row of an attempt in a queue. A step that is retried, or the next step of a sequence, may keep the row: the fence tells them apart.
public struct TaskID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The number that the database gave the task.
    public let rawValue: Int64

    /// Wraps the number of a task.
    public init(_ rawValue: Int64) { self.rawValue = rawValue }

    /// The number in decimal.
    public var description: String { String(rawValue) }

    /// The order in which tasks were made.
    public static func < (left: TaskID, right: TaskID) -> Bool { left.rawValue < right.rawValue }
}

/// Proof of a lease: unique, and rising over all leases ever granted, also across a failover (timeline × 2^40 + sequence).
public struct Fence: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The number itself.
    public let rawValue: Int64

    /// Wraps the number of a fence.
    public init(_ rawValue: Int64) { self.rawValue = rawValue }

    /// The number in decimal.
    public var description: String { String(rawValue) }

    /// The order of granting.
    public static func < (left: Fence, right: Fence) -> Bool { left.rawValue < right.rawValue }
}

/// One immutable version of a workflow's definition, as the database numbers them over all workflows.
public struct VersionID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The number that the database gave the version.
    public let rawValue: Int64

    /// Wraps the number of a version.
    public init(_ rawValue: Int64) { self.rawValue = rawValue }

    /// The number in decimal.
    public var description: String { String(rawValue) }

    /// The order of registration.
    public static func < (left: VersionID, right: VersionID) -> Bool { left.rawValue < right.rawValue }
}

/// The name of a step instance within its run: `review[17].score`, `enrich.legal.check`. Unique per run, stable over attempts.
public struct StepPath: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The path as it is stored and shown.
    public let text: String

    /// A path from its text.
    public init(_ text: String) { self.text = text }

    /// The path of the step `id` inside this block instance.
    public func child(_ id: String) -> StepPath { StepPath(text + "." + id) }

    /// The path as it is stored and shown.
    public var description: String { text }

    /// Code-unit order.
    public static func < (left: StepPath, right: StepPath) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }
}
