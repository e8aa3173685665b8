// Events and waits (events.sql): whoever writes one leaves a row, and the matcher brings them together.

package import WorkflowModel

extension Server {
    private static let lifetime: Duration = .seconds(7 * 86_400)

    /// publish_v1, within a statement's transaction: the event's number.
    @discardableResult
    package func publish(
        _ transaction: Transaction, name: String, run: RunID? = nil, key: String? = nil, data: JSONText, id: String? = nil,
        lifetime: Duration? = nil
    ) async throws(ModelError) -> Int64 {
        let number = tables.eventNumbers.next()
        if let id {
            let isNew = try await statement(transaction) { statement throws(ModelError) in
                if case .new = try await tables.eventKeys.insert(statement, EventKeyRow(key: id, event: number), .nothing) { true } else { false }
            }
            guard isNew else {
                return try await statement(transaction) { statement throws(ModelError) in
                    tables.eventKeys.find(statement, key: id).rows.first?.event ?? 0
                }
            }
        }
        let isLive = try await statement(transaction) { statement throws(ModelError) in
            run.map { !tables.runs.find(statement, key: $0).isEmpty } ?? true
        }
        let correlation = run == nil ? Correlation(name: name, key: key) : nil
        var row = EventRow(
            id: number, name: name, run: run, correlation: isLive ? correlation : nil, data: data, at: now,
            expiresAt: now + (lifetime ?? Self.lifetime))
        if !isLive { row.state = .refused }
        try await statement(transaction) { [row] statement throws(ModelError) in try await tables.events.insert(statement, row) }
        guard isLive else { return number }
        if mutant == .eventLooksForWait {
            // Only where somebody is seen to wait.
            let isAwaited = try await statement(transaction) { statement throws(ModelError) in
                if let run { return !tables.waits.find(statement, of: run).isEmpty }
                return !tables.waitKeys.find(statement) { $0.key.correlation == correlation }.isEmpty
            }
            guard isAwaited else { return number }
        }
        try await statement(transaction) { statement throws(ModelError) in
            try await tables.matches.insert(statement, MatchRow(id: tables.matchNumbers.next(), correlation: correlation, run: run))
        }
        return number
    }

    /// signal: nil when there is no such live run and the id is new.
    package func signal(
        _ transaction: Transaction, _ run: RunID, name: String, data: JSONText, id: String
    ) async throws(ModelError) -> Int64? {
        let isLive = try await statement(transaction) { statement throws(ModelError) in !tables.runs.find(statement, key: run).isEmpty }
        guard isLive else {
            return try await statement(transaction) { statement throws(ModelError) in
                tables.eventKeys.find(statement, key: id).rows.first?.event
            }
        }
        return try await publish(transaction, name: name, run: run, data: data, id: id)
    }

    /// match_waits_v1: how many events were handed out, and how many names were looked at.
    package func match(_ transaction: Transaction, limit: Int) async throws(ModelError) -> (handed: Int, looked: Int) {
        let taken = try await statement(transaction) { statement throws(ModelError) in
            let open = tables.matches.find(statement).sorted { $0.id < $1.id }
            let locked = try await tables.matches.lock(statement, open, .update, .skip, limit: limit)
            return try await tables.matches.delete(statement, locked)
        }
        guard !taken.isEmpty else { return (0, 0) }
        let correlations = Set(taken.compactMap(\.correlation))
        let runs = Set(taken.compactMap(\.run))
        if mutant != .matcherWithoutKeyLock {
            // In one order, so that two matchers never wait for each other in a circle.
            let keys = Set(correlations.map { Self.lockKey("\($0.name)\n\($0.key ?? "")") } + runs.map { Self.lockKey("\($0)") })
            for key in keys.sorted() { _ = try await database.lockAdvisory(key, for: transaction) }
        }
        let locked = try await statement(transaction) { statement throws(ModelError) in
            var waiting: Set<RunID> = []
            for run in runs where !tables.waits.find(statement, of: run).isEmpty { waiting.insert(run) }
            for row in tables.waitKeys.find(statement, where: { correlations.contains($0.key.correlation) }).rows { waiting.insert(row.key.step.run) }
            let found = tables.runs.find(statement, keys: waiting.sorted()).sorted { ($0.depth, $0.id) < ($1.depth, $1.id) }
            if mutant == .matcherWithoutRunLock { return Set(found.rows.map(\.id)) }
            return Set(try await tables.runs.lock(statement, found, .share).rows.map(\.id))
        }
        guard !locked.isEmpty else { return (0, taken.count) }
        let handed = try await hand(transaction, correlations, runs, locked)
        if handed > 0 {
            try await lookAgain(transaction, correlations)
            if mutant != .signalsLookedAtOnce { try await lookAgain(transaction, locked) }
        }
        return (handed, taken.count)
    }

    private struct Pair {
        let event: EventRow
        let wait: WaitRow
    }

