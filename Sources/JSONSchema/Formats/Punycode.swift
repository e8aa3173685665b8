// Punycode (RFC 3492): labels of host names in letters of any script, written in ASCII.

enum Punycode {
    private static let base = 36
    private static let longestLabel = 256

    /// What the part after `xn--` stands for; nil where it is malformed.
    static func decoded(_ text: some Collection<UInt8>) -> [Unicode.Scalar]? {
        var bytes = Array(text)
        guard bytes.count <= longestLabel else { return nil }
        var output: [Unicode.Scalar] = []
        if let hyphen = bytes.lastIndex(of: 0x2D) {
            output = bytes[..<hyphen].map { Unicode.Scalar($0) }
            bytes.removeFirst(hyphen + 1)
        }
        guard output.allSatisfy(\.isASCII) else { return nil }
        var codePoint = 128
        var index = 0
        var bias = 72
        var position = 0
        while position < bytes.count {
            let before = index
            var weight = 1
            var k = base
            while true {
                guard position < bytes.count, let digit = value(of: bytes[position]) else { return nil }
                position += 1
                index += digit * weight
                let threshold = min(max(k - bias, 1), 26)
                if digit < threshold { break }
                weight *= base - threshold
                guard weight < 1 << 40, index < 1 << 40 else { return nil }
                k += base
            }
            bias = adapted(index - before, count: output.count + 1, isFirst: before == 0)
            codePoint += index / (output.count + 1)
            index %= output.count + 1
            guard codePoint <= 0x10FFFF, let scalar = Unicode.Scalar(UInt32(codePoint)) else { return nil }
            output.insert(scalar, at: index)
            index += 1
        }
        return output
    }

    /// The part after `xn--` that stands for `scalars`.
    static func encoded(_ scalars: [Unicode.Scalar]) -> [UInt8]? {
        guard scalars.count <= longestLabel else { return nil }
        var output = scalars.filter(\.isASCII).map { UInt8($0.value) }
        let basic = output.count
        if basic > 0 { output.append(0x2D) }
        var handled = basic
        var codePoint = 128
        var delta = 0
        var bias = 72
        while handled < scalars.count {
            guard let next = scalars.lazy.map({ Int($0.value) }).filter({ $0 >= codePoint }).min() else { return nil }
            delta += (next - codePoint) * (handled + 1)
            codePoint = next
            for scalar in scalars {
                if scalar.value < codePoint { delta += 1 }
                guard scalar.value == codePoint else { continue }
                var rest = delta
                var k = base
                while true {
                    let threshold = min(max(k - bias, 1), 26)
                    if rest < threshold { break }
                    output.append(digit(threshold + (rest - threshold) % (base - threshold)))
                    rest = (rest - threshold) / (base - threshold)
                    k += base
                }
                output.append(digit(rest))
                bias = adapted(delta, count: handled + 1, isFirst: handled == basic)
                delta = 0
                handled += 1
            }
            delta += 1
            codePoint += 1
        }
        return output
    }

    private static func adapted(_ delta: Int, count: Int, isFirst: Bool) -> Int {
        var delta = isFirst ? delta / 700 : delta / 2
        delta += delta / count
        var k = 0
        while delta > 455 {
            delta /= base - 1
            k += base
        }
        return k + base * delta / (delta + 38)
    }

    private static func value(of byte: UInt8) -> Int? {
        switch byte {
        case 0x30...0x39: Int(byte) - 0x30 + 26
        case 0x41...0x5A: Int(byte) - 0x41
        case 0x61...0x7A: Int(byte) - 0x61
        default: nil
        }
    }

    private static func digit(_ value: Int) -> UInt8 { UInt8(value < 26 ? value + 0x61 : value - 26 + 0x30) }
}
