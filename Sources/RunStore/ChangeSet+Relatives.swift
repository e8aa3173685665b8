// What a run does to the runs around it: it cancels those below it, and keeps what it could not start.

import Engine
import Postgres
import WorkflowModel

/// What could not be started, and is kept for somebody to decide.
struct DeadLetter {
    enum Kind: String {
        case chain, child
    }

    var kind: Kind
    var run: RunID
    var namespaceID: Int32
    var path: String
    var workflow: String
    var input: JSONText?
    var failure: Failure
}

extension ChangeSet {
    // Orders, no locks: the child's own fold takes it from there.
    private static let cancelChildren: SQL = """
        insert into skein.inbox (run_id, namespace_id, kind, body)
        select c.run_id, c.namespace_id, 'cancel', 'the step that started it was cancelled'
          from unnest($1, $2) as g (run_id, path)
          join skein.run c on c.parent_run_id = g.run_id and c.parent_path = g.path
         where c.is_awaited and c.cancel_requested_at is null
        """

    private static let cancelFollowers: SQL = """
        insert into skein.inbox (run_id, namespace_id, kind, body)
        select c.run_id, c.namespace_id, 'cancel', 'the run that started it has ended'
          from skein.run c
         where c.parent_run_id = any ($1) and c.follows_parent and not c.is_awaited and c.cancel_requested_at is null
        """

    private static let insertLetters: SQL = """
        insert into skein.dead_letter (namespace_id, kind, run_id, path, workflow, input, failure) select * from unnest($1, $2, $3, $4, $5, $6, $7)
        """

    private static let refuseChildren: SQL = """
        insert into skein.inbox (run_id, namespace_id, kind, path, child_run_id, body)
        select g.run_id, r.namespace_id, 'child', g.path, g.child_run_id, g.body
          from unnest($1, $2, $3, $4) as g (run_id, path, child_run_id, body) join skein.run r on r.run_id = g.run_id
        """

    func appendRelatives(_ runs: [RunChange], to statements: inout [(SQL, [Parameter])]) {
        if !childCancels.isEmpty {
            statements.append(
                (Self.cancelChildren, [.uuidArray(childCancels.map(\.0.pair)), .textArray(childCancels.map(\.1.text))]))
        }
        let ended = runs.filter { $0.ending != nil && !$0.version.program.callees.isEmpty }
        if !ended.isEmpty { statements.append((Self.cancelFollowers, [.uuidArray(ended.map(\.id.pair))])) }
        if !refusedChildren.isEmpty {
            statements.append(
                (
                    Self.refuseChildren,
                    [
                        .uuidArray(refusedChildren.map(\.0.pair)), .textArray(refusedChildren.map(\.1.path.text)),
                        .uuidArray(refusedChildren.map(\.1.runID.pair)),
                        .textArray(
                            refusedChildren.map { _, start, failure in
                                let body: JSONValue = ["attempt": .int(Int64(start.attempt)), "failure": failure.json]
                                return body.compactText
                            }),
                    ]
                ))
        }
        if !letters.isEmpty {
            statements.append(
                (
                    Self.insertLetters,
                    [
                        .int32Array(letters.map(\.namespaceID)), .textArray(letters.map(\.kind.rawValue)),
                        .uuidArray(letters.map(\.run.pair)), .textArray(letters.map(\.path)), .textArray(letters.map(\.workflow)),
                        .textArray(letters.map { $0.input?.text }), .textArray(letters.map { $0.failure.json.compactText }),
                    ]
                ))
        }
    }
}
