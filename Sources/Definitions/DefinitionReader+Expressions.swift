// Expressions and templates: what they may say, and which names they may use, depends on where they stand.

import Expressions
import WorkflowModel

extension DefinitionReader {
    /// The most broken expressions of one text that are reported: each costs another look at the whole text.
    private static let brokenLimit = 8

    // MARK: Templates

    /// A template: any value whose texts may hold expressions.
    mutating func template(_ field: Field, _ place: ExpressionPlace) -> JSONValue? { typedTemplate(field, place).json }

    /// A template, and the type of what it gives.
    mutating func typedTemplate(_ field: Field, _ place: ExpressionPlace) -> TypedValue {
        TypedValue(json: field.node.json, type: source == nil ? .anything : checkTemplate(field, place))
    }

    private mutating func checkTemplate(_ field: Field, _ place: ExpressionPlace) -> StaticType {
        switch field.node.content {
        case .scalar(.string(let text)): return check(field, text, place)
        case .scalar(let value): return StaticType(constant: value)
        case .sequence(let nodes):
            var elements: [StaticType] = []
            for (index, node) in nodes.enumerated() { elements.append(checkTemplate(field.element(index, node), place)) }
            return elements.isEmpty ? .list(.anything) : .list(.union(elements))
        case .mapping(let members):
            var properties: [ObjectType.Property] = []
            for member in members {
                if member.key.contains("${{") {
                    reportKey(
                        .misplacedExpression, "keys are never evaluated", member, in: field.path,
                        fix: "write the whole mapping as one expression: ${{ {name: value} }}")
                }
                properties.append(ObjectType.Property(member.key, checkTemplate(field.member(member), place)))
            }
            return .object(ObjectType(properties, others: nil))
        }
    }

    /// Checks one text of a template. The result is the type of what it gives.
    @discardableResult
    mutating func check(_ field: Field, _ text: String, _ place: ExpressionPlace) -> StaticType {
        guard source != nil, text.contains("${{") else { return .strings([text]) }
        var rounds = Self.brokenLimit
        return check(field, Array(text.utf8)[...], place, &rounds) ?? .anything
    }

    // A broken expression ends the compilation; what stands in front of it and behind it is looked at by itself.
    // The result is the type where none is broken.
    @discardableResult
    private mutating func check(
        _ field: Field, _ bytes: ArraySlice<UInt8>, _ place: ExpressionPlace, _ rounds: inout Int
    ) -> StaticType? {
        var rest = bytes
        while !rest.isEmpty, rounds > 0 {
            let broken: (error: ExpressionError, offset: Int)
            switch checkPart(field, rest, place) {
            case .whole(let type): return rest.startIndex == bytes.startIndex ? type : nil
            case .broken(let error, let offset): broken = (error, offset)
            }
            rounds -= 1
            report(broken.error, at: broken.offset, in: field)
            var opening = broken.offset
            while opening > rest.startIndex, rest[opening - 1] <= 0x20 { opening -= 1 }
            check(field, rest[rest.startIndex..<max(rest.startIndex, opening - 3)], place, &rounds)
            let end = min(rest.endIndex, broken.offset + broken.error.source.utf8.count)
            rest = rest[end...].drop { $0 != 0x7D }.dropFirst(2)
        }
        return nil
    }

    private enum CheckedPart {
        // Everything could be compiled.
        case whole(StaticType)
        // The error of an expression, and where the expression stands.
        case broken(ExpressionError, offset: Int)
    }

    // Checks a text up to its first broken expression.
    private mutating func checkPart(_ field: Field, _ bytes: ArraySlice<UInt8>, _ place: ExpressionPlace) -> CheckedPart {
        do throws(ExpressionError) {
            let template = try CompiledTemplate(.string(String(decoding: bytes, as: UTF8.self)))
            let checked = typeCheck(of: template.references, place).check(template)
            for finding in checked.findings { report(finding, at: bytes.startIndex + finding.error.textOffset, in: field) }
            for located in template.expressions { checkNames(located.expression, at: bytes.startIndex + located.offset, in: field, place) }
            return .whole(checked.type)
        } catch {
            return .broken(error, offset: bytes.startIndex + error.textOffset)
        }
    }

