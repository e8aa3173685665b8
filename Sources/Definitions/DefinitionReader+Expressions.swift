// Expressions and templates: what they may say, and which names they may use, depends on where they stand.

import Expressions
import WorkflowModel

extension DefinitionReader {
    /// The most broken expressions of one text that are reported: each costs another look at the whole text.
    private static let brokenLimit = 8

    // MARK: Templates

    /// A template: any value whose texts may hold expressions.
    mutating func template(_ field: Field, _ place: ExpressionPlace) -> JSONValue? {
        if source != nil { checkTemplate(field, place) }
        return field.node.json
    }

    private mutating func checkTemplate(_ field: Field, _ place: ExpressionPlace) {
        switch field.node.content {
        case .scalar(.string(let text)): check(field, text, place)
        case .scalar: break
        case .sequence(let nodes):
            for (index, node) in nodes.enumerated() { checkTemplate(field.element(index, node), place) }
        case .mapping(let members):
            for member in members {
                if member.key.contains("${{") {
                    reportKey(
                        .misplacedExpression, "keys are never evaluated", member, in: field.path,
                        fix: "write the whole mapping as one expression: ${{ {name: value} }}")
                }
                checkTemplate(field.member(member), place)
            }
        }
    }

    /// Checks one text of a template.
    mutating func check(_ field: Field, _ text: String, _ place: ExpressionPlace) {
        guard source != nil, text.contains("${{") else { return }
        var rounds = Self.brokenLimit
        check(field, Array(text.utf8)[...], place, &rounds)
    }

    // A broken expression ends the compilation; what stands in front of it and behind it is looked at by itself.
    private mutating func check(_ field: Field, _ bytes: ArraySlice<UInt8>, _ place: ExpressionPlace, _ rounds: inout Int) {
        var rest = bytes
        while !rest.isEmpty, rounds > 0, let broken = checkPart(field, rest, place) {
            rounds -= 1
            report(broken.error, at: broken.offset, in: field)
            var opening = broken.offset
            while opening > rest.startIndex, rest[opening - 1] <= 0x20 { opening -= 1 }
            check(field, rest[rest.startIndex..<max(rest.startIndex, opening - 3)], place, &rounds)
            let end = min(rest.endIndex, broken.offset + broken.error.source.utf8.count)
            rest = rest[end...].drop { $0 != 0x7D }.dropFirst(2)
        }
    }

    // Checks a text up to its first broken expression, of which the answer is the error and where the expression stands.
    private mutating func checkPart(
        _ field: Field, _ bytes: ArraySlice<UInt8>, _ place: ExpressionPlace
    ) -> (error: ExpressionError, offset: Int)? {
        do throws(ExpressionError) {
            let template = try CompiledTemplate(.string(String(decoding: bytes, as: UTF8.self)))
            for located in template.expressions {
                check(located.expression, at: bytes.startIndex + located.offset, in: field, place, expecting: .anything)
            }
            return nil
        } catch {
            return (error, bytes.startIndex + error.textOffset)
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
        report(
            .constantCondition, "this condition is always \(value)", at: field,
            fix: value ? "leave it out" : "remove the step, or make the condition depend on data")
    }

    // MARK: Collections

    /// What gives the items of a loop: one expression, bare or in `${{ }}`, or a list that may hold some. The result is a template.
    mutating func collection(_ field: Field, _ place: ExpressionPlace) -> JSONValue? {
        if field.elements != nil { return template(field, place) }
        guard let text = field.string else {
            var fix = "for example ${{ input.items }}"
            if case .scalar(.int(let count)) = field.node.content { fix = "to count, write range(\(count))" }
            wrongType(field, expected: "an expression that gives a list, or a list", fix: fix)
            return nil
        }
        guard source != nil else { return .string(text) }
        guard let bare = self.expression(text, field, place, expecting: .collection) else { return nil }
        return .string("${{ \(bare) }}")
    }

    // Checks a text that is one expression. The result is its bare source.
    private mutating func expression(
        _ text: String, _ field: Field, _ place: ExpressionPlace, expecting: NameCheck.Expectation
    ) -> String? {
        do throws(ExpressionError) {
            let bare = try bareExpression(text)
            let offset = bareOffset(text)
            guard bare.utf8.contains(where: { $0 > 0x20 }) else {
                report(.expressionSyntax, "the expression is empty", at: field, fix: "write one")
                return nil
            }
            do throws(ExpressionError) {
                check(try CompiledExpression(bare), at: offset, in: field, place, expecting: expecting)
            } catch {
                report(error, at: offset, in: field)
                return nil
            }
            return bare
        } catch {
            report(error, at: error.textOffset, in: field)
            return nil
        }
    }

    // MARK: One expression

    private mutating func report(_ error: ExpressionError, at start: Int, in field: Field) {
        let code: DiagnosticCode
        switch error.kind {
        case .syntax: code = .expressionSyntax
        case .unknownName, .arity: code = .unknownFunction
        case .type: code = .expressionType
        case .evaluation: code = .invalidConstant
        case .limit: code = .expressionTooLarge
        }
        let fix: String
        switch error.kind {
        case .syntax:
            fix = error.source.isEmpty ? "write an expression between ${{ and }}" : "an expression is CEL; a literal ${{ is written $${{"
        case .unknownName, .arity: fix = "see the functions of the language reference"
        case .type: fix = "compare or convert: size(x) > 0, string(x)"
        case .evaluation: fix = "correct the constant"
        case .limit: fix = "compute parts of it in `set` steps"
        }
        report(code, error.message, atByte: start + error.offset, length: 1, in: field, fix: fix)
    }

    mutating func report(
        _ code: DiagnosticCode, _ message: @autoclosure () -> String, atByte offset: Int, length: Int, in field: Field, fix: String?
    ) {
        guard !bag.isFull, let source else { return }
        let position = ScalarPositions.position(ofByte: offset, in: field.node, source)
        bag.add(Diagnostic(code: code, message: message(), path: field.path.text, position: position, length: length, fix: fix))
    }

    private mutating func check(
        _ expression: CompiledExpression, at start: Int, in field: Field, _ place: ExpressionPlace, expecting: NameCheck.Expectation
    ) {
        // Names are checked below, with words for the place; here every name passes.
        let names = NameCheck(roots: expression.references.map(\.root))
        for problem in names.problems(in: expression, expecting: expecting) { report(problem, at: start, in: field) }
        for reference in expression.references { check(reference, of: expression, at: start, in: field, place) }
        for offset in IntegerDivision.offsets(in: expression.source) {
            report(
                .integerDivision, "both sides are whole numbers, so the remainder is dropped", atByte: start + offset, length: 1, in: field,
                fix: "write one of them with a point: 1.0 / 2")
        }
    }
}
