// The wall clock of this machine, for showing and comparing only.

import Foundation

enum Wall {
    static var microseconds: Int64 { Int64(Date().timeIntervalSince1970 * 1_000_000) }
}
