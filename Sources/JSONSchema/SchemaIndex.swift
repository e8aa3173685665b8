// Where things are in schema documents: resources by URI, anchors, and which resource a place belongs to.

import WorkflowModel

/// A place in one of the documents. Pointers are compared byte by byte.
struct SchemaLocation: Hashable, Sendable {
    let document: Int
    let pointer: KeyBytes

    func child(_ token: String) -> SchemaLocation {
        SchemaLocation(document: document, pointer: KeyBytes("\(pointer.text)/\(JSONPointer.escaped(token))"))
    }
}

/// A schema with an identity of its own: the root of a document, or a subschema with `$id`.
struct SchemaResource: Sendable {
    let uri: URIReference
    let location: SchemaLocation
    let value: JSONValue
    let dialect: Dialect
    /// `$anchor` and `$dynamicAnchor` alike.
    var anchors: [KeyBytes: SchemaLocation] = [:]
    var dynamicAnchors: [KeyBytes: SchemaLocation] = [:]
}

/// The documents that have been looked into so far. Document 0 is the schema itself.
struct SchemaIndex {
    private(set) var resources: [SchemaResource] = []
    private var documentNames: [String] = []
    private var documentRoots: [JSONValue] = []
    private var resourceByURI: [KeyBytes: Int] = [:]
    private var resourceAt: [SchemaLocation: Int] = [:]
    private var bundled: [KeyBytes: JSONValue] = [:]
    private var dialects: [KeyBytes: Dialect] = [:]
    private let limits: SchemaLimits
    /// The subschemas of the schema itself, in order: all of them are compiled, used or not, so that mistakes show early.
    private(set) var ownSubschemas: [(location: SchemaLocation, value: JSONValue)] = []
    // The subschemas that were found so far, each with its resource.
    private var known: [SchemaLocation: Int] = [:]

    init(_ schema: JSONValue, documents: [String: JSONValue], limits: SchemaLimits) throws(SchemaError) {
        self.limits = limits
        for (uri, document) in documents { bundled[KeyBytes(URIReference(uri).withoutFragment.text)] = document }
        try add(schema, retrievedFrom: "")
    }

    // MARK: Asking

    /// How a place is named in errors and violations.
    func name(of location: SchemaLocation) -> String {
        let document = documentNames[location.document]
        return document.isEmpty ? location.pointer.text : "\(document)#\(location.pointer.text)"
    }

    /// The resource that `location` is in: that of the nearest enclosing schema with an identity.
    func resource(of location: SchemaLocation) -> Int {
        if let resource = known[location] { return resource }
        var pointer = Substring(location.pointer.text)
        while true {
            if let found = resourceAt[SchemaLocation(document: location.document, pointer: KeyBytes(String(pointer)))] { return found }
            guard let slash = pointer.utf8.lastIndex(of: 0x2F) else { break }
            pointer = pointer[..<slash]
        }
        preconditionFailure("the root of a document is always a resource")
    }

    /// What `reference` leads to when it is written in `resource`.
    mutating func target(
        of reference: String, from resource: Int, at place: SchemaLocation, keyword: String
    ) throws(SchemaError) -> (location: SchemaLocation, value: JSONValue) {
        let resolved = URIReference(reference).resolved(against: resources[resource].uri)
        func unresolved(_ why: String) -> SchemaError {
            SchemaError(pointer: name(of: place.child(keyword)), message: "\(keyword) \"\(reference)\" cannot be resolved: \(why)")
        }
        guard let found = try resourceIndex(for: resolved.withoutFragment.text) else {
            throw unresolved("there is no schema \(resolved.withoutFragment.text), and nothing is fetched")
        }
        guard let fragment = URIReference.percentDecoded(resolved.fragment ?? "") else { throw unresolved("its fragment is malformed") }
        if fragment.isEmpty { return (resources[found].location, resources[found].value) }
        if fragment.utf8.first != 0x2F {
            guard let location = resources[found].anchors[KeyBytes(fragment)] else {
                throw unresolved("there is no anchor \"\(fragment)\"")
            }
            return (location, try value(at: location, unresolved: unresolved))
        }
        guard let tokens = JSONPointer.tokens(of: fragment), let value = JSONPointer.value(at: tokens, in: resources[found].value) else {
            throw unresolved("there is nothing at \(fragment)")
        }
        let root = resources[found].location
        return (SchemaLocation(document: root.document, pointer: KeyBytes(root.pointer.text + fragment)), value)
    }

