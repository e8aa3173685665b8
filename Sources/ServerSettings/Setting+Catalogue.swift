// Every key of the configuration. One list for all binaries, so that they can share a file.

extension Setting {
    // Everybody

    package static let config = Setting(key: "config", kind: .text, fallback: "", about: "A JSON file with settings; options and environment win over it.")
    package static let databaseURL = Setting(
        key: "database.url", kind: .database, fallback: "postgresql://localhost:5432/skein",
        about: "The database: a postgresql:// address or key=value pairs, as libpq takes them.")
    package static let logLevel = Setting(
        key: "log.level", kind: .choice(["trace", "debug", "info", "notice", "warning", "error", "critical"]), fallback: "info",
        about: "The least that is logged.")
    package static let logFormat = Setting(
        key: "log.format", kind: .choice(["auto", "text", "json"]), fallback: "auto",
        about: "How log lines look; auto is text on a terminal and JSON elsewhere.")
    package static let pollInterval = Setting(
        key: "poll.interval", kind: .duration(.milliseconds(10) ... .seconds(60)), fallback: "5s",
        about: "How long to sleep at most before looking without having been woken.")
    package static let lease = Setting(
        key: "lease", kind: .duration(.seconds(1) ... .seconds(600)), fallback: "10s",
        about: "How long a worker's tasks stay its own when it is not heard of. Use the same for workers and coordinators.")
    package static let drainTimeout = Setting(
        key: "drain.timeout", kind: .duration(.zero ... .seconds(86_400)), fallback: "30s",
        about: "How long what is under way may take to finish after SIGTERM.")
    package static let allowNoop = Setting(
        key: "allow.noop", kind: .boolean, fallback: "false", about: "Take agents of the kind noop, which do nothing. For tests and benchmarks.",
        isHidden: true)

    // The coordinator

    package static let address = Setting(
        key: "address", kind: .text, fallback: "127.0.0.1",
        about: "Where to listen. Anything but a loopback address needs API keys.")
    package static let port = Setting(key: "port", kind: .integer(0...65_535), fallback: "7070", about: "The port to listen on; 0 takes any free one.")
    package static let requireApiKeys = Setting(
        key: "require.api.keys", kind: .boolean, fallback: nil,
        about: "Answer only to requests with a valid API key. Default: true, unless address is a loopback address.")
    package static let foldLimit = Setting(key: "fold.limit", kind: .integer(1...2000), fallback: "1000", about: "How many outcomes one fold takes at most.")
    package static let foldLanes = Setting(
        key: "fold.lanes", kind: .integer(1...16), fallback: "2", about: "How many folds may be under way at the same time, each on runs of its own.")
    package static let poolSize = Setting(key: "pool.size", kind: .integer(1...200), fallback: "8", about: "How many database connections serve requests.")
    package static let connectionLimit = Setting(
        key: "connection.limit", kind: .integer(1...100_000), fallback: "10000", about: "How many HTTP connections may be open at a time.")
    package static let inputLimit = Setting(
        key: "input.limit", kind: .integer(1024...(256 << 20)), fallback: "1048576", about: "The most bytes of a run's input.")
    package static let bodyLimit = Setting(
        key: "body.limit", kind: .integer(1024...(256 << 20)), fallback: "2097152", about: "The most bytes of a request's body.")
    package static let batchLimit = Setting(
        key: "batch.limit", kind: .integer(1024...(512 << 20)), fallback: "16777216", about: "The most bytes of the body of a batch of runs.")
    package static let backlogLimit = Setting(
        key: "backlog.limit", kind: .integer(0...1_000_000_000), fallback: "1000000",
        about: "How many runs may be under way when the API accepts another one; past that submits are refused (429). 0 is no bound.")
    package static let submitWaiting = Setting(
        key: "submit.waiting", kind: .integer(1...1_000_000), fallback: "20000",
        about: "How many submits may wait to be committed; past that they are refused (429).")
    package static let requestBytes = Setting(
        key: "request.bytes", kind: .integer((1 << 20)...(16 << 30)), fallback: "134217728",
        about: "How many bytes the bodies of all requests together may hold; past that requests are refused (429).")
    package static let historyRetention = Setting(
        key: "history.retention", kind: .duration(.zero ... .seconds(36_500 * 86_400)), fallback: "90d",
        about: "How long the history of ended runs is kept; it goes by whole weeks. 0s keeps it for ever.")
    package static let checkInterval = Setting(
        key: "check.interval", kind: .duration(.zero ... .seconds(86_400)), fallback: "60s",
        about: "How often one of the coordinators looks whether every invariant holds; 0s never does.")
    package static let checkRuns = Setting(
        key: "check.runs", kind: .integer(1...1_000_000), fallback: "1000",
        about: "How many runs such a look takes in: so many of the newest, and so many on a walk through all.")
    package static let migrate = Setting(
        key: "migrate", kind: .boolean, fallback: "false", about: "Bring the database to this release's schema before starting.")

    // The worker

    package static let namespace = Setting(key: "namespace", kind: .text, fallback: "default", about: "The namespace whose tasks are taken.")
    package static let name = Setting(key: "name", kind: .text, fallback: nil, about: "A name for people. Default: the name of the host.")
    package static let queues = Setting(key: "queues", kind: .list(atLeast: 1), fallback: "default", about: "The queues to take tasks from, the preferred one first.")
    package static let slots = Setting(key: "slots", kind: .integer(1...10_000), fallback: "16", about: "How many tasks to work on at the same time.")
    package static let execAllow = Setting(
        key: "exec.allow", kind: .list(atLeast: 0), fallback: "",
        about: "The executables that exec agents may start: names, absolute paths, or * for all. Without it exec agents are refused.")

    package static let ofEverybody = [config, databaseURL, logLevel, logFormat, pollInterval, lease, drainTimeout, allowNoop]
    package static let ofCoordinator =
        ofEverybody + [
            address, port, requireApiKeys, foldLimit, foldLanes, poolSize, connectionLimit, inputLimit, bodyLimit, batchLimit, backlogLimit, submitWaiting,
            requestBytes, historyRetention, checkInterval, checkRuns,
            migrate,
        ]
    package static let ofWorker = ofEverybody + [namespace, name, queues, slots, execAllow]
    package static var all: [Setting] { ofCoordinator + [namespace, name, queues, slots, execAllow] }
}
