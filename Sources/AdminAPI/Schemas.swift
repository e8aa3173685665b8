// The shapes of bodies and answers, as the OpenAPI document shows them. Answers are rows of views: columns may be added, so they stay open.

import RunStore
import WorkflowModel

enum Schemas {
    static func reference(_ name: String) -> JSONValue { ["$ref": .string("#/components/schemas/\(name)")] }

    static func page(_ name: String) -> JSONValue {
        [
            "type": "object", "required": ["items", "next_cursor"],
            "properties": ["items": ["type": "array", "items": reference(name)], "next_cursor": ["type": ["string", "null"]]],
        ]
    }

    static let paging: [Route.Parameter] = [
        .init(
            name: "limit", about: "How many items a page has at most.",
            schema: ["type": "integer", "minimum": 1, "maximum": .int(Int64(RunReader.largestPage)), "default": .int(Int64(Call.defaultPage))]),
        .init(name: "cursor", about: "Where the page begins: `next_cursor` of the page before it.", schema: ["type": "string"]),
    ]

    private static let text: JSONValue = ["type": "string"]
    private static let optionalText: JSONValue = ["type": ["string", "null"]]
    private static let integer: JSONValue = ["type": "integer"]
    private static let optionalInteger: JSONValue = ["type": ["integer", "null"]]
    private static let seconds: JSONValue = ["type": ["number", "null"]]
    private static let boolean: JSONValue = ["type": "boolean"]
    private static let anything: JSONValue = .object(JSONObject())
    private static let optionalObject: JSONValue = ["type": ["object", "null"]]
    private static let uuid: JSONValue = ["type": "string", "format": "uuid"]
    private static let moment: JSONValue = ["type": "string", "format": "date-time"]
    private static let optionalMoment: JSONValue = ["type": ["string", "null"], "format": "date-time"]
    private static let texts: JSONValue = ["type": "array", "items": ["type": "string"]]

    private static func object(_ properties: [(String, JSONValue)], required: [String] = []) -> JSONValue {
        var members = JSONObject()
        for (name, schema) in properties { members[name] = schema }
        var object = JSONObject()
        object["type"] = "object"
        if !required.isEmpty { object["required"] = .array(required.map { .string($0) }) }
        object["properties"] = .object(members)
        return .object(object)
    }