    private func value(at location: SchemaLocation, unresolved: (String) -> SchemaError) throws(SchemaError) -> JSONValue {
        guard let tokens = JSONPointer.tokens(of: location.pointer.text),
            let value = JSONPointer.value(at: tokens, in: documentRoots[location.document])
        else { throw unresolved("its place is gone") }
        return value
    }

    private mutating func resourceIndex(for uri: String) throws(SchemaError) -> Int? {
        let key = KeyBytes(uri)
        if let known = resourceByURI[key] { return known }
        if let document = bundled.removeValue(forKey: key) ?? MetaSchemas.document(at: uri) {
            return try add(document, retrievedFrom: uri)
        }
        // A bundled document may carry the schema under an `$id` of its own, which shows only when it is looked into.
        for name in bundled.keys.sorted(by: { $0.text < $1.text }) {
            guard let document = bundled[name], Self.mentions(uri, document, depth: limits.schemaDepth) else { continue }
            bundled[name] = nil
            try add(document, retrievedFrom: name.text)
            if let found = resourceByURI[key] { return found }
        }
        return nil
    }

    // Whether some `$id` in the document ends like the URI; a cheap test before the document is taken in.
    private static func mentions(_ uri: String, _ value: JSONValue, depth: Int) -> Bool {
        guard depth > 0 else { return false }
        switch value {
        case .array(let elements): return elements.contains { mentions(uri, $0, depth: depth - 1) }
        case .object(let object):
            if case .string(let identifier) = object["$id"] {
                let tail = identifier.split(separator: "/", omittingEmptySubsequences: true).last.map { String($0) } ?? identifier
                if uri.contains(tail) { return true }
            }
            return object.values.contains { mentions(uri, $0, depth: depth - 1) }
        case .null, .bool, .int, .double, .string: return false
        }
    }

    // MARK: Looking into documents

    @discardableResult
    private mutating func add(_ document: JSONValue, retrievedFrom uri: String) throws(SchemaError) -> Int {
        let number = documentRoots.count
        documentRoots.append(document)
        documentNames.append(uri)
        let root = SchemaLocation(document: number, pointer: KeyBytes(""))
        let resource = try addResource(document, at: root, base: URIReference(uri), parent: nil)
        // A document answers to the address it was given under too.
        resourceByURI[KeyBytes(uri)] = resourceByURI[KeyBytes(uri)] ?? resource
        try walk(document, at: root, resource: resource, depth: 0)
        return resource
    }

    /// Looks for identities in a place that is used as a schema although no keyword makes it one.
    mutating func adopt(_ value: JSONValue, at location: SchemaLocation) throws(SchemaError) {
        guard known[location] == nil else { return }
        try visit(value, at: location, resource: resource(of: location), depth: 0)
    }

    private mutating func addResource(
        _ value: JSONValue, at location: SchemaLocation, base: URIReference, parent: Int?
    ) throws(SchemaError) -> Int {
        var uri = base
        if let written = value["$id"] {
            guard case .string(let text) = written else { throw error(at: location.child("$id"), "$id must be a string") }
            let reference = URIReference(text)
            if let fragment = reference.fragment, !fragment.isEmpty {
                throw error(at: location.child("$id"), "$id must not have a fragment; use $anchor")
            }
            uri = reference.resolved(against: base).withoutFragment
        }
        var dialect = parent.map { resources[$0].dialect } ?? .standard
        if let written = value["$schema"] {
            guard case .string(let text) = written else { throw error(at: location.child("$schema"), "$schema must be a string") }
            let isItsOwn = URIReference(text).withoutFragment.text == uri.text
            dialect =
                isItsOwn
                ? try Dialect(metaSchema: value, uri: uri.text)
                : try self.dialect(text, at: location.child("$schema"))
        }
        let number = resources.count
        let key = KeyBytes(uri.text)
        if let other = resourceByURI[key], resources[other].location != location {
            throw error(at: location.child("$id"), "the $id \(uri.text) is used twice; the other is \(named(resources[other].location))")
        }
        resources.append(SchemaResource(uri: uri, location: location, value: value, dialect: dialect))
        resourceByURI[key] = number
        resourceAt[location] = number
        return number
    }

    private mutating func dialect(_ text: String, at location: SchemaLocation) throws(SchemaError) -> Dialect {
        let uri = URIReference(text).withoutFragment.text
        if uri == MetaSchemas.dialect { return .standard }
        let key = KeyBytes(uri)
        if let known = dialects[key] { return known }
        // A meta-schema that is itself part of the documents looked into, or one that waits to be.
        let document = resourceByURI[key].map { resources[$0].value } ?? bundled[key] ?? MetaSchemas.document(at: uri)
        guard let document else {
            let hint = uri.contains("json-schema.org") ? "only draft 2020-12 is" : "its meta-schema would have to be bundled"
            throw error(at: location, "the dialect \(text) is not known; \(hint)")
        }
        let dialect = try Dialect(metaSchema: document, uri: uri)
        dialects[key] = dialect
        return dialect
    }

