// The scripts of plain SQL: what Skein relies on in PostgreSQL, one story each.

extension Script {
    /// All of them.
    package static let all = snapshots + rechecks + locks + skipping + keys + upserts + circles + advisory + endings

    private static let snapshots: [Script] = [
        Script(
            "what is not committed is not seen",
            [("A", .begin), ("A", .update(.id(1), .set(11))), ("B", .read(.all)), ("A", .commit), ("B", .read(.all))]),
        Script(
            "a transaction sees what it did itself",
            [("A", .begin), ("A", .update(.id(1), .set(11))), ("A", .insert(id: 4, n: 40)), ("A", .delete(.id(2))), ("A", .read(.all)), ("A", .rollback), ("A", .read(.all))]),
        Script(
            "each statement of a transaction sees what was committed before it began",
            [("A", .begin), ("A", .read(.id(1))), ("B", .update(.id(1), .set(11))), ("A", .read(.id(1))), ("A", .commit)]),
        Script(
            "a read waits for nobody",
            [("A", .begin), ("A", .lock(.all, .update)), ("B", .read(.all)), ("B", .begin), ("B", .read(.all)), ("A", .delete(.all)), ("B", .read(.all)), ("A", .commit), ("B", .read(.all)), ("B", .commit)]),
        Script(
            "what is rolled back was never there",
            [("A", .begin), ("A", .delete(.id(1))), ("A", .insert(id: 9, n: 90)), ("B", .read(.all)), ("A", .rollback), ("B", .read(.all))]),
        Script(
            "two that count at the same time count the same",
            [("A", .begin), ("B", .begin), ("A", .insertCount(id: 100)), ("B", .insertCount(id: 101)), ("A", .commit), ("B", .commit), ("A", .read(.all))]),
        Script(
            "whoever counts after the other's commit counts him in",
            [("A", .begin), ("B", .begin), ("A", .insertCount(id: 100)), ("A", .commit), ("B", .insertCount(id: 101)), ("B", .commit), ("A", .read(.all))]),
        Script(
            "numbers of a sequence are not given back",
            [("A", .nextNumber), ("B", .begin), ("B", .nextNumber), ("B", .rollback), ("A", .nextNumber), ("B", .nextNumber)]),
    ]

    private static let rechecks: [Script] = [
        Script(
            "an update adds to what the one before it has left",
            [("A", .begin), ("A", .update(.id(1), .add(1))), ("B", .update(.id(1), .add(10))), ("A", .commit), ("A", .read(.all))]),
        Script(
            "an update goes on from the old row when the one before it is rolled back",
            [("A", .begin), ("A", .update(.id(1), .add(1))), ("B", .update(.id(1), .add(10))), ("A", .rollback), ("A", .read(.all))]),
        Script(
            "an update leaves out a row that no longer meets its condition",
            [("A", .begin), ("A", .update(.id(2), .set(99))), ("B", .update(.n(10...30), .add(1))), ("A", .commit), ("A", .read(.all))]),
        Script(
            "an update does not wait for a row that comes to meet its condition only now",
            [("A", .begin), ("A", .update(.id(2), .set(99))), ("B", .update(.n(99), .add(1))), ("A", .commit), ("A", .read(.all))]),
        Script(
            "an update does not see a row that was added while it waited",
            [("A", .begin), ("A", .update(.id(1), .add(1))), ("A", .insert(id: 4, n: 40)), ("B", .update(.all, .add(100))), ("A", .commit), ("A", .read(.all))]),
        Script(
            "an update leaves out a row that is gone",
            [("A", .begin), ("A", .delete(.id(2))), ("B", .update(.all, .add(1))), ("A", .commit), ("A", .read(.all))]),
        Script(
            "a deletion leaves out a row that no longer meets its condition",
            [("A", .begin), ("A", .update(.id(1), .set(50))), ("B", .delete(.n(10))), ("A", .commit), ("A", .read(.all))]),
        Script(
            "a deletion takes a row that still meets its condition",
            [("A", .begin), ("A", .update(.id(1), .set(11))), ("B", .delete(.n(5...15))), ("A", .commit), ("A", .read(.all))]),
        Script(
            "a lock gives the row as it is when it is granted",
            [("A", .begin), ("A", .update(.id(1), .set(15))), ("B", .begin), ("B", .lock(.n(5...15), .update)), ("A", .commit), ("B", .commit)]),
        Script(
            "a lock leaves out a row that no longer meets its condition",
            [("A", .begin), ("A", .update(.id(1), .set(50))), ("B", .begin), ("B", .lock(.n(5...15), .update)), ("A", .commit), ("B", .commit)]),
        Script(
            "a row that a lock has left out is locked all the same",
            [("A", .begin), ("A", .update(.id(1), .set(50))), ("B", .begin), ("B", .lock(.n(5...15), .update)), ("A", .commit), ("C", .lock(.id(1), .update, .fail)), ("B", .commit), ("C", .lock(.id(1), .update, .fail))]),
        Script(
            "with a limit, a row that was left out makes room for the next",
            [("A", .begin), ("A", .update(.id(1), .set(50))), ("B", .begin), ("B", .lock(.n(0...30), .update, limit: 1)), ("A", .commit), ("B", .commit)]),
        Script(
            "rows come in the order in which they were when the statement began",
            [("A", .begin), ("A", .update(.id(1), .set(35))), ("B", .begin), ("B", .lock(.n(0...40), .update)), ("A", .commit), ("B", .commit)]),
        Script(
            "a row that was changed twice is looked at as it is last",
            [("A", .begin), ("A", .update(.id(1), .set(11))), ("A", .update(.id(1), .set(12))), ("B", .update(.n(10...12), .add(100))), ("A", .commit), ("A", .read(.all))]),
        Script(
            "who waits twice for the same row looks at it as it is after the second",
            [("A", .begin), ("A", .update(.id(1), .add(1))), ("B", .begin), ("B", .update(.id(1), .add(10))), ("C", .update(.n(10...20), .add(100))), ("A", .commit), ("B", .commit), ("C", .read(.all))]),
        Script(
            "lock first, then update: what changed in between is counted in",
            [("A", .begin), ("A", .update(.id(1), .add(1))), ("B", .lockAndUpdate(.all, .add(10))), ("A", .commit), ("A", .read(.all))]),
        Script(
            "a row moved to another key is followed by an update of its number",
            [("A", .begin), ("A", .update(.id(1), .move(10))), ("B", .update(.n(10), .add(1))), ("A", .commit), ("A", .read(.all))]),
        Script(
            "a row moved to another key is not met by its old key",
            [("A", .begin), ("A", .update(.id(1), .move(10))), ("B", .update(.id(1), .add(1))), ("A", .commit), ("A", .read(.all))]),
    ]

