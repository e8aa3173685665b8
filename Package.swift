// swift-tools-version: 6.2
// Skein: durable workflows for agents, on nothing but PostgreSQL.
//
// Targets stand on floors; a target imports only from the floors below it. The floors are listed from the bottom up.
import PackageDescription

let package = Package(
    name: "skein",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "skein", targets: ["skein"]),
        .executable(name: "skein-coordinator", targets: ["skein-coordinator"]),
        .executable(name: "skein-worker", targets: ["skein-worker"]),
        .executable(name: "skein-bench", targets: ["skein-bench"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.0.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.0"),
    ],
    targets: [
        // Floor 0: C libraries of the system.
        .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CMalloc"),
        .systemLibrary(name: "CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),

        // Floor 0 as well: what debug builds let tests do to them. Nothing of it is in a release.
        .target(name: "Faults"),

        // Floor 1: nouns, the database client, patterns, telemetry names, what all programs have in common.
        .target(name: "WorkflowModel"),
        .target(name: "Postgres", dependencies: ["CLibPQ", "Faults"]),
        .target(name: "EmbeddedPostgres"),
        .target(name: "Patterns", dependencies: ["CPCRE2"]),
        .target(name: "Telemetry", dependencies: [.log]),
        .target(name: "Programs", dependencies: [.argumentParser]),

        // Floor 2: expressions, JSON Schema, the embedded SQL.
        .target(name: "Expressions", dependencies: ["WorkflowModel", "Patterns"]),
        .target(name: "JSONSchema", dependencies: ["WorkflowModel", "Patterns"]),
        .target(name: "Schema", dependencies: ["Postgres"]),

        // Floor 3: the workflow file, and what a worker may do with the queue.
        .target(name: "Definitions", dependencies: ["WorkflowModel", "Expressions", "JSONSchema", .yams, .crypto]),
        .target(name: "TaskQueue", dependencies: ["WorkflowModel", "Postgres"]),

        // Floor 4: the pure engine; one agent call.
        .target(name: "Engine", dependencies: ["WorkflowModel", "Expressions", "JSONSchema"]),
        .target(
            name: "AgentCalls",
            dependencies: ["WorkflowModel", "Expressions", "Telemetry", .asyncHTTPClient, .subprocess, .log, .nioCore, .nioHTTP1]),

        // Floor 5: what the coordinator loads and saves.
        .target(
            name: "RunStore",
            dependencies: [
                "WorkflowModel", "Faults", "Expressions", "JSONSchema", "Postgres", "Definitions", "TaskQueue", "Engine", .crypto, .collections,
            ]),

        // Floor 5 as well: the protocol under a simulator on a database that behaves like PostgreSQL.
        .target(
            name: "Simulation", dependencies: ["WorkflowModel", "Expressions", "Engine"]),

        // Floor 6: the services of the two binaries.
        .target(
            name: "Coordination",
            dependencies: ["WorkflowModel", "Faults", "Postgres", "Telemetry", "Schema", "Engine", "RunStore", .log, .lifecycle]),
        .target(
            name: "Working",
            dependencies: ["WorkflowModel", "Faults", "Postgres", "Telemetry", "Definitions", "TaskQueue", "AgentCalls", .log, .lifecycle, .crypto]),

        // Floor 7: HTTP.
        .target(
            name: "AdminAPI",
            dependencies: [
                "WorkflowModel", "Faults", "Postgres", "Telemetry", "Schema", "Definitions", "RunStore", "Coordination", .hummingbird, .log,
                .crypto, .nioCore, .httpTypes,
            ]),

        .target(
            name: "CommandLine",
            dependencies: [
                "WorkflowModel", "EmbeddedPostgres", "Postgres", "Programs", "Schema", "Expressions", "Definitions", "RunStore", .log,
                .asyncHTTPClient, .httpTypes, .hummingbird, .nioCore, .nioHTTP1,
            ]),

        .target(
            name: "ServerSettings",
            dependencies: ["CMalloc", "WorkflowModel", "Postgres", "Telemetry", .argumentParser, .configuration, .log, .lifecycle, .unixSignals]),

        // Floor 7 as well: clusters of real processes under faults, for `skein-bench chaos` and for the end-to-end tests.
        .target(
            name: "Chaos",
            dependencies: [
                "WorkflowModel", "EmbeddedPostgres", "Postgres", "Schema", .asyncHTTPClient, .nioCore, .nioHTTP1, .nioPosix,
            ]),

        // Floor 8: executables.
        .executableTarget(
            name: "skein-coordinator",
            dependencies: [
                "ServerSettings", "WorkflowModel", "Postgres", "Programs", "Telemetry", "Schema", "RunStore", "Coordination", "AdminAPI",
                .argumentParser, .log, .lifecycle,
            ]),
        .executableTarget(
            name: "skein-worker",
            dependencies: [
                "ServerSettings", "WorkflowModel", "Postgres", "Programs", "Telemetry", "Schema", "TaskQueue", "AgentCalls", "Working",
                .argumentParser, .log, .lifecycle,
            ]),
        .executableTarget(
            name: "skein",
            dependencies: [
                "CommandLine", "WorkflowModel", "EmbeddedPostgres", "Postgres", "Programs", "Telemetry", "Schema", "Expressions", "Definitions",
                "RunStore", .argumentParser, .configuration, .log, .asyncHTTPClient, .hummingbird, .lifecycle, .nioCore,
            ]),
        .executableTarget(
            name: "skein-bench",
            dependencies: [
                "WorkflowModel", "Patterns", "Expressions", "JSONSchema", "Definitions", "Simulation", "EmbeddedPostgres", "Postgres", "Programs",
                "Chaos", .argumentParser, .asyncHTTPClient, .nioCore, .nioHTTP1, .nioPosix,
            ]),

        // Tests, from the bottom up.
        .target(name: "PostgresTestKit", dependencies: ["EmbeddedPostgres", "Postgres", "Schema"], path: "Tests/PostgresTestKit"),
        // Wrong inputs and the answers to them, which tests of several targets read.
        .target(name: "BadInput", path: "Tests/BadInput", exclude: ["Cases"]),
        .testTarget(name: "WorkflowModelTests", dependencies: ["WorkflowModel"]),
        .testTarget(name: "TelemetryTests", dependencies: ["Telemetry", .log]),
        .testTarget(name: "PostgresTests", dependencies: ["Postgres", "PostgresTestKit"]),
        .testTarget(name: "ExpressionsTests", dependencies: ["BadInput", "Expressions", "Patterns", "WorkflowModel"]),
        .testTarget(name: "JSONSchemaTests", dependencies: ["BadInput", "JSONSchema", "Patterns", "WorkflowModel"]),
        .testTarget(name: "SchemaTests", dependencies: ["Schema", "Postgres", "PostgresTestKit"]),
        .testTarget(name: "DefinitionsTests", dependencies: ["Definitions", "WorkflowModel"], exclude: ["Fixtures"]),
        .testTarget(name: "EngineTests", dependencies: ["Engine", "Simulation", "Definitions", "Expressions", "WorkflowModel"]),
        .testTarget(
            name: "AgentCallsTests", dependencies: ["AgentCalls", "BadInput", "Telemetry", "WorkflowModel", .nioCore, .nioHTTP1, .nioPosix]),
        .testTarget(
            name: "RunStoreTests",
            dependencies: ["RunStore", "TaskQueue", "Engine", "Definitions", "Schema", "Postgres", "PostgresTestKit", "WorkflowModel"]),
        .testTarget(
            name: "SimulationTests",
            dependencies: ["Simulation", "Schema", "Postgres", "PostgresTestKit", "WorkflowModel"]),
        .testTarget(name: "WorkingTests", dependencies: ["Working", "TaskQueue", "WorkflowModel"]),
        .testTarget(
            name: "CoordinationTests", dependencies: ["Coordination", "Postgres", "PostgresTestKit", "RunStore", "Schema", "Telemetry", "WorkflowModel", .log]),
        .testTarget(
            name: "AdminAPITests",
            dependencies: [
                "AdminAPI", "AgentCalls", "BadInput", "RunStore", "Coordination", "Definitions", "Engine", "Expressions", "JSONSchema", "ServerSettings",
                "Schema", "Postgres", "PostgresTestKit", "Telemetry",
                "WorkflowModel", .hummingbird, .product(name: "HummingbirdTesting", package: "hummingbird"), .log,
            ]),
        .testTarget(
            name: "CommandLineTests",
            dependencies: ["BadInput", "CommandLine", "Definitions", "Programs", "ServerSettings", "WorkflowModel", "skein", .argumentParser]),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "BadInput", "Chaos", "WorkflowModel", "Definitions", "JSONSchema", "Faults", "EmbeddedPostgres", "Postgres", "Programs", "Schema",
                "PostgresTestKit",
                .asyncHTTPClient, .nioCore, .nioHTTP1, .nioPosix,
            ]),
    ]
)