    // MARK: Conditions

    /// An expression that says yes or no, with or without `${{ }}`. The result is its bare source.
    mutating func condition(_ field: Field, _ place: ExpressionPlace) -> String? {
        switch field.node.content {
        case .scalar(.string(let text)):
            guard source != nil else { return text }
            return condition(text, field, place)
        case .scalar(.bool(let value)):
            warnConstant(value, field)
            return String(value)
        case .scalar(.null), .scalar(.array), .scalar(.object), .sequence, .mapping:
            wrongType(field, expected: "a condition such as input.ready == true")
        case .scalar(.int), .scalar(.double):
            report(
                .expressionType, "a condition must be a boolean, and \(field.node.text) is a number", at: field,
                fix: "compare it: size(input.items) > 0")
        }
        return nil
    }

    private mutating func condition(_ text: String, _ field: Field, _ place: ExpressionPlace) -> String? {
        do throws(ExpressionError) {
            let bare = try bareExpression(text)
            let offset = bareOffset(text)
            guard bare.utf8.contains(where: { $0 > 0x20 }) else {
                report(.expressionSyntax, "the condition is empty", at: field, fix: "leave it out, or write one")
                return nil
            }
            let expression: CompiledExpression
            do throws(ExpressionError) { expression = try CompiledExpression(bare) } catch {
                report(error, at: offset, in: field)
                return nil
            }
            let before = bag.errorCount
            check(expression, at: offset, in: field, place, expecting: .boolean)
            if expression.isConstant, bag.errorCount == before, let value = try? expression.evaluateCondition(Scope()) {
                warnConstant(value, field)
            }
            return bare
        } catch {
            report(error, at: error.textOffset, in: field)
            return nil
        }
    }

    // Where the expression begins that `bareExpression` found.
    private func bareOffset(_ text: String) -> Int {
        let bytes = Array(text.utf8)
        var offset = bytes.firstIndex { $0 > 0x20 } ?? 0
        guard bytes[offset...].starts(with: "${{".utf8) else { return 0 }
        offset += 3
        while offset < bytes.count, bytes[offset] <= 0x20 { offset += 1 }
        return offset
    }

    private mutating func warnConstant(_ value: Bool, _ field: Field) {
        var fix = value ? "leave it out" : "remove the step, or make the condition depend on data"
        if case .key(_, let key) = field.path {
            // A loop that only `breakIf` or its bound ends may say so.
            if (key == "while" && value) || (key == "until" && !value) { return }
            if key == "while" { fix = "remove the step: its loop never runs" }
            if key == "until" { fix = "remove `until`: its loop runs once" }
            if key == "breakIf" { fix = value ? "remove the loop: it ends after its first iteration" : "leave it out" }
        }
        report(.constantCondition, "this condition is always \(value)", at: field, fix: fix)
    }

    // MARK: Collections

    /// What gives the items of a loop: one expression, bare or in `${{ }}`, or a list that may hold some. The result is a template.
    mutating func collection(_ field: Field, _ place: ExpressionPlace) -> TypedValue? {
        if field.elements != nil { return typedTemplate(field, place) }
        guard let text = field.string else {
            var fix = "for example ${{ input.items }}"
            if case .scalar(.int(let count)) = field.node.content { fix = "to count, write range(\(count))" }
            wrongType(field, expected: "an expression that gives a list, or a list", fix: fix)
            return nil
        }
        guard source != nil else { return TypedValue(json: .string(text), type: .anything) }
        guard let (bare, type) = expression(text, field, place, expecting: .collection) else { return nil }
        return TypedValue(json: .string("${{ \(bare) }}"), type: type)
    }

    // Checks a text that is one expression. The result is its bare source, and its type.
    private mutating func expression(
        _ text: String, _ field: Field, _ place: ExpressionPlace, expecting: TypeCheck.Expectation
    ) -> (source: String, type: StaticType)? {
        do throws(ExpressionError) {
            let bare = try bareExpression(text)
            let offset = bareOffset(text)
            guard bare.utf8.contains(where: { $0 > 0x20 }) else {
                report(.expressionSyntax, "the expression is empty", at: field, fix: "write one")
                return nil
            }
            do throws(ExpressionError) {
                return (bare, check(try CompiledExpression(bare), at: offset, in: field, place, expecting: expecting))
            } catch {
                report(error, at: offset, in: field)
                return nil
            }
        } catch {
            report(error, at: error.textOffset, in: field)
            return nil
        }
    }