    static let components: JSONObject = {
        var all = JSONObject()
        all["StartRun"] = [
            "type": "object", "required": ["workflow"], "additionalProperties": false,
            "properties": [
                "workflow": text, "version": ["type": ["integer", "null"], "minimum": 1], "input": anything,
                "key": ["type": ["string", "null"], "minLength": 1, "maxLength": .int(Int64(AdminConfiguration.longestKey))],
                "labels": ["type": ["object", "null"], "additionalProperties": text, "maxProperties": .int(Int64(AdminConfiguration.mostLabels))],
            ],
        ]
        all["StartedRun"] = object(
            [("run_id", uuid), ("workflow", text), ("version", integer), ("is_replay", boolean)],
            required: ["run_id", "workflow", "version", "is_replay"])
        all["AppliedWorkflow"] = object(
            [
                ("workflow", text), ("version", integer), ("is_new", boolean), ("is_live", boolean), ("content_hash", text),
                ("warnings", ["type": "array", "items": reference("Diagnostic")]), ("missing_workflows", texts),
            ], required: ["workflow", "version", "is_new", "is_live", "content_hash", "warnings"])
        all["Diagnostic"] = object(
            [
                ("severity", ["enum": ["error", "warning"]]), ("code", text), ("message", text), ("line", integer), ("column", integer),
                ("length", integer), ("path", text), ("fix", optionalText),
            ], required: ["severity", "code", "message", "line", "column", "path"])
        all["Workflow"] = object(
            [
                ("namespace", text), ("workflow", text), ("live_version", optionalInteger), ("content_hash", optionalText),
                ("live_since", optionalMoment), ("versions", integer), ("created_at", moment), ("definition", optionalObject),
            ], required: ["namespace", "workflow", "live_version", "versions"])
        all["Version"] = object(
            [
                ("namespace", text), ("workflow", text), ("version", integer), ("content_hash", text), ("created_at", moment),
                ("is_live", ["type": ["boolean", "null"]]), ("steps", integer), ("definition", optionalObject), ("source", text),
            ], required: ["namespace", "workflow", "version", "content_hash"])
        all["Run"] = object(
            [
                ("run_id", uuid), ("namespace", text), ("workflow", text), ("version", integer),
                ("status", ["enum": .array(RunStatus.allCases.map { .string($0.rawValue) })]), ("is_cancelling", boolean),
                ("is_quarantined", boolean), ("submitted_at", moment), ("started_at", optionalMoment), ("ended_at", optionalMoment),
                ("duration_seconds", seconds), ("trigger", text), ("labels", optionalObject), ("deadline_at", optionalMoment), ("parent_run_id", ["type": ["string", "null"], "format": "uuid"]), ("parent_step", optionalText), ("source_run_id", ["type": ["string", "null"], "format": "uuid"]), ("root_run_id", uuid), ("depth", integer), ("paused_at", optionalMoment), ("paused_by", ["type": ["string", "null"], "format": "uuid"]), ("pause_reason", optionalText), ("draining", integer), ("steps_settled", integer),
                ("reason", optionalText), ("error_type", optionalText), ("error_message", optionalText), ("revision", integer),
                ("history_length", integer), ("input", anything), ("output", anything), ("error", optionalObject),
            ], required: ["run_id", "namespace", "workflow", "version", "status", "submitted_at"])
        all["Step"] = object(
            [
                ("run_id", uuid), ("step", text), ("verb", optionalText), ("status", ["enum": .array(StepStatus.allCases.map { .string($0.rawValue) })]),
                ("wait_reason", optionalText), ("attempt", integer), ("losses", integer), ("started_at", optionalMoment),
                ("finished_at", optionalMoment), ("duration_seconds", seconds), ("worker", optionalText), ("input", anything),
                ("output", anything), ("error", optionalObject), ("details", optionalObject), ("fence", optionalInteger),
                ("seq", optionalInteger), ("next_attempt_at", optionalMoment),
            ], required: ["run_id", "step", "status", "attempt"])
        all["Attempt"] = object(
            [
                ("run_id", uuid), ("step", text), ("attempt", integer), ("fence", integer), ("session_id", optionalInteger),
                ("worker", optionalText), ("status", text), ("discarded", boolean), ("started_at", optionalMoment),
                ("finished_at", optionalMoment), ("error", optionalObject), ("details", optionalObject),
            ], required: ["run_id", "step", "attempt", "fence", "status"])
        all["Event"] = object(
            [
                ("run_id", uuid), ("seq", integer), ("event", text), ("step", optionalText), ("attempt", optionalInteger), ("at", moment),
                ("body", anything),
            ], required: ["run_id", "seq", "event", "at"])
        all["AcceptedEvent"] = object(
            [
                ("event_id", integer), ("namespace", text), ("event", text), ("run_id", ["type": ["string", "null"], "format": "uuid"]),
                ("key", optionalText), ("source", optionalText), ("source_id", optionalText), ("actor", optionalText), ("data", anything),
                ("at", moment), ("status", ["enum": ["buffered", "offered", "consumed", "refused", "dropped", "expired"]]),
                ("taken_by", ["type": ["string", "null"], "format": "uuid"]), ("taken_by_step", optionalText),
                ("decided_at", optionalMoment), ("reason", optionalText), ("expires_at", moment), ("consumers", ["type": ["array", "null"]]),
            ], required: ["event_id", "event", "status", "at"])
        all["Waiting"] = object(
            [
                ("step", optionalText), ("status", text), ("reason", text), ("detail", text), ("remedy", optionalText),
                ("since", optionalMoment), ("until", optionalMoment),
            ], required: ["step", "status", "reason", "detail"])
        all["TraceItem"] = object(
            [
                ("level", integer), ("kind", ["enum": ["run", "step", "letter"]]), ("run_id", uuid), ("workflow", optionalText), ("step", optionalText),
                ("verb", optionalText), ("status", text), ("wait_reason", optionalText), ("attempts", optionalInteger),
                ("started_at", optionalMoment), ("ended_at", optionalMoment), ("duration_seconds", seconds), ("error", optionalText),
                ("relation", optionalText),
            ], required: ["level", "kind", "run_id", "status"])
        all["Agent"] = object([("agent", text), ("kind", text), ("workflows", texts)], required: ["agent", "kind", "workflows"])
        all["Worker"] = object(
            [
                ("session_id", integer), ("namespace", text), ("worker", text), ("host", text), ("pid", integer), ("version", text),
                ("queues", ["type": ["array", "null"], "items": text]), ("slots", integer), ("slots_used", integer), ("status", text),
                ("started_at", moment), ("heartbeat_at", moment), ("lease_until", moment), ("dead_at", optionalMoment),
                ("dead_reason", optionalText),
            ], required: ["session_id", "worker", "status"])
        all["Queue"] = object(
            [
                ("namespace", text), ("queue", text), ("ready", integer), ("running", integer), ("waiting", integer), ("held", integer),
                ("oldest_ready_seconds", seconds), ("workers", integer), ("slots", integer),
            ], required: ["queue", "ready", "running", "waiting"])
        all["Problem"] = object(
            [
                ("type", text), ("title", text), ("status", integer), ("detail", text),
                ("code", ["enum": .array(ProblemCode.allCases.map { .string($0.rawValue) })]), ("request_id", text),
                ("retry_after_seconds", integer), ("errors", ["type": "array"]),
                ("diagnostics", ["type": "array", "items": reference("Diagnostic")]),
            ], required: ["type", "title", "status", "code", "request_id"])
        return all
    }()
}
