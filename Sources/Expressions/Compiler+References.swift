// Compiles names with selections into paths, and finds what an expression refers to.

import WorkflowModel

extension Compiler {
    func staticPath(_ tree: Syntax) -> (root: String, keys: [(key: String, offset: Int)], offset: Int)? {
        var keys: [(key: String, offset: Int)] = []
        var current = tree
        while true {
            switch current.kind {
            case .select(let inner, let key, isOptional: false):
                keys.append((key, current.offset))
                current = inner
            case .index(let inner, let key, isOptional: false):
                guard case .literal(.string(let text)) = key.kind else { return nil }
                keys.append((text, current.offset))
                current = inner
            case .identifier(let name, let isAbsolute):
                guard isAbsolute || slot(of: name) == nil else { return nil }
                return (name, keys.reversed(), current.offset)
            case .select, .index, .literal, .call, .memberCall, .list, .map, .not, .negate, .arithmetic, .and, .or, .compare, .contains,
                .conditional:
                return nil
            }
        }
    }

    // The longest constant path from the variable on. Selections after a computed index are not part of it.
    func reference(_ tree: Syntax, testing tested: String?) -> Reference? {
        var steps: [(key: String, isOptional: Bool)] = tested.map { [($0, true)] } ?? []
        var current = tree
        while true {
            switch current.kind {
            case .select(let inner, let key, let isOptional):
                steps.append((key, isOptional))
                current = inner
            case .index(let inner, let key, let isOptional):
                if case .literal(.string(let text)) = key.kind {
                    steps.append((text, isOptional))
                } else {
                    steps = []
                }
                current = inner
            case .identifier(let name, let isAbsolute):
                guard isAbsolute || slot(of: name) == nil else { return nil }
                steps.reverse()
                return Reference(
                    root: name, path: steps.map(\.key), requiredCount: steps.firstIndex { $0.isOptional } ?? steps.count,
                    offset: current.offset)
            case .literal, .call, .memberCall, .list, .map, .not, .negate, .arithmetic, .and, .or, .compare, .contains, .conditional:
                return nil
            }
        }
    }
}
