// Verbs that wait for something outside, and the one that tells others.

import Expressions
import WorkflowModel

extension DefinitionReader {
    mutating func eventWait(
        _ field: Field, _ surroundings: Surroundings, _ timeout: inout Duration?, isTimeoutGiven: Bool
    ) -> EventWait? {
        if field.members == nil {
            return name(field, .event).map { EventWait(patterns: [EventPattern(event: $0)]) }
        }
        guard let entries = entries(field, .await) else { return nil }
        var wait = EventWait(patterns: [])
        let match = entries["match"].flatMap { condition($0, .step("match", surroundings, extra: ["event"])) }
        switch (entries["event"], entries["any"]) {
        case (let event?, nil):
            if let name = name(event, .event) { wait.patterns = [EventPattern(event: name, match: match)] }
        case (nil, let any?):
            if let misplaced = entries.member("match") {
                reportKey(
                    .conflictingKeys, "`match` belongs to each event of `any`", misplaced, in: field.path, fix: "move it to the events")
            }
            wait.patterns = patterns(any, surroundings)
        case (_?, _?):
            if let any = entries.member("any") {
                reportKey(
                    .conflictingKeys, "`await` has either `event` or `any`, not both", any, in: field.path,
                    fix: "move the event into the list of `any`")
            }
        case (nil, nil):
            report(.missingKey, "`await` needs `event` or `any`", at: field, fix: "add event: NAME")
        }
        if let key = entries["key"] { wait.key = templateText(key, .step("key", surroundings)).map { .string($0) } }
        if let lookback = entries["lookback"] { wait.lookback = duration(lookback) }
        if let consume = entries["consume"], let word = word(consume, EventWait.Consumption.self) { wait.consume = word }
        if let member = entries.member("timeout") {
            if isTimeoutGiven {
                reportKey(
                    .conflictingKeys, "the step says twice how long it waits: in `timeout` and in `await.timeout`", member, in: field.path,
                    fix: "remove one of them")
            }
            timeout = duration(field.member(member))
        }
        return wait
    }

    private mutating func patterns(_ field: Field, _ surroundings: Surroundings) -> [EventPattern] {
        guard let elements = field.elements else {
            wrongType(field, expected: "a list of events", fix: "write - event: NAME")
            return []
        }
        if elements.isEmpty {
            report(.emptyBlock, "`any` names no event, so the step would wait for ever", at: field, fix: "add - event: NAME")
        }
        return elements.compactMap { element in
            guard let entries = entries(element, .eventPattern) else { return nil }
            let match = entries["match"].flatMap { condition($0, .step("match", surroundings, extra: ["event"])) }
            return required("event", in: entries, "an event of `any`", fix: "add event: NAME")
                .flatMap { name($0, .event) }.map { EventPattern(event: $0, match: match) }
        }
    }

    mutating func approval(_ field: Field, _ surroundings: Surroundings) -> Approval? {
        guard let entries = entries(field, .approval) else { return nil }
        var approval = Approval(by: [])
        if let by = required("by", in: entries, "`approve`", fix: "add by: [GROUP]") {
            guard let elements = by.elements else {
                wrongType(by, expected: "a list of people and groups", fix: by.string.map { "write [\($0)]" })
                return nil
            }
            if elements.isEmpty { report(.emptyBlock, "`by` names nobody who could decide", at: by, fix: "add a person or a group") }
            approval.by = elements.compactMap { templateText($0, .step("approve", surroundings)) }
        }
        if let count = entries["count"], let number = integer(count, in: 1...1000) { approval.count = number }
        if let form = entries["form"] { approval.form = schema(form) }
        if let notSelf = entries["notSelf"] { approval.excludesStarter = boolean(notSelf) ?? false }
        return approval
    }

    mutating func sleep(_ field: Field, _ surroundings: Surroundings) -> Sleep? {
        let place = ExpressionPlace.step("sleep", surroundings)
        guard let members = field.members else { return length(field, place) }
        let isMoment = members.contains { $0.key == "until" }
        if isMoment, let member = members.first(where: { $0.key == "duration" }) {
            reportKey(
                .conflictingKeys, "`sleep` has either `duration` or `until`, not both", member, in: field.path, fix: "remove one of them")
            return nil
        }
        guard let entries = entries(field, isMoment ? .sleepUntil : .sleepFor) else { return nil }
        guard isMoment else {
            return required("duration", in: entries, "`sleep`", fix: "write sleep: 5s, or add until: TIMESTAMP")
                .flatMap { length($0, place) }
        }
        guard let until = entries["until"], let text = templateText(until, place) else { return nil }
        if source != nil, !text.contains("${{"), Moment(text) == nil {
            report(
                .invalidConstant, "\(Wording.quoted(text)) is no timestamp", at: until,
                fix: "write one such as 2026-01-31T08:00:00Z, or an expression in ${{ }}")
        }
        return .until(text)
    }

    // A duration, or an expression that gives one.
    private mutating func length(_ field: Field, _ place: ExpressionPlace) -> Sleep? {
        if let text = field.string, text.contains("${{") {
            check(field, text, place)
            return .computed(text)
        }
        return duration(field).map { .duration($0) }
    }

    mutating func emission(_ field: Field, _ surroundings: Surroundings) -> Emission? {
        if field.members == nil { return name(field, .event).map { Emission(event: $0) } }
        guard let entries = entries(field, .emission) else { return nil }
        let place = ExpressionPlace.step("emit", surroundings)
        var emission = Emission(event: "")
        if let event = required("event", in: entries, "`emit`", fix: "add event: NAME") { emission.event = name(event, .event) ?? "" }
        if let key = entries["key"] { emission.key = templateText(key, place) }
        if let data = entries["data"] { emission.data = template(data, place) }
        if let run = entries["run"] { emission.run = templateText(run, place) }
        return emission
    }

    /// Text that may hold expressions.
    mutating func templateText(_ field: Field, _ place: ExpressionPlace) -> String? {
        guard let text = text(field) else { return nil }
        check(field, text, place)
        return text
    }
}
