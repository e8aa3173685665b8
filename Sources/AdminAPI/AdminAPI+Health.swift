// Health, metrics, and what explains the API.

import Hummingbird
import Logging
import RunStore
import Synchronization
import Telemetry
import WorkflowModel

/// When the gauges of the database were read, and when they may be read again.
struct GaugeSchedule {
    var nextRead = ContinuousClock.now
    var isReading = false
}

extension AdminAPI {
    static let healthRoutes: [Route] = [
        Route(
            method: .get, path: "/livez", name: "live", about: "Whether the process answers.", access: .open,
            answers: [.init(status: 200, about: "It does.")]
        ) { _, _ in .json(["status": "alive"]) },
        Route(
            method: .get, path: "/readyz", name: "ready", about: "Whether the database can be reached and has the right schema.", access: .open,
            answers: [.init(status: 200, about: "Everything is ready.")], problems: [.databaseUnavailable, .schemaNotReady]
        ) { api, _ in
            switch api.readiness.state {
            case .ready(let schema): return .json(["status": "ready", "schema": .int(Int64(schema))])
            case .unknown: throw Problem(.databaseUnavailable, "The database has not been looked at yet.")
            case .unreachable(let reason): throw Problem(.databaseUnavailable, "\(reason).")
            case .schemaOlder(let reason), .schemaNewer(let reason), .unsafe(let reason): throw Problem(.schemaNotReady, reason)
            }
        },
        Route(
            method: .get, path: "/metrics", name: "metrics",
            about: "Metrics in the Prometheus text format. Gauges of the database are the same on every coordinator: take their maximum.",
            access: .scope(.read), answers: [.init(status: 200, about: "The metrics.", contentType: MetricsRegistry.contentType, schema: ["type": "string"])]
        ) { api, _ in
            await api.refreshGauges()
            api.metrics.noteProcess(component: "coordinator", version: api.configuration.version)
            return .text(api.metrics.render(), contentType: MetricsRegistry.contentType)
        },
        Route(
            method: .get, path: "/api/v1/meta", name: "meta", about: "Which release answers here.", access: .open,
            answers: [.init(status: 200, about: "The release and what it needs.")]
        ) { api, _ in
            .json([
                "product": "skein", "version": .string(api.configuration.version), "keys_required": .bool(api.configuration.requiresKeys),
                "limits": [
                    "input_bytes": .int(Int64(api.configuration.inputLimit)), "body_bytes": .int(Int64(api.configuration.bodyLimit)),
                    "batch_bytes": .int(Int64(api.configuration.batchLimit)), "batch_runs": .int(Int64(AdminConfiguration.largestBatch)),
                ],
            ])
        },
        Route(
            method: .get, path: "/api/v1/openapi.json", name: "openapi", about: "This API as an OpenAPI 3.1 document.", access: .open,
            answers: [.init(status: 200, about: "The document.")]
        ) { api, _ in .json(OpenAPI.document(api.table.routes, version: api.configuration.version)) },
        Route(
            method: .get, path: "/problems", name: "listProblems", about: "All problem codes.", access: .open,
            answers: [.init(status: 200, about: "The codes with their titles.")]
        ) { _, _ in
            .json([
                "items": .array(
                    ProblemCode.allCases.map { code in
                        [
                            "code": .string(code.rawValue), "status": .int(Int64(code.status.code)), "title": .string(code.title),
                            "type": .string(code.typePath),
                        ]
                    })
            ])
        },
        Route(
            method: .get, path: "/problems/{code}", name: "explainProblem", about: "What a problem code means, and what to do.", access: .open,
            answers: [.init(status: 200, about: "The page.", contentType: "text/plain; charset=utf-8", schema: ["type": "string"])],
            problems: [.routeNotFound]
        ) { _, call in
            guard let code = ProblemCode(rawValue: call.capture("code")) else {
                throw Problem(.routeNotFound, "There is no problem code \"\(call.capture("code"))\"; /problems lists them.")
            }
            return .text(code.explanation)
        },
    ]

    private static let shortestGaugePause: Duration = .seconds(3)
    /// Reading the gauges may take this part of the time at most, so that a database with a million tasks is not kept busy by its metrics.
    private static let gaugeShare = 0.02

    private func refreshGauges() async {
        let isDue = gaugeSchedule.withLock { schedule in
            guard !schedule.isReading, schedule.nextRead <= .now, readiness.state.isReady else { return false }
            schedule.isReading = true
            return true
        }
        guard isDue else { return }
        let begun = ContinuousClock.now
        do {
            let gauges = try await reader.gauges()
            metrics.replace(.queueReady, with: gauges.queues.map { ([$0.queue], Double($0.ready)) })
            metrics.replace(.queueLeased, with: gauges.queues.map { ([$0.queue], Double($0.leased)) })
            metrics.replace(.queueDelayed, with: gauges.queues.map { ([$0.queue], Double($0.delayed)) })
            metrics.replace(.queueOldestReady, with: gauges.queues.map { ([$0.queue], $0.oldestReadySeconds) })
            metrics.replace(.workers, with: gauges.workers.map { ([$0.state], Double($0.count)) })
            metrics.replace(.runs, with: [(["live"], Double(gauges.liveRuns))])
            metrics.set(.outcomesPending, to: Double(gauges.outcomesPending))
        } catch {
            log.debug("The gauges could not be read", metadata: [.error: "\(error)"])
        }
        let took = ContinuousClock.now - begun
        gaugeSchedule.withLock { schedule in
            schedule.isReading = false
            schedule.nextRead = .now + max(Self.shortestGaugePause, took / Self.gaugeShare)
        }
    }
}
