// Measures Skein. What is measured is a subcommand; without one it is a whole cluster.

import ArgumentParser
import Programs

@main
struct SkeinBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "skein-bench",
        abstract: "Measures Skein on this machine, and feeds it inputs that hurt.",
        discussion: """
            Without a subcommand a whole cluster is measured beside its targets: skein-bench --workloads W1,W2 --json, or \
            skein-bench --check. Its options, and what the workloads are, are in skein-bench cluster --help.
            """,
        subcommands: [
            ClusterCommand.self, CurveCommand.self, ScaleCommand.self, OverloadCommand.self, SnapshotCommand.self,
            ExpressionsCommand.self, FuzzCommand.self, SimulateCommand.self, ChaosCommand.self,
        ],
        defaultSubcommand: ClusterCommand.self)

    static func main() async { await CommandLineEntry.run(Self.self) }
}
