// What the tests of expressions share.

import Foundation
import Testing
import WorkflowModel

@testable import Expressions

/// Data like that of a run.
let sampleData: JSONObject = {
    let json = """
        {"input": {"tier": "gold", "subject": "Hello", "count": 3, "ratio": 0.5, "none": null, "docs": [
            {"id": "a", "kind": "x", "score": 0.25}, {"id": "b", "kind": "y", "score": 0.75}, {"id": "c", "kind": "x", "score": 0.5}]},
         "steps": {"classify": {"status": "succeeded", "output": {"label": "spam", "score": 0.93}}, "skipped": {"status": "skipped"}},
         "labels": {"content-type": "text", "a.b": 1}}
        """
    return (try? JSONValue(parsing: json))?.objectValue ?? JSONObject()
}()

/// A scope like the one a run has.
let sampleScope: Scope = {
    var scope = Scope()
    for (name, value) in sampleData.members { scope.set(name, Value(value)) }
    return scope
}()

/// The value of an expression as JSON text.
func text(_ source: String, _ scope: Scope = sampleScope, mode: NumberMode = .promoting) throws(ExpressionError) -> String {
    try CompiledExpression(source, mode: mode).evaluateJSON(scope).compactText
}

/// The error of an expression, from compiling or evaluating it; nil when there is none.
func failure(
    _ source: String, _ scope: Scope = sampleScope, limits: ExpressionLimits = .standard, mode: NumberMode = .promoting
) -> ExpressionError? {
    do {
        _ = try CompiledExpression(source, limits: limits, mode: mode).evaluateJSON(scope)
        return nil
    } catch {
        return error
    }
}

func template(_ json: String) throws -> JSONValue { try JSONValue(parsing: json) }

/// A small generator of random numbers whose seed makes a test repeatable (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// The seed of the random tests: `$SKEIN_FUZZ_SEED`, else `$SKEIN_SEED`, else a new one.
enum FuzzSeed {
    static let value: UInt64 = {
        let environment = ProcessInfo.processInfo.environment
        return (environment["SKEIN_FUZZ_SEED"] ?? environment["SKEIN_SEED"]).flatMap { UInt64($0) } ?? UInt64.random(in: 0 ... .max)
    }()
}