    // One statement: everything in it sees the same.
    private func hand(
        _ transaction: Transaction, _ correlations: Set<Correlation>, _ runs: Set<RunID>, _ locked: Set<RunID>
    ) async throws(ModelError) -> Int {
        try await statement(transaction) { statement throws(ModelError) in
            let moment = now
            let buffered = tables.events.find(statement) { $0.state == .buffered }.rows.sorted { $0.id < $1.id }
            let waits = tables.waits.find(statement) { locked.contains($0.run) }.rows
            var candidates: [Pair] = []
            for event in buffered {
                for wait in waits {
                    if let run = event.run {
                        guard run == wait.run, runs.contains(run), wait.names?.contains(event.name) ?? true else { continue }
                    } else {
                        guard let correlation = event.correlation, correlations.contains(correlation), event.at >= wait.since,
                            event.expiresAt > moment,
                            !tables.waitKeys.find(statement, key: WaitKeyRow.Key(correlation: correlation, step: wait.key)).isEmpty
                        else { continue }
                    }
                    guard tables.deliveries.find(statement, key: DeliveryRow.Key(event: event.id, run: wait.run, path: wait.path)).isEmpty,
                        !isTold(statement, wait.key)
                    else { continue }
                    candidates.append(Pair(event: event, wait: wait))
                }
            }
            // Each wait its oldest event; and of those that are for one only, each event the wait that has waited longest.
            var first: [StepKey: Pair] = [:]
            for pair in candidates where first[pair.wait.key] == nil { first[pair.wait.key] = pair }
            var pairs = first.values.filter(\.wait.isBroadcast)
            var taken: Set<Int64> = []
            for pair in first.values.filter({ !$0.wait.isBroadcast })
                .sorted(by: { ($0.event.id, $0.wait.createdAt, $0.wait.key) < ($1.event.id, $1.wait.createdAt, $1.wait.key) })
            where taken.insert(pair.event.id).inserted { pairs.append(pair) }
            pairs.sort { ($0.event.id, $0.wait.key) < ($1.event.id, $1.wait.key) }
            for pair in pairs where !pair.wait.isBroadcast {
                try await tables.events.update(statement, tables.events.find(statement, key: pair.event.id)) { event in
                    event.state = .offered
                    event.takenBy = pair.wait.run
                    event.takenPath = pair.wait.path
                }
            }
            for pair in pairs {
                let key = DeliveryRow.Key(event: pair.event.id, run: pair.wait.run, path: pair.wait.path)
                try await tables.deliveries.insert(statement, DeliveryRow(key: key, isBroadcast: pair.wait.isBroadcast))
            }
            for pair in pairs {
                let isPaused = tables.runs.find(statement, key: pair.wait.run).rows.first?.pausedAt != nil
                try await tell(statement, pair.wait.run, .event(path: pair.wait.path, event: pair.event.id), held: isPaused)
            }
            return pairs.count
        }
    }

    private func isTold(_ statement: Statement, _ step: StepKey) -> Bool {
        !tables.inbox.find(statement, of: step.run) { if case .event(step.path, _) = $0.kind { true } else { false } }.isEmpty
    }

    private func lookAgain(_ transaction: Transaction, _ correlations: Set<Correlation>) async throws(ModelError) {
        try await statement(transaction) { statement throws(ModelError) in
            var again: Set<Correlation> = []
            for row in tables.waitKeys.find(statement, where: { correlations.contains($0.key.correlation) }).rows
            where !isTold(statement, row.key.step) {
                let isOpen = tables.events.find(statement) { $0.state == .buffered && $0.correlation == row.key.correlation }.rows.contains {
                    tables.deliveries.find(statement, key: DeliveryRow.Key(event: $0.id, run: row.key.step.run, path: row.key.step.path)).isEmpty
                }
                if isOpen { again.insert(row.key.correlation) }
            }
            for correlation in again.sorted() {
                try await tables.matches.insert(statement, MatchRow(id: tables.matchNumbers.next(), correlation: correlation, run: nil))
            }
        }
    }

    // An event that was for one of several waits of a run leaves the others with what comes next.
    private func lookAgain(_ transaction: Transaction, _ locked: Set<RunID>) async throws(ModelError) {
        try await statement(transaction) { statement throws(ModelError) in
            var again: Set<RunID> = []
            for wait in tables.waits.find(statement, of: locked.sorted()).rows where !isTold(statement, wait.key) {
                let signals = tables.events.find(statement) { event in
                    event.state == .buffered && event.run == wait.run && wait.names?.contains(event.name) ?? true
                }
                let isOpen = signals.rows.contains {
                    tables.deliveries.find(statement, key: DeliveryRow.Key(event: $0.id, run: wait.run, path: wait.path)).isEmpty
                }
                if isOpen { again.insert(wait.run) }
            }
            for run in again.sorted() {
                try await tables.matches.insert(statement, MatchRow(id: tables.matchNumbers.next(), correlation: nil, run: run))
            }
        }
    }

    /// expire_events_v1, without the removal of what was decided long ago.
    package func expireEvents(_ transaction: Transaction, limit: Int) async throws(ModelError) {
        try await statement(transaction) { statement throws(ModelError) in
            let moment = now
            let live = Set(tables.runs.find(statement).rows.map(\.id))
            let over = tables.events.find(statement) { event in
                if let run = event.run, event.state == .buffered || event.state == .offered, !live.contains(run) { return true }
                return event.state == .buffered && event.expiresAt < moment
            }.sorted { $0.id < $1.id }
            let locked = try await tables.events.lock(statement, over, .update, .skip, limit: limit)
            try await tables.events.update(statement, locked) { event in
                event.state = .expired
                event.takenBy = nil
                event.takenPath = nil
            }
        }
        try await statement(transaction) { statement throws(ModelError) in
            let live = Set(tables.runs.find(statement).rows.map(\.id))
            let left = tables.events.find(statement) { $0.state == .offered && $0.run == nil && !($0.takenBy.map { live.contains($0) } ?? false) }
            for event in try await tables.events.update(
                statement, left,
                { event in
                    event.state = .buffered
                    event.takenBy = nil
                    event.takenPath = nil
                })
            {
                try await tables.matches.insert(statement, MatchRow(id: tables.matchNumbers.next(), correlation: event.correlation, run: nil))
            }
        }
    }

    private static func lockKey(_ text: String) -> Int64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        return Int64(bitPattern: hash)
    }
}
