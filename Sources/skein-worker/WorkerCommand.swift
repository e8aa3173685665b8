// The worker: takes tasks, calls agents, reports. Start as many as you like, on as many machines as you like.

import AgentCalls
import ArgumentParser
import Foundation
import Logging
import Postgres
import Programs
import ServiceLifecycle
import ServerSettings
import Telemetry
import WorkflowModel
import Working

@main
struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "skein-worker", abstract: "Carries out workflow steps.",
        discussion: "Every option can be given as an environment variable, named behind it, or as a key in the --config file.",
        version: Release.version)

    @Option(.config) var config: String?
    @Option(.databaseURL) var databaseURL: String?
    @Option(.namespace) var namespace: String?
    @Option(.name) var name: String?
    @Option(.queues) var queues: String?
    @Option(.slots) var slots: String?
    @Option(.execAllow) var execAllow: String?
    @Option(.lease) var lease: String?
    @Option(.drainTimeout) var drainTimeout: String?
    @Option(.pollInterval) var pollInterval: String?
    @Option(.logLevel) var logLevel: String?
    @Option(.logFormat) var logFormat: String?
    @Flag(.allowNoop) var allowNoop: Bool?
    @Flag(name: .customLong("print-config"), help: "Show the effective settings and where they come from, and stop.") var printConfig = false

    @Flag(name: .customLong("exec-guard"), help: .hidden) var execGuard = false

    static func main() async { await CommandLineEntry.run(Self.self) }

    func run() async throws {
        if execGuard { return ProcessGuard.watch() }
        let settings: Settings
        do {
            settings = try await readSettings()
        } catch let error as SettingsError {
            Ending.explain("skein-worker", error.description)
            throw error.exitCode
        }
        if printConfig { return announce(settings.shown(derived: [Setting.name.key: WorkerProcess.name(settings)])) }
        LogBootstrap.start(
            level: Logger.Level(rawValue: settings.string(.logLevel)) ?? .info, format: LogFormat(rawValue: settings.string(.logFormat)) ?? .auto)
        try await WorkerProcess(settings).run()
    }

    private func readSettings() async throws -> Settings {
        try await Settings(
            of: Setting.ofWorker,
            options: [
                (.config, config), (.databaseURL, databaseURL), (.namespace, namespace), (.name, name), (.queues, queues), (.slots, slots),
                (.execAllow, execAllow), (.lease, lease), (.drainTimeout, drainTimeout), (.pollInterval, pollInterval),
                (.logLevel, logLevel), (.logFormat, logFormat), (.allowNoop, allowNoop.map(String.init)),
            ])
    }
}