    private static let locks: [Script] = [
        Script(
            "shares go together, and an update waits for all of them",
            [("A", .begin), ("A", .lock(.id(1), .share)), ("B", .begin), ("B", .lock(.id(1), .share)), ("C", .update(.id(1), .add(1))), ("A", .commit), ("B", .commit), ("C", .read(.all))]),
        Script(
            "a key share does not disturb an update of the number",
            [("A", .begin), ("A", .lock(.id(1), .keyShare)), ("B", .update(.id(1), .add(1))), ("A", .read(.id(1))), ("A", .commit)]),
        Script(
            "a key share waits for nobody who changes the number",
            [("A", .begin), ("A", .update(.id(1), .add(1))), ("B", .begin), ("B", .lock(.id(1), .keyShare)), ("A", .commit), ("B", .read(.id(1))), ("B", .commit)]),
        Script(
            "a key share holds up a deletion",
            [("A", .begin), ("A", .lock(.id(1), .keyShare)), ("B", .delete(.id(1))), ("A", .commit), ("A", .read(.all))]),
        Script(
            "a key share holds up a change of the key",
            [("A", .begin), ("A", .lock(.id(1), .keyShare)), ("B", .update(.id(1), .move(10))), ("A", .commit), ("A", .read(.all))]),
        Script(
            "a key share holds up a lock for update",
            [("A", .begin), ("A", .lock(.id(1), .keyShare)), ("B", .lock(.id(1), .update)), ("A", .commit)]),
        Script(
            "a share holds up a lock for no key update",
            [("A", .begin), ("A", .lock(.id(1), .share)), ("B", .lock(.id(1), .noKeyUpdate)), ("A", .rollback)]),
        Script(
            "one's own locks are in nobody's way",
            [("A", .begin), ("A", .lock(.id(1), .share)), ("A", .lock(.id(1), .update)), ("A", .update(.id(1), .add(1))), ("A", .lock(.id(1), .keyShare)), ("B", .lock(.id(1), .keyShare, .fail)), ("A", .commit), ("B", .read(.all))]),
        Script(
            "nowait fails, and the transaction with it",
            [("A", .begin), ("A", .lock(.id(2), .update)), ("B", .begin), ("B", .lock(.all, .update, .fail)), ("B", .read(.all)), ("B", .rollback), ("B", .read(.all)), ("A", .commit)]),
        Script(
            "locks are granted in the order of asking",
            [("A", .begin), ("A", .lock(.id(1), .update)), ("B", .begin), ("B", .update(.id(1), .add(1))), ("C", .begin), ("C", .update(.id(1), .add(2))), ("A", .commit), ("B", .commit), ("C", .commit)]),
        Script(
            "a share that fits goes past an update that waits",
            [("A", .begin), ("A", .lock(.id(1), .share)), ("B", .begin), ("B", .update(.id(1), .add(1))), ("C", .lock(.id(1), .share)), ("A", .commit), ("B", .commit)]),
        Script(
            "a rollback sets free what was locked",
            [("A", .begin), ("A", .lock(.all, .update)), ("B", .lock(.id(3), .update)), ("A", .rollback), ("B", .read(.all))]),
        Script(
            "locks stay after a statement that found nothing to change",
            [("A", .begin), ("A", .lock(.id(1), .noKeyUpdate)), ("A", .update(.n(77), .add(1))), ("B", .update(.id(1), .add(1))), ("A", .commit)]),
    ]

