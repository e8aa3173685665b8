// Comparing strings by their bytes, fast enough for every field that is looked up.

import Foundation
import WorkflowModel

extension String {
    /// Whether both strings have the same UTF-8 bytes.
    @inline(__always)
    func isSame(as other: String) -> Bool {
        let count = utf8.count
        guard count == other.utf8.count else { return false }
        // Nested closures over stable storage; both calls succeed for every native string.
        let result = utf8.withContiguousStorageIfAvailable { mine in
            other.utf8.withContiguousStorageIfAvailable { theirs -> Bool in
                guard count > 0, let left = mine.baseAddress, let right = theirs.baseAddress else { return true }
                return memcmp(left, right, count) == 0
            }
        }
        if let result, let same = result { return same }
        return hasSameBytes(as: other)
    }
}

extension JSONObject {
    /// The value of a key from the source of an expression.
    @inline(__always)
    func member(_ key: String) -> JSONValue? {
        // Most objects are small; a large one has an index of its own.
        if count > 12 { return position(of: key).map { values[$0] } }
        for index in keys.indices where keys[index].isSame(as: key) { return values[index] }
        return nil
    }
}
