// The tree of a workflow file before anybody knows what it means: values with their places. YAML and JSON both end up here.

import WorkflowModel

/// A value and where it stands.
struct DocumentNode: Sendable {
    /// What a node can be.
    enum Content: Sendable {
        case scalar(JSONValue)
        case sequence([DocumentNode])
        case mapping([DocumentMember])
    }

    /// How a scalar is written; decides how its characters are found again in the file.
    enum Style: Sendable {
        case plain, singleQuoted, doubleQuoted, literal, folded
    }

    var content: Content
    var position: SourcePosition
    var style: Style = .plain
    /// The characters of a scalar as they are after unescaping and folding.
    var text: String = ""

    /// The value without the places.
    var json: JSONValue {
        switch content {
        case .scalar(let value): return value
        case .sequence(let nodes): return .array(nodes.map(\.json))
        case .mapping(let members):
            var object = JSONObject()
            for member in members { object[member.key] = member.value.json }
            return .object(object)
        }
    }

    /// What kind of value this is, as messages name it.
    var kindName: String {
        switch content {
        case .scalar(.null): "nothing"
        case .scalar(.bool(let value)): "the boolean \(value)"
        case .scalar(.int), .scalar(.double): "the number \(text)"
        case .scalar(.string): "text"
        case .scalar(.array), .sequence: "a list"
        case .scalar(.object), .mapping: "a mapping"
        }
    }

    /// How many characters a caret line should mark.
    var length: Int {
        switch content {
        case .scalar(.string) where style == .literal || style == .folded: 1
        case .scalar(.string(let value)): value.unicodeScalars.count + (style == .plain ? 0 : 2)
        case .scalar: max(1, text.unicodeScalars.count)
        case .sequence, .mapping: 1
        }
    }

    /// A tree without places, for what comes from the database.
    init(_ value: JSONValue) {
        position = .start
        switch value {
        case .null, .bool: content = .scalar(value)
        case .int(let number):
            content = .scalar(value)
            text = String(number)
        case .double(let number):
            content = .scalar(value)
            text = String(number)
        case .string(let string):
            content = .scalar(value)
            style = .doubleQuoted
            text = string
        case .array(let values): content = .sequence(values.map { DocumentNode($0) })
        case .object(let object):
            content = .mapping(object.members.map { DocumentMember(key: $0, position: .start, value: DocumentNode($1)) })
        }
    }

    /// A node as a reader found it.
    init(_ content: Content, at position: SourcePosition, style: Style = .plain, text: String = "") {
        self.content = content
        self.position = position
        self.style = style
        self.text = text
    }
}

/// A key of a mapping with its value.
struct DocumentMember: Sendable {
    var key: String
    var position: SourcePosition
    var value: DocumentNode
}

/// The path of keys to a value, as messages show it: `steps[2].do[0].agent`.
indirect enum DocumentPath: Sendable {
    case root
    case key(DocumentPath, String)
    case index(DocumentPath, Int)

    /// The path as text; empty for the document itself.
    var text: String {
        switch self {
        case .root: return ""
        case .key(let parent, let key):
            let front = parent.text
            let name = Self.isSimple(key) ? key : Wording.quoted(key)
            return front.isEmpty ? name : "\(front).\(name)"
        case .index(let parent, let index): return "\(parent.text)[\(index)]"
        }
    }

    private static func isSimple(_ key: String) -> Bool {
        !key.isEmpty
            && key.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F, 0x2D: true
                default: false
                }
            }
    }
}

/// A value together with the way to it.
struct Field: Sendable {
    let node: DocumentNode
    let path: DocumentPath

    /// The element `index` of a list.
    func element(_ index: Int, _ node: DocumentNode) -> Field { Field(node: node, path: .index(path, index)) }
    /// The value of a key of a mapping.
    func member(_ member: DocumentMember) -> Field { Field(node: member.value, path: .key(path, member.key)) }

    /// The text, where the node is one.
    var string: String? { if case .scalar(.string(let text)) = node.content { text } else { nil } }
    /// The elements, where the node is a list.
    var elements: [Field]? {
        guard case .sequence(let nodes) = node.content else { return nil }
        return nodes.enumerated().map { element($0.offset, $0.element) }
    }
    /// The value of a key, where the node is a mapping that has it.
    func value(of key: String) -> Field? { members?.first { $0.key == key }.map { member($0) } }
    /// The members, where the node is a mapping.
    var members: [DocumentMember]? { if case .mapping(let members) = node.content { members } else { nil } }
    /// Whether the file says nothing here.
    var isNull: Bool { if case .scalar(.null) = node.content { true } else { false } }
}
