// The types of names, as far as the file says them: of the input, of steps' outputs, of items of loops.

import Expressions
import WorkflowModel

/// A template that was read, and the type of what it gives.
struct TypedValue {
    let json: JSONValue
    let type: StaticType
}

extension DefinitionReader {
    /// The check of an expression: every name that it mentions, with what is known of its type.
    ///
    /// Whether a name exists, and whether there can be a value by then, is checked elsewhere, with words for the place.
    func typeCheck(of references: [Reference], _ place: ExpressionPlace) -> TypeCheck {
        var check = TypeCheck([:])
        var steps: [String: StaticType] = [:]
        for reference in references {
            if reference.root == "steps" {
                guard let id = reference.path.first else { continue }
                let type = steps[id] ?? place.steps?.type(ofStep: id) ?? .anything
                steps[id] = reference.path.count > 1 ? type.naming(reference.path[1]) : type
            } else if reference.root == "run" {
                let type = check["run"] ?? type(ofName: "run", place)
                check["run"] = reference.path.first.map { type.naming($0) } ?? type
            } else if check[reference.root] == nil {
                check[reference.root] = type(ofName: reference.root, place)
            }
        }
        if references.contains(where: { $0.root == "steps" }) {
            check["steps"] = .object(
                ObjectType(steps.sorted { $0.key < $1.key }.map { ObjectType.Property($0.key, $0.value) }, others: .anything))
        }
        return check
    }

    private func type(ofName name: String, _ place: ExpressionPlace) -> StaticType {
        if let type = place.surroundings.types[name] { return type }
        switch place.kind {
        case .run:
            if name == "run" { return Self.runType }
            if name == "result", place.extra.contains(name) { return place.resultType }
            return name == "input" ? inputType : .anything
        case .chain: return name == "input" ? inputType : .anything
        case .agent, .agentSuccess: return .anything
        }
    }

    // What is always there; the rest may be anything.
    private static let runType: StaticType = .open([
        "id": .string, "workflow": .string, "version": .int, "startedAt": .union([.string, .null]),
        "scheduledAt": .union([.string, .null]),
        "attempt": .int, "depth": .int, "parent": .union([.string, .null]), "trigger": .string, "now": .string,
    ])

    /// The type of a step's output, from what the file says of it.
    func outputType(of step: Step, mapping: StaticType?, answer: StaticType, value: StaticType?) -> StaticType {
        if case .catch = step.onError { return .anything }
        if case .catch = step.onTimeout { return .anything }
        let single: StaticType
        if let mapping {
            single = mapping
        } else {
            switch step.verb {
            case .agent: single = answer
            // One that nobody waits for gives only what was started.
            case .workflow(let call): single = call.isAwaited ? answer : .anything
            case .set: single = value ?? .anything
            case .block, .parallel, .switch, .await, .approve, .sleep, .emit, .validate, .fail, .succeed: single = .anything
            }
        }
        guard let loop = step.loop else { return single }
        switch loop.collect {
        case .list: return .list(.union([single, .null]))
        case .last, .none: return .anything
        }
    }
}

extension StaticType {
    /// The type with a property of this name, of which nothing is known where it has none: whether there is one is checked elsewhere.
    fileprivate func naming(_ name: String) -> StaticType {
        guard case .object(let object) = self, object[name] == nil else { return self }
        return .object(ObjectType(object.properties + [ObjectType.Property(name, .anything)], others: object.others))
    }
}

extension StepScope {
    /// The type of `steps.ID` for a step that has settled; nil where nothing is known of it.
    fileprivate func type(ofStep id: String) -> StaticType? {
        var scope: StepScope? = self
        while let here = scope {
            if let index = here.block.index(of: id) {
                guard case .settled(let isLoop) = here.look(up: id) else { return nil }
                // A step that was skipped, or that failed where that is let pass, has null for an output.
                let output = here.block.outputs[index] ?? .anything
                var properties = [ObjectType.Property("output", isLoop ? output : .union([output, .null]))] + Self.facts
                if isLoop {
                    let element = output.elementOfCollection ?? .anything
                    properties.append(ObjectType.Property("ok", .list(element)))
                    properties.append(ObjectType.Property("failed", .list(Self.failedItem)))
                }
                return .object(ObjectType(properties, others: .anything))
            }
            scope = here.block.parent
        }
        return nil
    }

    private static let settledStatuses = StepStatus.allCases.filter(\.isSettled).map(\.rawValue)
    private static let failure: StaticType = .open([
        "type": .strings(FailureType.allCases.map(\.rawValue)), "message": .string, "code": .anything, "path": .anything,
        "attempt": .anything,
    ])
    private static let failedItem: StaticType = .open(["index": .int, "item": .anything, "error": .anything])
    private static let facts: [ObjectType.Property] = [
        ObjectType.Property("status", .strings(settledStatuses)), ObjectType.Property("attempts", .int),
        ObjectType.Property("error", .union([failure, .null])), ObjectType.Property("startedAt", .union([.string, .null])),
        ObjectType.Property("finishedAt", .string),
    ]
}
