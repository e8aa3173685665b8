// Parses a source into a tree, by precedence.

struct Parser {
    private var lexer: Lexer
    private let limits: ExpressionLimits
    private var token: Token = .end
    private var offset = 0
    private var tokens = 0
    private var depth = 0

    static func parse(_ source: String, limits: ExpressionLimits) throws(Fault) -> Syntax {
        guard source.utf8.count <= limits.sourceBytes else {
            throw Fault(kind: .limit, message: "the expression is longer than \(limits.sourceBytes) bytes", offset: 0)
        }
        var parser = Parser(lexer: Lexer(Array(source.utf8)), limits: limits)
        try parser.advance()
        if parser.token == .end { throw Fault(kind: .syntax, message: "the expression is empty", offset: 0) }
        let tree = try parser.expression()
        guard parser.token == .end else { throw parser.unexpected("an operator or the end of the expression") }
        return tree
    }

    private init(lexer: Lexer, limits: ExpressionLimits) {
        self.lexer = lexer
        self.limits = limits
    }

    private mutating func advance() throws(Fault) {
        (token, offset) = try lexer.next()
        tokens += 1
        if tokens > limits.tokens {
            throw Fault(kind: .limit, message: "the expression has more than \(limits.tokens) words and symbols", offset: offset)
        }
    }

    private func isAt(_ symbol: Token.Symbol) -> Bool {
        if case .symbol(let here) = token { here == symbol } else { false }
    }

    private mutating func skip(_ symbol: Token.Symbol) throws(Fault) -> Bool {
        guard isAt(symbol) else { return false }
        try advance()
        return true
    }

    private mutating func expect(_ symbol: Token.Symbol) throws(Fault) {
        guard try skip(symbol) else { throw unexpected("\"\(symbol.rawValue)\"") }
    }

    @inline(never)
    private func unexpected(_ wanted: String) -> Fault {
        Fault(kind: .syntax, message: "\(wanted) was expected, not \(token.words)", offset: offset)
    }

    @inline(never)
    private func node(_ kind: Syntax.Kind, _ offset: Int) throws(Fault) -> Syntax {
        let node = Syntax(kind, offset: offset)
        guard node.height <= limits.height else { throw tooDeep(offset) }
        return node
    }

    @inline(never)
    private func tooDeep(_ offset: Int) -> Fault {
        Fault(kind: .limit, message: "the expression is nested deeper than \(limits.nesting) levels", offset: offset)
    }

    private mutating func expression() throws(Fault) -> Syntax {
        depth += 1
        defer { depth -= 1 }
        guard depth <= limits.nesting else { throw tooDeep(offset) }
        let condition = try binary(.or)
        let place = offset
        guard try skip(.question) else { return condition }
        let first = try binary(.or)
        try expect(.colon)
        let second = try expression()
        return try node(.conditional(condition, first, second), place)
    }

    // How strongly operators bind, from weak to strong.
    private enum Level: Int {
        case or, and, relation, sum, product
    }

    private var level: Level? {
        switch token {
        case .identifier("in"): .relation
        case .symbol(let symbol):
            switch symbol {
            case .or: .or
            case .and: .and
            case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual: .relation
            case .plus, .minus: .sum
            case .times, .divide, .remainder: .product
            case .leftParenthesis, .rightParenthesis, .leftBracket, .rightBracket, .leftBrace, .rightBrace, .point, .comma, .colon,
                .question, .not:
                nil
            }
        case .end, .identifier, .quotedIdentifier, .int, .uint, .double, .string, .bytes: nil
        }
    }

    // Operands and the operators between them that bind at least as strongly as `minimum`.
    private mutating func binary(_ minimum: Level) throws(Fault) -> Syntax {
        var left = try prefix()
        while let level, level.rawValue >= minimum.rawValue {
            switch level {
            case .or: left = try row(left, .or, operands: .and) { .or($0) }
            case .and: left = try row(left, .and, operands: .relation) { .and($0) }
            case .relation: left = try relation(left)
            case .sum, .product: left = try arithmetic(left, level)
            }
        }
        return left
    }

    @inline(never)
    private mutating func row(
        _ first: Syntax, _ symbol: Token.Symbol, operands level: Level, _ make: ([Syntax]) -> Syntax.Kind
    ) throws(Fault) -> Syntax {
        let place = offset
        var operands = [first]
        while try skip(symbol) { operands.append(try binary(level)) }
        return try node(make(operands), place)
    }