    // MARK: One expression

    private mutating func report(_ finding: ExpressionFinding, at start: Int, in field: Field) {
        let error = finding.error
        // The way out has a place of its own.
        let meant = finding.suggestion.map { "did you mean \"\($0)\"?" }
        let message = meant.map { error.message.replacing(" (\($0))", with: "") } ?? error.message
        switch (finding.severity, error.kind) {
        case (.warning, _):
            report(
                .doubtfulExpression, message, atByte: start + error.offset, length: error.wordLength, in: field,
                fix: meant ?? (error.kind == .type ? "compare with something that it can be" : "correct it, or leave it out"))
        case (.error, .unknownField):
            report(
                .unknownMember, message, atByte: start + error.offset, length: error.wordLength, in: field,
                fix: meant ?? "see the schema, or read what may be absent with .?\(error.word).orValue(…)")
        case (.error, .type):
            // What comes after the semicolon is the way out.
            let parts = message.split(separator: "; ", maxSplits: 1)
            report(error, parts.first.map(String.init) ?? message, fix: parts.count > 1 ? String(parts[1]) : nil, at: start, in: field)
        case (.error, _): report(error, message, fix: error.kind == .unknownName ? meant : nil, at: start, in: field)
        }
    }

    private mutating func report(_ error: ExpressionError, at start: Int, in field: Field) {
        report(error, error.message, fix: nil, at: start, in: field)
    }

    private mutating func report(_ error: ExpressionError, _ message: String, fix given: String?, at start: Int, in field: Field) {
        let code: DiagnosticCode
        switch error.kind {
        case .syntax: code = .expressionSyntax
        case .unknownName, .arity: code = .unknownFunction
        case .unknownField: code = .unknownMember
        case .type: code = .expressionType
        case .evaluation: code = .invalidConstant
        case .limit: code = .expressionTooLarge
        }
        let fix: String
        switch error.kind {
        case .syntax:
            fix = error.source.isEmpty ? "write an expression between ${{ and }}" : "an expression is CEL; a literal ${{ is written $${{"
        case .unknownName, .arity: fix = "see the functions of the language reference"
        case .unknownField: fix = "see the schema"
        case .type: fix = "compare or convert: size(x) > 0, string(x)"
        case .evaluation: fix = "correct the constant"
        case .limit: fix = "compute parts of it in `set` steps"
        }
        report(code, message, atByte: start + error.offset, length: 1, in: field, fix: given ?? fix)
    }

    mutating func report(
        _ code: DiagnosticCode, _ message: @autoclosure () -> String, atByte offset: Int, length: Int, in field: Field, fix: String?
    ) {
        guard !bag.isFull, let source else { return }
        let position = ScalarPositions.position(ofByte: offset, in: field.node, source)
        bag.add(Diagnostic(code: code, message: message(), path: field.path.text, position: position, length: length, fix: fix))
    }

    @discardableResult
    private mutating func check(
        _ expression: CompiledExpression, at start: Int, in field: Field, _ place: ExpressionPlace, expecting: TypeCheck.Expectation
    ) -> StaticType {
        let checked = typeCheck(of: expression.references, place).check(expression, expecting: expecting)
        for finding in checked.findings { report(finding, at: start, in: field) }
        checkNames(expression, at: start, in: field, place)
        return checked.type
    }

    // Names are checked with words for the place, and whether there can be a value by then.
    private mutating func checkNames(_ expression: CompiledExpression, at start: Int, in field: Field, _ place: ExpressionPlace) {
        for reference in expression.references { check(reference, of: expression, at: start, in: field, place) }
        for offset in IntegerDivision.offsets(in: expression.source) {
            report(
                .integerDivision, "both sides are whole numbers, so the remainder is dropped", atByte: start + offset, length: 1, in: field,
                fix: "write one of them with a point: 1.0 / 2")
        }
    }
}
