// Keywords for numbers and strings.

import Patterns
import WorkflowModel

extension Evaluator {
    mutating func check(_ number: JSONNumber, _ rules: NumberRules, _ node: SchemaNode) -> Bool {
        var fits = true
        if let minimum = rules.minimum, number < minimum {
            fail(node, "minimum", "must be at least \(minimum.text)")
            fits = false
        }
        if let maximum = rules.maximum, maximum < number {
            fail(node, "maximum", "must be at most \(maximum.text)")
            fits = false
        }
        if let bound = rules.exclusiveMinimum, !(bound < number) {
            fail(node, "exclusiveMinimum", "must be greater than \(bound.text)")
            fits = false
        }
        if let bound = rules.exclusiveMaximum, !(number < bound) {
            fail(node, "exclusiveMaximum", "must be less than \(bound.text)")
            fits = false
        }
        if let divisor = rules.multipleOf, !Self.isMultiple(number, of: divisor) {
            fail(node, "multipleOf", "must be a multiple of \(divisor.number.text)")
            fits = false
        }
        return fits
    }

    private static func isMultiple(_ number: JSONNumber, of divisor: (number: JSONNumber, magnitude: DecimalMagnitude)) -> Bool {
        if case (.int(let value), .int(let by)) = (number, divisor.number) { return value % by == 0 }
        return DecimalMagnitude(number).isMultiple(of: divisor.magnitude)
    }

    mutating func check(_ text: String, _ rules: StringRules, _ node: SchemaNode) -> Bool {
        var fits = true
        if rules.minLength != nil || rules.maxLength != nil { spend(text.utf8.count / Self.bytesForAStep, at: node) }
        if let minimum = rules.minLength, Self.length(of: text, isAtLeast: minimum) == false {
            fail(node, "minLength", "must have at least \(Self.counted(minimum, "character"))")
            fits = false
        }
        if let maximum = rules.maxLength, maximum < .max, Self.length(of: text, isAtLeast: maximum + 1) {
            fail(node, "maxLength", "must have at most \(Self.counted(maximum, "character"))")
            fits = false
        }
        guard fits || goesOn else { return false }
        if let pattern = rules.pattern, !matches(text, pattern, node, "pattern") {
            fail(node, "pattern", "must match the pattern \(pattern.source)")
            fits = false
        }
        if let format = rules.format {
            spend(text.utf8.count / Self.formatBytesForAStep, at: node)
            if !format.accepts(text) {
                fail(node, "format", "must be \(format.phrase)")
                fits = false
            }
        }
        return fits
    }

    // Reading this much of a text counts as a step.
    private static let bytesForAStep = 64
    private static let formatBytesForAStep = 16
    private static let patternUnitsForAStep = 4

    /// Whether the pattern is found in `text`. A search that is given up ends the validation.
    mutating func matches(_ text: String, _ pattern: CompiledPattern, _ node: SchemaNode, _ keyword: String) -> Bool {
        spend(1 + text.utf8.count / Self.bytesForAStep, at: node)
        if isGivenUp { return false }
        // What the search does counts as steps of the validation, so that many strings cannot take long together.
        let before = remainingSteps * Self.patternUnitsForAStep
        var budget = before
        defer { spend((before - budget) / Self.patternUnitsForAStep, at: node) }
        do throws(PatternError) {
            return try pattern.pattern.matches(text, budget: &budget)
        } catch {
            giveUp("\(node.location)/\(keyword)", "matching \(subject) with the pattern \(pattern.source) takes too long")
            return false
        }
    }

    // Whether `text` has at least `count` code points. Its bytes tell mostly: a code point takes one to four.
    private static func length(of text: String, isAtLeast count: Int) -> Bool {
        let bytes = text.utf8.count
        if bytes < count { return false }
        if bytes / 4 >= count { return true }
        return text.utf8.lazy.count { $0 & 0xC0 != 0x80 } >= count
    }

    static func counted(_ count: Int, _ noun: String) -> String {
        if count == 1 { return "1 \(noun)" }
        return noun.hasSuffix("y") ? "\(count) \(noun.dropLast())ies" : "\(count) \(noun)s"
    }
}
