// The coordinator: HTTP, the fold, timers and leases, in one process. Start as many as you like on one database.

import AdminAPI
import ArgumentParser
import Coordination
import Logging
import Postgres
import Programs
import RunStore
import ServerSettings
import Telemetry
import WorkflowModel

@main
struct CoordinatorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "skein-coordinator", abstract: "Schedules workflow steps and serves the admin API.",
        discussion: "Every option can be given as an environment variable, named behind it, or as a key in the --config file.",
        version: Release.version)

    @Option(.config) var config: String?
    @Option(.databaseURL) var databaseURL: String?
    @Option(.address) var address: String?
    @Option(.port) var port: String?
    @Flag(.requireApiKeys) var requireApiKeys: Bool?
    @Flag(.migrate) var migrate: Bool?
    @Option(.poolSize) var poolSize: String?
    @Option(.connectionLimit) var connectionLimit: String?
    @Option(.foldLimit) var foldLimit: String?
    @Option(.foldLanes) var foldLanes: String?
    @Option(.pollInterval) var pollInterval: String?
    @Option(.lease) var lease: String?
    @Option(.inputLimit) var inputLimit: String?
    @Option(.bodyLimit) var bodyLimit: String?
    @Option(.batchLimit) var batchLimit: String?
    @Option(.backlogLimit) var backlogLimit: String?
    @Option(.submitWaiting) var submitWaiting: String?
    @Option(.requestBytes) var requestBytes: String?
    @Option(.historyRetention) var historyRetention: String?
    @Option(.checkInterval) var checkInterval: String?
    @Option(.checkRuns) var checkRuns: String?
    @Option(.drainTimeout) var drainTimeout: String?
    @Option(.logLevel) var logLevel: String?
    @Option(.logFormat) var logFormat: String?
    @Flag(.allowNoop) var allowNoop: Bool?
    @Flag(name: .customLong("print-config"), help: "Show the effective settings and where they come from, and stop.") var printConfig = false

    static func main() async { await CommandLineEntry.run(Self.self) }

    func run() async throws {
        let settings: Settings
        do {
            settings = try await readSettings()
        } catch let error as SettingsError {
            Ending.explain("skein-coordinator", error.description)
            throw error.exitCode
        }
        if printConfig { return announce(settings.shown(derived: [Setting.requireApiKeys.key: String(CoordinatorProcess.requiresKeys(settings))])) }
        LogBootstrap.start(
            level: Logger.Level(rawValue: settings.string(.logLevel)) ?? .info, format: LogFormat(rawValue: settings.string(.logFormat)) ?? .auto)
        try await CoordinatorProcess(settings).run()
    }

    private func readSettings() async throws -> Settings {
        try await Settings(
            of: Setting.ofCoordinator,
            options: [
                (.config, config), (.databaseURL, databaseURL), (.address, address), (.port, port),
                (.requireApiKeys, requireApiKeys.map(String.init)), (.migrate, migrate.map(String.init)), (.poolSize, poolSize),
                (.connectionLimit, connectionLimit), (.foldLimit, foldLimit), (.foldLanes, foldLanes), (.pollInterval, pollInterval), (.lease, lease),
                (.inputLimit, inputLimit), (.bodyLimit, bodyLimit), (.batchLimit, batchLimit), (.backlogLimit, backlogLimit),
                (.submitWaiting, submitWaiting), (.requestBytes, requestBytes), (.historyRetention, historyRetention),
                (.checkInterval, checkInterval), (.checkRuns, checkRuns), (.drainTimeout, drainTimeout),
                (.logLevel, logLevel), (.logFormat, logFormat), (.allowNoop, allowNoop.map(String.init)),
            ])
    }
}