    private mutating func visit(_ value: JSONValue, at location: SchemaLocation, resource: Int, depth: Int) throws(SchemaError) {
        guard case .object(let object) = value else { return }
        var resource = resource
        if let known = resourceAt[location] {
            resource = known
        } else if case .string = object["$id"] {
            resource = try addResource(value, at: location, base: resources[resource].uri, parent: resource)
        }
        try walk(value, at: location, resource: resource, depth: depth)
    }

    private mutating func walk(_ value: JSONValue, at location: SchemaLocation, resource: Int, depth: Int) throws(SchemaError) {
        guard case .object(let object) = value else { return }
        guard depth < limits.schemaDepth else { throw error(at: location, "the schema is nested deeper than \(limits.schemaDepth) levels") }
        guard known.updateValue(resource, forKey: location) == nil else { return }
        guard known.count <= limits.subschemas else { throw error(at: location, "there are more than \(limits.subschemas) subschemas") }
        if location.document == 0 { ownSubschemas.append((location, value)) }
        try registerAnchor("$anchor", of: object, at: location, in: resource)
        try registerAnchor("$dynamicAnchor", of: object, at: location, in: resource)
        for (key, member) in object.members {
            switch SubschemaShape(keyword: key) {
            case .none: break
            case .one: try visit(member, at: location.child(key), resource: resource, depth: depth + 1)
            case .list:
                for (position, element) in (member.arrayValue ?? []).enumerated() {
                    try visit(element, at: location.child(key).child(String(position)), resource: resource, depth: depth + 1)
                }
            case .map:
                // Of the other keywords the compiler says so; of these it looks at nothing but the schemas in them.
                let isShelf = key == "$defs" || key == "definitions"
                guard let map = member.objectValue else {
                    if isShelf { throw error(at: location.child(key), "\(key) must be an object of schemas, not \(member.kindPhrase)") }
                    continue
                }
                for (name, element) in map.members {
                    if isShelf, element.objectValue == nil, element.boolValue == nil {
                        throw error(
                            at: location.child(key).child(name), "a schema must be an object or a boolean, not \(element.kindPhrase)")
                    }
                    try visit(element, at: location.child(key).child(name), resource: resource, depth: depth + 1)
                }
            }
        }
    }

    private mutating func registerAnchor(
        _ keyword: String, of object: JSONObject, at location: SchemaLocation, in resource: Int
    ) throws(SchemaError) {
        guard let written = object[keyword] else { return }
        guard case .string(let name) = written, Self.isAnchorName(name) else {
            throw error(at: location.child(keyword), "\(keyword) must be a name that begins with a letter")
        }
        let key = KeyBytes(name)
        if let other = resources[resource].anchors[key], other != location {
            throw error(at: location.child(keyword), "the anchor \"\(name)\" is used twice; the other is \(named(other))")
        }
        resources[resource].anchors[key] = location
        if keyword == "$dynamicAnchor" { resources[resource].dynamicAnchors[key] = location }
    }

    private static func isAnchorName(_ name: String) -> Bool {
        guard let first = name.utf8.first, first.isASCIILetter || first == 0x5F else { return false }
        return name.utf8.allSatisfy { $0.isASCIILetter || $0.isASCIIDigit || $0 == 0x5F || $0 == 0x2D || $0 == 0x2E }
    }

    private func named(_ location: SchemaLocation) -> String {
        let name = name(of: location)
        return name.isEmpty ? "the root" : name
    }

    private func error(at location: SchemaLocation, _ message: String) -> SchemaError {
        SchemaError(pointer: name(of: location), message: message)
    }
}

/// How the value of a keyword holds subschemas.
enum SubschemaShape {
    case none
    case one
    case list
    case map

    init(keyword: String) {
        switch keyword {
        case "additionalProperties", "propertyNames", "items", "contains", "not", "if", "then", "else", "unevaluatedItems",
            "unevaluatedProperties", "contentSchema":
            self = .one
        case "allOf", "anyOf", "oneOf", "prefixItems": self = .list
        case "properties", "patternProperties", "dependentSchemas", "$defs", "definitions", "dependencies": self = .map
        default: self = .none
        }
    }
}
