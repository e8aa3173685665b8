// What workers do with the queue (claim.sql, session.sql), and what is done about those that are gone (reap.sql).

package import WorkflowModel

/// What a worker reports.
package struct Settlement: Sendable {
    package var key: StepKey
    package var fence: Fence
    package var status: AttemptStatus
    package var output: JSONText?
    package var failure: Failure?
}

extension Server {
    // MARK: Sessions

    /// register_session_v1
    package func register(_ transaction: Transaction) async throws(ModelError) -> SessionID {
        let number = tables.sessionNumbers.next()
        let id = SessionID(mutant == .sessionWithoutTimeline ? number : Int64(database.timeline) << 40 + number)
        try await statement(transaction) { statement throws(ModelError) in
            try await tables.sessions.insert(statement, SessionRow(id: id, timeline: database.timeline, leaseUntil: now + leaseLength))
        }
        return id
    }

    /// heartbeat_v1: nil when the session is dead, otherwise what is no longer wanted.
    package func heartbeat(_ transaction: Transaction, _ session: SessionID) async throws(ModelError) -> [NoticeRow.Key]? {
        transaction.isDurable = false
        let renewed = try await statement(transaction) { statement throws(ModelError) in
            let row = tables.sessions.find(statement, key: session) { $0.deadAt == nil || self.mutant == .heartbeatRevives }
            return try await tables.sessions.update(statement, row) { row in
                row.leaseUntil = self.now + self.leaseLength
                if self.mutant == .heartbeatRevives {
                    row.deadAt = nil
                    row.reapedAt = nil
                }
            }
        }
        guard !renewed.isEmpty else { return nil }
        return try await statement(transaction) { statement throws(ModelError) in
            let told = tables.notices.find(statement) { $0.key.session == session }
            return try await tables.notices.delete(statement, told).map(\.key)
        }
    }

    /// mark_dead_sessions_v1: how many.
    package func markDead(_ transaction: Transaction) async throws(ModelError) -> Int {
        try await statement(transaction) { statement throws(ModelError) in
            let moment = now
            let late = tables.sessions.find(statement) { $0.deadAt == nil && $0.leaseUntil < moment }.sorted { $0.id.rawValue < $1.id.rawValue }
            let gone = try await tables.sessions.lock(statement, late, .update, .skip)
            return try await tables.sessions.update(statement, gone) { $0.deadAt = self.now }.count
        }
    }

    /// check_epoch_v1: how many sessions it has voided.
    package func checkEpoch(_ transaction: Transaction) async throws(ModelError) -> Int {
        guard mutant != .epochIgnored else { return 0 }
        let timeline = database.timeline
        let isNew = try await statement(transaction) { statement throws(ModelError) in
            if case .new = try await tables.epochs.insert(statement, EpochRow(timeline: timeline), .nothing) { true } else { false }
        }
        guard isNew else { return 0 }
        // A claim that is under way comes first: what it takes has to be seen by the reaper. Who registers meanwhile is not meant.
        return try await statement(transaction) { statement throws(ModelError) in
            var voided = alive(statement)
            if mutant != .epochPassesClaims { voided = try await tables.sessions.lock(statement, voided, .update) }
            return try await tables.sessions.update(statement, voided) { $0.deadAt = self.now }.count
        }
    }

    private func alive(_ statement: Statement) -> Table<SessionRow>.Selection {
        tables.sessions.find(statement) { $0.deadAt == nil }.sorted { $0.id.rawValue < $1.id.rawValue }
    }

    // MARK: Claim

    /// claim_tasks_v1
    package func claim(
        _ transaction: Transaction, _ session: SessionID, limit: Int
    ) async throws(ModelError) -> [TaskRow] {
        if mutant == .claimInMemory { transaction.isDurable = false }
        if mutant != .deadSessionClaims {
            let isAlive = try await statement(transaction) { statement throws(ModelError) in
                let row = tables.sessions.find(statement, key: session) { $0.deadAt == nil }
                return try await !tables.sessions.lock(statement, row, .keyShare).isEmpty
            }
            guard isAlive else {
                throw .raised("SK001")
            }
        }
        let mark = try await mark(transaction, .ready)
        let claimed = try await statement(transaction) { statement throws(ModelError) in
            let ready = tables.tasks.find(statement) { task in
                (task.state == .ready || (self.mutant == .claimLeased && task.state == .leased)) && (!task.held || self.mutant == .claimHeld)
                    && self.isFound(task, mark)
            }.sorted { ($1.priority, $0.readyAt) < ($0.priority, $1.readyAt) }
            let picked = try await tables.tasks.lock(statement, ready, .update, .skip, limit: limit).inPlace(for: statement)
            return try await tables.tasks.update(statement, picked) { task in
                task.state = .leased
                task.session = session
                task.fence = self.fence(self.tables.fences.next())
                task.claimedAt = self.now
            }
        }
        try await raise(transaction, .ready, isSure: false)
        // A lease has to be durable before its call begins; outcomes that go with none need not be.
        if claimed.isEmpty { transaction.isDurable = false }
        return claimed
    }

    // MARK: Settle