    @inline(never)
    private mutating func relation(_ left: Syntax) throws(Fault) -> Syntax {
        let place = offset
        let comparison = comparison
        try advance()
        let right = try binary(.sum)
        return try node(comparison.map { .compare($0, left, right) } ?? .contains(element: left, collection: right), place)
    }

    // Nil for `in`.
    private var comparison: Comparison? {
        if isAt(.equal) { return .equal }
        if isAt(.notEqual) { return .notEqual }
        if isAt(.less) { return .less }
        if isAt(.lessOrEqual) { return .lessOrEqual }
        if isAt(.greater) { return .greater }
        return isAt(.greaterOrEqual) ? .greaterOrEqual : nil
    }

    @inline(never)
    private mutating func arithmetic(_ first: Syntax, _ level: Level) throws(Fault) -> Syntax {
        let start = offset
        var terms: [Syntax.Term] = []
        while self.level == level, let operation {
            let place = offset
            try advance()
            let operand = level == .sum ? try binary(.product) : try prefix()
            terms.append(Syntax.Term(operation: operation, operand: operand, offset: place))
        }
        return try node(.arithmetic(first, terms), start)
    }

    private var operation: Arithmetic? {
        if isAt(.plus) { return .add }
        if isAt(.minus) { return .subtract }
        if isAt(.times) { return .multiply }
        if isAt(.divide) { return .divide }
        return isAt(.remainder) ? .remainder : nil
    }

    // `!` and `-` in a row, of one kind. The last minus before a number belongs to the number.
    private mutating func prefix() throws(Fault) -> Syntax {
        if isAt(.not) {
            var places: [Int] = []
            while isAt(.not) {
                places.append(offset)
                try advance()
            }
            var operand = try postfix(isNegative: false)
            for place in places.reversed() { operand = try node(.not(operand), place) }
            return operand
        }
        guard isAt(.minus) else { return try postfix(isNegative: false) }
        var places: [Int] = []
        while isAt(.minus) {
            places.append(offset)
            try advance()
        }
        let isNegative =
            switch token {
            case .int, .double: true
            case .end, .identifier, .quotedIdentifier, .uint, .string, .bytes, .symbol: false
            }
        if isNegative { places.removeLast() }
        var operand = try postfix(isNegative: isNegative)
        for place in places.reversed() { operand = try node(.negate(operand), place) }
        return operand
    }

    private mutating func postfix(isNegative: Bool) throws(Fault) -> Syntax {
        var operand = try primary(isNegative: isNegative)
        while true {
            let place = offset
            if try skip(.point) {
                let isOptional = try skip(.question)
                // The name may stand in another line.
                let namePlace = offset
                let name = try selector()
                if !isOptional, isAt(.leftParenthesis) {
                    try advance()
                    operand = try node(.memberCall(operand, name, try arguments(until: .rightParenthesis)), namePlace)
                } else {
                    operand = try node(.select(operand, name, isOptional: isOptional), namePlace)
                }
            } else if try skip(.leftBracket) {
                let isOptional = try skip(.question)
                let key = try expression()
                try expect(.rightBracket)
                operand = try node(.index(operand, key, isOptional: isOptional), place)
            } else if isAt(.leftBrace), operand.isName {
                throw Fault(kind: .syntax, message: "messages cannot be made here; a map is written {'key': value}", offset: place)
            } else {
                return operand
            }
        }
    }

    // What may follow a point: reserved words too, but not the words of the grammar.
    private mutating func selector() throws(Fault) -> String {
        switch token {
        case .identifier(let name) where !Self.grammarWords.contains(name):
            try advance()
            return name
        case .quotedIdentifier(let name):
            try advance()
            return name
        case .identifier, .end, .int, .uint, .double, .string, .bytes, .symbol:
            throw unexpected("a name")
        }
    }

    private static let grammarWords: Set<String> = ["true", "false", "null", "in"]
    private static let reservedWords: Set<String> = [
        "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package", "namespace", "return",
        "var",
        "void", "while",
    ]

    @inline(never)
    private mutating func arguments(until end: Token.Symbol) throws(Fault) -> [Syntax] {
        var arguments: [Syntax] = []
        if try skip(end) { return arguments }
        repeat { arguments.append(try expression()) } while try skip(.comma)
        try expect(end)
        return arguments
    }