extension Target.Dependency {
    static var argumentParser: Self { .product(name: "ArgumentParser", package: "swift-argument-parser") }
    static var asyncHTTPClient: Self { .product(name: "AsyncHTTPClient", package: "async-http-client") }
    static var collections: Self { .product(name: "OrderedCollections", package: "swift-collections") }
    static var configuration: Self { .product(name: "Configuration", package: "swift-configuration") }
    static var crypto: Self { .product(name: "Crypto", package: "swift-crypto") }
    static var httpTypes: Self { .product(name: "HTTPTypes", package: "swift-http-types") }
    static var hummingbird: Self { .product(name: "Hummingbird", package: "hummingbird") }
    static var lifecycle: Self { .product(name: "ServiceLifecycle", package: "swift-service-lifecycle") }
    static var unixSignals: Self { .product(name: "UnixSignals", package: "swift-service-lifecycle") }
    static var log: Self { .product(name: "Logging", package: "swift-log") }
    static var nioCore: Self { .product(name: "NIOCore", package: "swift-nio") }
    static var nioHTTP1: Self { .product(name: "NIOHTTP1", package: "swift-nio") }
    static var nioPosix: Self { .product(name: "NIOPosix", package: "swift-nio") }
    static var subprocess: Self { .product(name: "Subprocess", package: "swift-subprocess") }
    static var yams: Self { .product(name: "Yams", package: "Yams") }
}

// What a process touches while it starts counts as its memory: lld keeps the places that have to be relocated in a fiftieth of the bytes (glibc 2.36 and
// later understands them), and leaves the table of symbols that nobody looks up.
for target in package.targets where target.type == .executable {
    target.linkerSettings = [
        .unsafeFlags(
            ["-use-ld=lld", "-Xlinker", "-z", "-Xlinker", "pack-relative-relocs", "-Xlinker", "--no-export-dynamic"],
            .when(platforms: [.linux], configuration: .release))
    ]
}

// The same settings for every target: Swift 6 mode, and a warning stops the build.
for target in package.targets where target.type != .system {
    target.swiftSettings = [
        .swiftLanguageMode(.v6),
        .treatAllWarnings(as: .error),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    ]
}