    private static let skipping: [Script] = [
        Script(
            "who skips takes the next free row",
            [("A", .begin), ("A", .lock(.all, .update, .skip, limit: 1)), ("B", .begin), ("B", .lock(.all, .update, .skip, limit: 1)), ("C", .lock(.all, .update, .skip)), ("A", .commit), ("B", .commit)]),
        Script(
            "claims do not meet",
            [("A", .begin), ("A", .take(.n(0...99), limit: 2, .add(100))), ("B", .begin), ("B", .take(.n(0...99), limit: 2, .add(200))), ("A", .commit), ("B", .commit), ("A", .read(.all))]),
        Script(
            "what a claim gives back is there for the next",
            [("A", .begin), ("A", .take(.n(0...99), limit: 2, .add(100))), ("B", .take(.n(0...99), limit: 1, .add(200))), ("A", .rollback), ("B", .take(.n(0...99), limit: 3, .add(200)))]),
        Script(
            "who skips for share passes over what is being changed",
            [("A", .begin), ("A", .update(.id(1), .add(1))), ("B", .lock(.all, .share, .skip)), ("A", .commit), ("B", .lock(.all, .share, .skip))]),
        Script(
            "who skips for key share takes what is being changed",
            [("A", .begin), ("A", .update(.id(1), .add(1))), ("B", .lock(.all, .keyShare, .skip)), ("A", .commit)]),
        Script(
            "who skips does not see what is not committed",
            [("A", .begin), ("A", .insert(id: 4, n: 40)), ("B", .lock(.all, .update, .skip)), ("A", .commit), ("B", .lock(.all, .update, .skip))]),
        Script(
            "a pause waits for the claim that is under way, and leaves out what it took",
            [("A", .begin), ("A", .take(.n(0...99), limit: 1, .add(100))), ("B", .update(.n(0...99), .add(1000))), ("A", .commit), ("B", .read(.all))]),
        Script(
            "a pause does not wait for what had been taken before, though it is given back at this moment",
            items: [(1, 110), (2, 20)],
            [("A", .begin), ("A", .update(.id(1), .add(-100))), ("B", .update(.n(0...99), .add(1000))), ("A", .commit), ("B", .read(.all))]),
        Script(
            "two updates of one row under a share, the second waits for both shares",
            [("A", .begin), ("A", .lock(.id(1), .share, .skip)), ("B", .begin), ("B", .lock(.id(1), .update, .skip)), ("B", .lock(.id(1), .share, .skip)), ("C", .take(.all, limit: 3, .add(1))), ("A", .commit), ("B", .commit)]),
    ]

