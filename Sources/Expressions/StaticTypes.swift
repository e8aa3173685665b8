// Types that are known without data: of literals, and of operators that give but one type.

struct StaticTypes {
    private let program: Program

    init(_ program: Program) { self.program = program }

    struct Problem {
        let message: String
        let offset: Int
    }

    func problems(expecting expectation: NameCheck.Expectation) -> [Problem] {
        var problems: [Problem] = []
        let root = program.nodes[Int(program.root)]
        if let type = type(of: program.root) {
            switch expectation {
            case .anything: break
            case .boolean:
                if type != .bool {
                    problems.append(
                        Problem(message: "a condition is a boolean, and this is always \(type.words)", offset: Int(root.offset)))
                }
            case .collection:
                if type != .list, type != .map {
                    problems.append(
                        Problem(message: "a loop goes through a list or a map, and this is always \(type.words)", offset: Int(root.offset)))
                }
            }
        }
        for index in program.nodes.indices { problems.append(contentsOf: self.problems(ofNodeAt: index)) }
        return problems
    }

    private func problems(ofNodeAt index: Int) -> [Problem] {
        let node = program.nodes[index]
        switch node.operation {
        case .and, .or:
            return (node.a..<node.a + node.b).compactMap { wrongCondition(program.operands[Int($0)].node) }
        case .conditional: return wrongCondition(node.a).map { [$0] } ?? []
        case .not:
            guard let type = type(of: node.a), type != .bool else { return [] }
            return [Problem(message: "\"!\" does not take \(type.words)", offset: Int(node.offset))]
        case .compare: return constantFailure(index, [node.a, node.b])
        case .arithmetic:
            return constantFailure(index, [node.a] + (node.b..<node.b + node.c).map { program.operands[Int($0)].node })
        case .negate: return constantFailure(index, [node.a])
        case .contains:
            guard let type = type(of: node.b), type != .list, type != .map else { return [] }
            return [Problem(message: "\"in\" looks into lists and maps, not \(type.words)", offset: Int(node.offset))]
        case .constant, .local, .path, .select, .optionalSelect, .has, .index, .optionalIndex, .list, .map, .call, .optionalOr,
            .optionalOrValue, .all, .exists, .existsOne, .transformList, .transformMap, .transformMapEntry, .filter, .sortBy, .bind,
            .optionalMap, .optionalFlatMap, .fail:
            return []
        }
    }

    private func wrongCondition(_ index: Int32) -> Problem? {
        guard let type = type(of: index), type != .bool else { return nil }
        return Problem(
            message: "a condition is a boolean, and this is always \(type.words)", offset: Int(program.nodes[Int(index)].offset))
    }

    // Operators on nothing but constants are tried.
    private func constantFailure(_ index: Int, _ operands: [Int32]) -> [Problem] {
        guard operands.allSatisfy({ program.nodes[Int($0)].operation == .constant }) else { return [] }
        var evaluator = Evaluator(program, Scope(), Meter(.standard))
        do {
            _ = try evaluator.evaluate(Int32(index))
            return []
        } catch {
            return [Problem(message: error.message, offset: max(error.offset, 0))]
        }
    }

    private func type(of index: Int32) -> TypeName? {
        let node = program.nodes[Int(index)]
        switch node.operation {
        case .constant: return program.constants[Int(node.a)].typeName
        case .list, .transformList, .filter, .sortBy: return .list
        case .map, .transformMap, .transformMapEntry: return .map
        case .and, .or, .not, .compare, .contains, .has, .all, .exists, .existsOne: return .bool
        case .optionalSelect, .optionalMap, .optionalFlatMap: return .optional
        case .call: return Function(rawValue: node.a).flatMap(type)
        case .local, .path, .select, .index, .optionalIndex, .negate, .arithmetic, .conditional, .optionalOr, .optionalOrValue, .bind,
            .fail:
            return nil
        }
    }

    // Only of functions that give one type.
    private func type(of function: Function) -> TypeName? {
        switch function {
        case .size, .toInt, .getFullYear, .getMonth, .getDate, .getDayOfMonth, .getDayOfWeek, .getDayOfYear, .getHours, .getMinutes,
            .getSeconds, .getMilliseconds, .indexOf, .lastIndexOf:
            .int
        case .contains, .startsWith, .endsWith, .matches, .toBool, .isNaN, .isInfinite, .isFinite, .setContains, .setEquivalent,
            .setIntersects, .optionalHasValue:
            .bool
        case .toUint: .uint
        case .toDouble, .average, .squareRoot: .double
        case .toString, .charAt, .lowerAscii, .upperAscii, .replace, .substring, .trim, .join, .format, .quote, .base64Encode, .jsonFormat,
            .sha256, .regexReplace:
            .string
        case .toBytes, .base64Decode: .bytes
        case .typeOf: .type
        case .toDuration: .duration
        case .toTimestamp: .timestamp
        case .split, .sort, .distinct, .flatten, .slice, .range, .keys, .values, .regexExtractAll, .optionalUnwrap: .list
        case .merge: .map
        case .first, .last, .regexExtract, .optionalOf, .optionalNone, .optionalOfNonZero: .optional
        case .toDynamic, .reverse, .greatest, .least, .ceil, .floor, .round, .truncate, .absolute, .sign, .bitAnd, .bitOr, .bitXor, .bitNot,
            .bitShiftLeft, .bitShiftRight, .sum, .minimum, .maximum, .jsonParse, .optionalValue:
            nil
        }
    }
}
