// Lists: a table for people, the API's JSON for programs.

import CommandLine
import WorkflowModel

enum ListView {
    /// Asks for a list and shows it. Lists without a `limit` come as a whole.
    static func show(
        _ path: String, _ query: [(String, String?)] = [], limit: Int?, _ client: APIClient, _ isJSON: Bool, _ console: Console,
        columns: [TextTable.Column], empty: String, row: (JSONValue) -> [String]
    ) async throws -> CommandStatus {
        let items =
            if let limit { try await client.items(path, query, limit: limit) } else {
                try await client.get(path, query).json["items"]?.arrayValue ?? []
            }
        if isJSON {
            console.print((["items": .array(items)] as JSONValue).compactText)
            return .succeeded
        }
        var table = TextTable(columns)
        for item in items { table.add(row(item)) }
        if table.isEmpty {
            console.note(empty)
        } else {
            for line in table.lines(on: console) { console.print(line) }
        }
        return .succeeded
    }
}

extension JSONValue {
    /// A member as the text of a table's cell.
    func text(_ key: String) -> String {
        switch self[key] {
        case nil, .null?: ""
        case .string(let text)?: Console.printable(text)
        case .some(let value): Console.printable(value.compactText)
        }
    }

    /// A list of texts as a cell.
    func list(_ key: String) -> String {
        Console.printable((self[key]?.arrayValue ?? []).compactMap(\.stringValue).joined(separator: ", "))
    }
}

enum Wording {
    /// `1 error`, `2 errors`.
    static func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
}
