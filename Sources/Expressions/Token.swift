// The words of the language.

enum Token: Equatable {
    case end
    case identifier(String)
    // In backticks; only after a point.
    case quotedIdentifier(String)
    // The magnitude; the sign is the parser's business.
    case int(UInt64)
    case uint(UInt64)
    case double(Double)
    case string(String)
    case bytes([UInt8])
    case symbol(Symbol)

    enum Symbol: String {
        case leftParenthesis = "("
        case rightParenthesis = ")"
        case leftBracket = "["
        case rightBracket = "]"
        case leftBrace = "{"
        case rightBrace = "}"
        case point = "."
        case comma = ","
        case colon = ":"
        case question = "?"
        case not = "!"
        case plus = "+"
        case minus = "-"
        case times = "*"
        case divide = "/"
        case remainder = "%"
        case and = "&&"
        case or = "||"
        case equal = "=="
        case notEqual = "!="
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="
    }

    // As messages name it: never the content of a literal, which may be anything.
    var words: String {
        switch self {
        case .end: "the end of the expression"
        case .identifier(let name): "\"\(name)\""
        case .quotedIdentifier: "a quoted name"
        case .int, .uint, .double: "a number"
        case .string: "a string"
        case .bytes: "bytes"
        case .symbol(let symbol): "\"\(symbol.rawValue)\""
        }
    }
}
