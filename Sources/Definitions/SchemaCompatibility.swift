// Whether a changed schema refuses what it took before.

import WorkflowModel

/// Whether what one schema takes another one takes, too, as far as that can be read off them.
enum SchemaCompatibility {
    private static let depthLimit = 32

    /// Why something that `old` takes may be refused by `new`; nil where no reason was found.
    static func breach(from old: JSONValue, to new: JSONValue, at path: String = "", depth: Int = 0) -> String? {
        if depth > depthLimit || old == new { return nil }
        let place = path.isEmpty ? "the input" : path
        if new == .bool(false) { return "\(place) is refused whatever it is" }
        guard case .object(let after) = new else { return nil }
        let before = old.objectValue ?? JSONObject()
        let types = Self.types(before)
        if let now = Self.types(after) {
            let isTaken = types?.allSatisfy { now.contains($0) || ($0 == "integer" && now.contains("number")) } ?? false
            if !isTaken { return "\(place) must be \(Wording.either(now)) now" }
        }
        if let values = after["enum"]?.arrayValue {
            let allowed = before["enum"]?.arrayValue ?? before["const"].map { [$0] }
            if let gone = allowed?.first(where: { !values.contains($0) }) { return "\(place) may not be \(gone.compactText) any more" }
            if allowed == nil { return "\(place) must be one of \(values.count) values now" }
        }
        let wasRequired = Set(strings(before["required"]))
        if let needed = strings(after["required"]).first(where: { !wasRequired.contains($0) }) {
            return "\(join(path, needed)) is required now"
        }
        let properties = after["properties"]?.objectValue ?? JSONObject()
        let oldProperties = before["properties"]?.objectValue ?? JSONObject()
        if after["additionalProperties"] == .bool(false) {
            if let gone = oldProperties.keys.first(where: { properties[$0] == nil }) { return "\(join(path, gone)) is refused now" }
            if before["additionalProperties"] != .bool(false) { return "\(place) may have no other properties now" }
        }
        for (name, schema) in properties.members {
            // What could not be there before cannot be refused now.
            if oldProperties[name] == nil, before["additionalProperties"] == .bool(false) { continue }
            let earlier = oldProperties[name] ?? .bool(true)
            if let breach = breach(from: earlier, to: schema, at: join(path, name), depth: depth + 1) { return breach }
        }
        if let items = after["items"],
            let breach = breach(from: before["items"] ?? .bool(true), to: items, at: path + "[]", depth: depth + 1)
        {
            return breach
        }
        return bounds(before, after, place)
    }

    private static func bounds(_ before: JSONObject, _ after: JSONObject, _ place: String) -> String? {
        for key in ["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"] {
            guard let now = after[key]?.doubleValue else { continue }
            if before[key]?.doubleValue.map({ now > $0 }) ?? true { return "\(key) of \(place) is \(after[key]?.compactText ?? "") now" }
        }
        for key in ["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"] {
            guard let now = after[key]?.doubleValue else { continue }
            if before[key]?.doubleValue.map({ now < $0 }) ?? true { return "\(key) of \(place) is \(after[key]?.compactText ?? "") now" }
        }
        for key in ["pattern", "const", "multipleOf", "uniqueItems", "format"] where after[key] != nil && after[key] != before[key] {
            return "\(key) of \(place) is \(after[key]?.compactText ?? "") now"
        }
        return nil
    }

    private static func types(_ schema: JSONObject) -> [String]? {
        switch schema["type"] {
        case .string(let type)?: [type]
        case .array(let types)?: types.compactMap(\.stringValue)
        default: nil
        }
    }

    private static func strings(_ value: JSONValue?) -> [String] { value?.arrayValue?.compactMap(\.stringValue) ?? [] }

    private static func join(_ path: String, _ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }
}