    private static let keys: [Script] = [
        Script(
            "a key that is taken fails",
            [("A", .insert(id: 1, n: 5)), ("A", .begin), ("A", .insert(id: 1, n: 5)), ("A", .insert(id: 9, n: 5)), ("A", .commit), ("A", .read(.all))]),
        Script(
            "an insert waits for another of the same key, and fails when that commits",
            [("A", .begin), ("A", .insert(id: 4, n: 1)), ("B", .insert(id: 4, n: 2)), ("A", .commit), ("B", .read(.all))]),
        Script(
            "an insert waits for another of the same key, and goes on when that is rolled back",
            [("A", .begin), ("A", .insert(id: 4, n: 1)), ("B", .insert(id: 4, n: 2)), ("A", .rollback), ("B", .read(.all))]),
        Script(
            "an insert waits for a deletion, and goes on when that commits",
            [("A", .begin), ("A", .delete(.id(1))), ("B", .insert(id: 1, n: 2)), ("A", .commit), ("B", .read(.all))]),
        Script(
            "an insert waits for a deletion, and fails when that is rolled back",
            [("A", .begin), ("A", .delete(.id(1))), ("B", .insert(id: 1, n: 2)), ("A", .rollback), ("B", .read(.all))]),
        Script(
            "an insert waits for a change of the row that has its key",
            [("A", .begin), ("A", .update(.id(1), .add(1))), ("B", .insert(id: 1, n: 2)), ("A", .commit), ("B", .read(.all))]),
        Script(
            "an insert does not wait for a mere lock",
            [("A", .begin), ("A", .lock(.id(1), .update)), ("B", .insert(id: 1, n: 2)), ("A", .commit)]),
        Script(
            "a key that was moved away is free after the commit",
            [("A", .begin), ("A", .update(.id(1), .move(10))), ("B", .insert(id: 1, n: 2)), ("A", .commit), ("B", .read(.all))]),
        Script(
            "a row cannot be moved onto a key that is taken",
            [("A", .update(.id(1), .move(1))), ("A", .read(.all))]),
        Script(
            "a row that is moved waits for an insert of its new key",
            [("A", .begin), ("A", .insert(id: 11, n: 1)), ("B", .update(.id(1), .move(10))), ("A", .rollback), ("B", .read(.all))]),
        Script(
            "one's own deletion makes room at once",
            [("A", .begin), ("A", .delete(.id(1))), ("A", .insert(id: 1, n: 7)), ("A", .read(.all)), ("A", .commit), ("B", .read(.all))]),
        Script(
            "three inserts of a key: the first rolled back, one of the others gets it",
            [("A", .begin), ("A", .insert(id: 4, n: 1)), ("B", .insert(id: 4, n: 2, .nothing)), ("A", .rollback), ("C", .insert(id: 4, n: 3, .nothing)), ("A", .read(.all))]),
    ]

    private static let upserts: [Script] = [
        Script(
            "do nothing leaves what is there",
            [("A", .insert(id: 1, n: 5, .nothing)), ("A", .insert(id: 4, n: 5, .nothing)), ("A", .read(.all))]),
        Script(
            "do nothing waits for the one who is adding, and adds nothing when he commits",
            [("A", .begin), ("A", .insert(id: 4, n: 1)), ("B", .insert(id: 4, n: 2, .nothing)), ("A", .commit), ("B", .read(.all))]),
        Script(
            "do nothing waits for the one who is adding, and adds when he gives up",
            [("A", .begin), ("A", .insert(id: 4, n: 1)), ("B", .insert(id: 4, n: 2, .nothing)), ("A", .rollback), ("B", .read(.all))]),
        Script(
            "do nothing does nothing about a row that its own snapshot does not show",
            [("A", .begin), ("A", .insert(id: 4, n: 1)), ("B", .begin), ("B", .insert(id: 4, n: 2, .nothing)), ("A", .commit), ("B", .read(.id(4))), ("B", .commit)]),
        Script(
            "do nothing waits for a deletion, and adds after it",
            [("A", .begin), ("A", .delete(.id(1))), ("B", .insert(id: 1, n: 2, .nothing)), ("A", .commit), ("B", .read(.all))]),
        Script(
            "do update adds to what the other has added",
            [("A", .begin), ("A", .insert(id: 4, n: 1, .add)), ("B", .insert(id: 4, n: 2, .add)), ("A", .commit), ("B", .read(.all))]),
        Script(
            "do update adds to what the other has changed",
            [("A", .begin), ("A", .insert(id: 1, n: 1, .add)), ("B", .insert(id: 1, n: 2, .add)), ("A", .commit), ("B", .read(.all))]),
        Script(
            "do update looks at its condition after the wait",
            [("A", .begin), ("A", .insert(id: 1, n: 5, .addBelow(12))), ("B", .insert(id: 1, n: 2, .addBelow(12))), ("A", .commit), ("B", .read(.all))]),
        Script(
            "do update adds the row when the one that was there goes",
            [("A", .begin), ("A", .delete(.id(1))), ("B", .insert(id: 1, n: 2, .add)), ("A", .commit), ("B", .read(.all))]),
        Script(
            "do update waits for a lock on the row",
            [("A", .begin), ("A", .lock(.id(1), .share)), ("B", .insert(id: 1, n: 2, .add)), ("A", .commit), ("B", .read(.all))]),
    ]