    private mutating func primary(isNegative: Bool) throws(Fault) -> Syntax {
        let place = offset
        switch token {
        case .int(let magnitude):
            try advance()
            if isNegative {
                guard magnitude <= UInt64(Int64.max) + 1 else { throw outOfRange(place) }
                return try node(.literal(.int(magnitude > UInt64(Int64.max) ? .min : -Int64(magnitude))), place)
            }
            guard let value = Int64(exactly: magnitude) else { throw outOfRange(place) }
            return try node(.literal(.int(value)), place)
        case .uint(let value):
            try advance()
            return try node(.literal(.uint(value)), place)
        case .double(let value):
            try advance()
            return try node(.literal(.double(isNegative ? -value : value)), place)
        case .string(let value):
            try advance()
            return try node(.literal(.string(value)), place)
        case .bytes(let value):
            try advance()
            return try node(.literal(.bytes(value)), place)
        case .identifier(let name):
            return try identifier(name, place, isAbsolute: false)
        case .symbol(.leftParenthesis):
            try advance()
            let inner = try expression()
            try expect(.rightParenthesis)
            return inner
        case .symbol(.leftBracket):
            try advance()
            return try list(place)
        case .symbol(.leftBrace):
            try advance()
            return try map(place)
        case .symbol(.point):
            try advance()
            guard case .identifier(let name) = token else { throw unexpected("a name") }
            return try identifier(name, place, isAbsolute: true)
        case .end, .quotedIdentifier, .symbol:
            throw unexpected("a value")
        }
    }

    @inline(never)
    private func outOfRange(_ place: Int) -> Fault {
        Fault(kind: .syntax, message: "the number is out of range", offset: place)
    }

    @inline(never)
    private mutating func identifier(_ name: String, _ place: Int, isAbsolute: Bool) throws(Fault) -> Syntax {
        if !isAbsolute {
            switch name {
            case "true", "false":
                try advance()
                return try node(.literal(.bool(name == "true")), place)
            case "null":
                try advance()
                return try node(.literal(.null), place)
            default: break
            }
        }
        if Self.grammarWords.contains(name) { throw unexpected("a value") }
        if Self.reservedWords.contains(name) {
            throw Fault(kind: .syntax, message: "\"\(name)\" is a reserved word and cannot be a name", offset: place)
        }
        try advance()
        guard try skip(.leftParenthesis) else { return try node(.identifier(name, isAbsolute: isAbsolute), place) }
        return try node(.call(name, try arguments(until: .rightParenthesis)), place)
    }

    @inline(never)
    private mutating func list(_ place: Int) throws(Fault) -> Syntax {
        var elements: [Syntax.Element] = []
        while !isAt(.rightBracket) {
            let isOptional = try skip(.question)
            elements.append(Syntax.Element(value: try expression(), isOptional: isOptional))
            guard try skip(.comma) else { break }
        }
        try expect(.rightBracket)
        return try node(.list(elements), place)
    }

    @inline(never)
    private mutating func map(_ place: Int) throws(Fault) -> Syntax {
        var entries: [Syntax.Entry] = []
        while !isAt(.rightBrace) {
            let isOptional = try skip(.question)
            let key = try expression()
            try expect(.colon)
            entries.append(Syntax.Entry(key: key, value: try expression(), isOptional: isOptional))
            guard try skip(.comma) else { break }
        }
        try expect(.rightBrace)
        return try node(.map(entries), place)
    }
}

extension Syntax {
    /// Whether this is a name such as `a` or `a.b.c`.
    var isName: Bool {
        switch kind {
        case .identifier: true
        case .select(let operand, _, let isOptional): !isOptional && operand.isName
        case .literal, .index, .call, .memberCall, .list, .map, .not, .negate, .arithmetic, .and, .or, .compare, .contains, .conditional:
            false
        }
    }

    /// The name with points, where this is one.
    var dottedName: String? {
        switch kind {
        case .identifier(let name, _): name
        case .select(let operand, let name, isOptional: false): operand.dottedName.map { $0 + "." + name }
        case .select, .literal, .index, .call, .memberCall, .list, .map, .not, .negate, .arithmetic, .and, .or, .compare, .contains,
            .conditional:
            nil
        }
    }
}