    /// settle_tasks_v1: whether each is kept.
    package func settle(
        _ transaction: Transaction, _ session: SessionID, _ settlements: [Settlement]
    ) async throws(ModelError) -> [Bool] {
        let given = settlements.sorted { $0.key < $1.key }
        // By lease: a worker may report two leases of one task at a time.
        var kept: Set<Fence> = []
        for isSecond in [false, true] where !isSecond || kept.count < given.count {
            try await statement(transaction) { statement throws(ModelError) in
                for settlement in given {
                    var found = tables.tasks.find(statement, key: settlement.key) { self.holds($0, settlement, session) }
                    // The first time by place: what has moved meanwhile is looked at again.
                    if !isSecond { found = found.pinned }
                    let changed = try await tables.tasks.update(statement, found) { task in
                        task.state = .settled
                        task.settledAt = self.now
                        task.outcome = settlement.status
                        task.output = settlement.output
                        task.failure = settlement.failure
                    }
                    if !changed.isEmpty { kept.insert(settlement.fence) }
                }
            }
        }
        return settlements.map { kept.contains($0.fence) }
    }

    private func holds(_ task: TaskRow, _ settlement: Settlement, _ session: SessionID) -> Bool {
        guard task.state == .leased else { return false }
        return switch mutant {
        case .settleWithoutFence: task.session == session
        case .settleWithoutFenceAndSession: true
        default: task.session == session && task.fence == settlement.fence
        }
    }

    /// release_strays_v1: how many.
    package func releaseStrays(
        _ transaction: Transaction, _ session: SessionID, known: Set<Fence>
    ) async throws(ModelError) -> Int {
        guard mutant != .straysKept else { return 0 }
        func isStray(_ task: TaskRow) -> Bool {
            task.session == session && task.state == .leased && task.fence.map { !known.contains($0) } ?? false
        }
        try await statement(transaction) { statement throws(ModelError) in
            _ = try await tables.tasks.lock(statement, tables.tasks.find(statement, where: isStray).sorted { $0.key < $1.key }, .update)
        }
        return try await statement(transaction) { statement throws(ModelError) in
            try await tables.tasks.update(statement, tables.tasks.find(statement, where: isStray)) { task in
                task.state = .settled
                task.settledAt = self.now
                task.outcome = .released
            }.count
        }
    }

    // MARK: Reap

    /// What a coordinator learns when it looks at the leases.
    struct LeaseLook {
        var lost = 0
        /// When the next lease may end.
        var nextEnd: Timestamp?
        var hasMark = false
        /// Whether there is a mark to look below.
        var hasDueMark = false
        /// Whether the database is on a timeline that nobody has seen.
        var isNewTimeline = false
    }

    /// The reaper's round trip: the late are declared dead, what they held is reaped, and then it looks at what comes next.
    func lookAtLeases(_ transaction: Transaction, marksDead: Bool, limit: Int) async throws(ModelError) -> LeaseLook {
        if marksDead { _ = try await markDead(transaction) }
        var look = LeaseLook(lost: try await reap(transaction, limit: limit))
        try await statement(transaction) { statement throws(ModelError) in
            look.nextEnd = alive(statement).rows.map(\.leaseUntil).min()
            let marks = tables.lowWater.find(statement).rows
            look.hasMark = !marks.isEmpty
            look.hasDueMark = marks.contains { $0.lookAt <= now }
            look.isNewTimeline = mutant != .epochIgnored && tables.epochs.find(statement, key: database.timeline).isEmpty
        }
        return look
    }

    /// reap_tasks_v1: how many.
    package func reap(_ transaction: Transaction, limit: Int) async throws(ModelError) -> Int {
        guard mutant != .noReaper else { return 0 }
        let moment = now
        let dead = try await statement(transaction) { statement throws(ModelError) in
            Set(
                tables.sessions.find(statement) { row in
                    if self.mutant == .reaperTrustsLease { return row.leaseUntil - moment < .seconds(4) }
                    return row.deadAt != nil && row.reapedAt == nil
                }.rows.map(\.id))
        }
        guard !dead.isEmpty else { return 0 }
        func isLost(_ task: TaskRow) -> Bool { task.state == .leased && task.session.map { dead.contains($0) } ?? false }
        if mutant == .reaperFreesWithoutLock { return try await free(transaction, limit: limit, where: isLost) }
        let reaped = try await statement(transaction) { statement throws(ModelError) in
            let picked = try await tables.tasks.lock(statement, tables.tasks.find(statement, where: isLost), .update, .skip, limit: limit)
            return try await tables.tasks.update(statement, picked) { task in
                task.state = .settled
                task.settledAt = self.now
                task.outcome = .lost
                task.failure = Failure(type: .lost, message: "the worker was lost in mid-call")
            }.count
        }
        guard reaped < limit else { return reaped }
        try await statement(transaction) { statement throws(ModelError) in
            let holding = Set(tables.tasks.find(statement) { $0.state == .leased }.rows.compactMap(\.session))
            let done = tables.sessions.find(statement) { dead.contains($0.id) && !holding.contains($0.id) }
            try await tables.sessions.update(statement, done) { $0.reapedAt = self.now }
        }
        try await statement(transaction) { statement throws(ModelError) in
            try await tables.notices.delete(statement, tables.notices.find(statement) { dead.contains($0.key.session) })
        }
        return reaped
    }

    // The mutant: ready again at once, held if the run was seen paused or cancelled.
    private func free(
        _ transaction: Transaction, limit: Int, where isLost: @escaping (TaskRow) -> Bool
    ) async throws(ModelError) -> Int {
        try await statement(transaction) { statement throws(ModelError) in
            let stopped = Set(tables.runs.find(statement) { $0.pausedAt != nil || $0.cancelRequestedAt != nil }.rows.map(\.id))
            let picked = try await tables.tasks.lock(statement, tables.tasks.find(statement, where: isLost), .update, .skip, limit: limit)
            return try await tables.tasks.update(statement, picked) { task in
                task.forgetLease()
                task.state = .ready
                task.losses += 1
                task.held = stopped.contains(task.run)
            }.count
        }
    }
}