    private static let circles: [Script] = [
        Script(
            "two that lock two rows crosswise: one gives up, the other goes on", victim: "B",
            [("A", .begin), ("A", .lock(.id(1), .update)), ("B", .begin), ("B", .lock(.id(2), .update)), ("A", .lock(.id(2), .update)), ("B", .lock(.id(1), .update)), ("B", .rollback), ("A", .commit)]),
        Script(
            "two that hold a share and want more", victim: "B",
            [("A", .begin), ("A", .lock(.id(1), .share)), ("B", .begin), ("B", .lock(.id(1), .share)), ("A", .update(.id(1), .add(1))), ("B", .update(.id(1), .add(2))), ("B", .rollback), ("A", .commit), ("A", .read(.all))]),
        Script(
            "two that add two keys crosswise", victim: "B",
            [("A", .begin), ("A", .insert(id: 4, n: 1)), ("B", .begin), ("B", .insert(id: 5, n: 1)), ("A", .insert(id: 5, n: 2)), ("B", .insert(id: 4, n: 2)), ("B", .rollback), ("A", .commit), ("A", .read(.all))]),
        Script(
            "a circle of an advisory lock and a row", victim: "B",
            [("A", .begin), ("A", .advisory(7)), ("B", .begin), ("B", .lock(.id(1), .update)), ("A", .lock(.id(1), .update)), ("B", .advisory(7)), ("B", .rollback), ("A", .commit)]),
        Script(
            "three in a circle", victim: "C",
            [("A", .begin), ("A", .lock(.id(1), .update)), ("B", .begin), ("B", .lock(.id(2), .update)), ("C", .begin), ("C", .lock(.id(3), .update)), ("A", .lock(.id(2), .update)), ("B", .lock(.id(3), .update)), ("C", .lock(.id(1), .update)), ("C", .rollback), ("B", .commit), ("A", .commit)]),
        Script(
            "locks in one order make no circle",
            [("A", .begin), ("A", .lock(.all, .update)), ("B", .begin), ("B", .lock(.all, .update)), ("A", .update(.all, .add(1))), ("A", .commit), ("B", .commit)]),
    ]

    private static let advisory: [Script] = [
        Script(
            "an advisory lock lasts to the end of the transaction",
            [("A", .begin), ("A", .advisory(1)), ("B", .begin), ("B", .advisory(1)), ("A", .commit), ("B", .commit)]),
        Script(
            "different keys do not meet",
            [("A", .begin), ("A", .advisory(1)), ("B", .begin), ("B", .advisory(2)), ("A", .advisory(1)), ("A", .rollback), ("B", .commit)]),
        Script(
            "a try does not wait",
            [("A", .begin), ("A", .advisory(1)), ("B", .begin), ("B", .tryAdvisory(1)), ("A", .commit), ("B", .tryAdvisory(1)), ("A", .tryAdvisory(1)), ("B", .commit)]),
        Script(
            "a look after the key's lock sees what the one before it has committed",
            [("A", .begin), ("A", .advisory(1)), ("B", .begin), ("B", .advisory(1)), ("A", .insert(id: 4, n: 40)), ("A", .commit), ("B", .read(.all)), ("B", .commit)]),
    ]

    private static let endings: [Script] = [
        Script(
            "a session that is cut off takes nothing with it",
            [("A", .begin), ("A", .update(.id(1), .add(1))), ("B", .update(.id(1), .add(10))), ("C", .terminate("A")), ("B", .read(.all))]),
        Script(
            "a session that is cut off while it waits leaves the queue",
            [("A", .begin), ("A", .update(.id(1), .add(1))), ("B", .update(.id(1), .add(10))), ("C", .begin), ("C", .update(.id(1), .add(100))), ("C", .terminate("B")), ("A", .commit), ("C", .commit), ("A", .read(.all))]),
        Script(
            "a failed transaction does nothing more, and its commit is a rollback",
            [("A", .begin), ("A", .update(.id(1), .add(1))), ("A", .insert(id: 2, n: 0)), ("A", .read(.all)), ("A", .commit), ("A", .read(.all))]),
        Script(
            "a failed transaction lets go of its locks at once",
            [("A", .begin), ("A", .lock(.id(1), .update)), ("A", .insert(id: 2, n: 0)), ("B", .update(.id(1), .add(1))), ("A", .rollback), ("B", .read(.all))]),
        Script(
            "what another has taken and committed is not taken again",
            [("A", .take(.n(0...99), limit: 2, .add(100))), ("B", .take(.n(0...99), limit: 2, .add(200))), ("C", .take(.n(0...99), limit: 2, .add(300))), ("A", .read(.all))]),
    ]
}
