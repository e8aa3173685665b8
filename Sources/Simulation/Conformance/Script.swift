// Scripts that two or three sessions act out step by step: in the model and, as SQL, in a real PostgreSQL. Both must agree on who
// waits, on what comes back, and on what is there at the end.

/// Some rows of the table `item`.
package struct Filter: Sendable {
    /// Only these ids.
    package var ids: [Int]?
    /// Only rows whose number is in here.
    package var numbers: ClosedRange<Int>?

    /// All rows.
    package static let all = Filter()
    /// The rows of these ids.
    package static func id(_ ids: Int...) -> Filter { Filter(ids: ids) }
    /// The rows whose number is in a range.
    package static func n(_ numbers: ClosedRange<Int>) -> Filter { Filter(numbers: numbers) }
    /// The rows whose number is this one.
    package static func n(_ number: Int) -> Filter { Filter(numbers: number...number) }

    func holds(_ item: Item) -> Bool {
        (ids?.contains(item.id) ?? true) && (numbers?.contains(item.n) ?? true)
    }

    var sql: String {
        var parts: [String] = []
        if let ids { parts.append("id in (\(ids.map { "\($0)" }.joined(separator: ", ")))") }
        if let numbers { parts.append("n between \(numbers.lowerBound) and \(numbers.upperBound)") }
        return parts.isEmpty ? "true" : parts.joined(separator: " and ")
    }
}

/// What an update does.
package enum Change: Sendable {
    /// The number becomes this.
    case set(Int)
    /// The number grows by this.
    case add(Int)
    /// The id grows by this.
    case move(Int)

    func apply(to item: inout Item) {
        switch self {
        case .set(let number): item.n = number
        case .add(let number): item.n += number
        case .move(let distance): item.id += distance
        }
    }

    var sql: String {
        switch self {
        case .set(let number): "n = \(number)"
        case .add(let number): "n = n + \(number)"
        case .move(let distance): "id = id + \(distance)"
        }
    }
}

/// What an insert does when the id is taken.
package enum Collision: Sendable {
    /// It fails.
    case fail
    /// It leaves what is there.
    case nothing
    /// It adds its number to what is there.
    case add
    /// The same, where the number that is there is below this.
    case addBelow(Int)
}

/// What a session does in one step.
package enum Move: Sendable {
    case begin, commit, rollback
    /// Reads, in the order of the ids.
    case read(Filter)
    /// Locks and reads, in the order of the ids.
    case lock(Filter, LockMode, LockWait = .wait, limit: Int? = nil)
    case update(Filter, Change)
    /// Locks in the order of the ids first, then updates: one statement.
    case lockAndUpdate(Filter, Change)
    /// What a claim does: some rows that nobody has locked, in order.
    case take(Filter, limit: Int, Change)
    case insert(id: Int, n: Int, Collision = .fail)
    case delete(Filter)
    /// Counts the rows, and adds one of that number: a decision on what the statement sees.
    case insertCount(id: Int)
    case advisory(Int64)
    case tryAdvisory(Int64)
    case nextNumber
    /// The session's connection is cut from the server's side.
    case terminate(String)
}

/// One step.
package struct ScriptStep: Sendable {
    /// Who.
    package let session: String
    /// What.
    package let move: Move
}

/// A story of two or three sessions.
package struct Script: Sendable, CustomStringConvertible {
    /// What it shows.
    package let name: String
    /// The rows at the beginning: ids and numbers.
    package let items: [(Int, Int)]
    /// Who gives up when sessions wait for each other in a circle: the one whose step closes it.
    package let victim: String?
    /// What happens.
    package let steps: [ScriptStep]

    init(_ name: String, items: [(Int, Int)] = [(1, 10), (2, 20), (3, 30)], victim: String? = nil, _ steps: [(String, Move)]) {
        self.name = name
        self.items = items
        self.victim = victim
        self.steps = steps.map { ScriptStep(session: $0.0, move: $0.1) }
    }

    package var description: String { name }

    /// The sessions, in order.
    package var sessions: [String] { Set(steps.map(\.session)).sorted() }
}

/// A row of the table `item`.
struct Item: ModelRow {
    var id: Int
    var n: Int
    var key: Int { id }
}

extension Move {
    /// The statement that does it in PostgreSQL; nil where it takes more than a statement.
    package var sql: String? {
        switch self {
        case .begin: "begin"
        case .commit: "commit"
        case .rollback: "rollback"
        case .read(let filter): "select id, n from item where \(filter.sql) order by id"
        case .lock(let filter, let mode, let wait, let limit):
            "select id, n from item where \(filter.sql) order by id" + (limit.map { " limit \($0)" } ?? "") + " for \(mode.sql)\(wait.sql)"
        case .update(let filter, let change):
            "with changed as (update item set \(change.sql) where \(filter.sql) returning id, n) select * from changed order by id"
        case .lockAndUpdate(let filter, let change):
            """
            with locked as materialized (select id from item where \(filter.sql) order by id for update),
                 changed as (update item set \(change.sql) from locked where item.id = locked.id returning item.id, item.n)
            select * from changed order by id
            """
        case .take(let filter, let limit, let change):
            """
            with picked as materialized (select ctid as place from item where \(filter.sql) order by id limit \(limit) for update skip locked),
                 changed as (update item set \(change.sql) from picked where item.ctid = picked.place returning id, n)
            select * from changed order by id
            """
        case .insert(let id, let number, let collision):
            "with added as (insert into item (id, n) values (\(id), \(number))\(collision.sql) returning id, n) select * from added"
        case .delete(let filter):
            "with gone as (delete from item where \(filter.sql) returning id, n) select * from gone order by id"
        case .insertCount(let id): "with added as (insert into item (id, n) select \(id), count(*) from item returning id, n) select * from added"
        case .advisory(let key): "select 1 from (select pg_advisory_xact_lock(\(key))) as l"
        case .tryAdvisory(let key): "select pg_try_advisory_xact_lock(\(key))::integer"
        case .nextNumber: "select nextval('number')::integer"
        case .terminate: nil
        }
    }
}

extension LockMode {
    fileprivate var sql: String {
        switch self {
        case .keyShare: "key share"
        case .share: "share"
        case .noKeyUpdate: "no key update"
        case .update: "update"
        }
    }
}

extension LockWait {
    fileprivate var sql: String {
        switch self {
        case .wait: ""
        case .skip: " skip locked"
        case .fail: " nowait"
        }
    }
}

extension Collision {
    fileprivate var sql: String {
        switch self {
        case .fail: ""
        case .nothing: " on conflict (id) do nothing"
        case .add: " on conflict (id) do update set n = item.n + excluded.n"
        case .addBelow(let bound): " on conflict (id) do update set n = item.n + excluded.n where item.n < \(bound)"
        }
    }
}
