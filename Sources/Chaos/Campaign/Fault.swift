// The kinds of harm that are done.

/// A kind of fault.
package enum Fault: String, CaseIterable, Sendable {
    case killWorker = "kill-worker"
    case killCoordinator = "kill-coordinator"
    case stopWorker = "stop-worker"
    case stopCoordinator = "stop-coordinator"
    case drainWorker = "drain-worker"
    case drainCoordinator = "drain-coordinator"
    case terminateSessions = "terminate-sessions"
    case killBackend = "kill-backend"
    case crashDatabase = "crash-database"
    case hangDatabase = "hang-database"
    case lockTable = "lock-table"
    case holdSnapshot = "hold-snapshot"
    case starveConnections = "starve-connections"
    case loseCommits = "lose-commits"
    case cutConnections = "cut-connections"
    case silence = "silence"
    case delay = "delay"
    case muteNotifications = "mute-notifications"
    case cutNetwork = "cut-network"
    case jumpClock = "jump-clock"
    case fillDisk = "fill-disk"
    case badAgents = "bad-agents"

    /// What happens, in a line.
    package var summary: String {
        switch self {
        case .killWorker: "a worker is killed (SIGKILL)"
        case .killCoordinator: "a coordinator is killed (SIGKILL)"
        case .stopWorker: "a worker stands still past its lease and goes on (SIGSTOP, SIGCONT)"
        case .stopCoordinator: "a coordinator stands still for up to 6 s and goes on"
        case .drainWorker: "a worker is told to stop (SIGTERM)"
        case .drainCoordinator: "a coordinator is told to stop (SIGTERM)"
        case .terminateSessions: "sessions are ended (pg_terminate_backend)"
        case .killBackend: "one process of PostgreSQL is killed, and takes all sessions with it"
        case .crashDatabase: "PostgreSQL is shut down at once, as by a crash, and comes back"
        case .hangDatabase: "all processes of PostgreSQL stand still for up to 6 s"
        case .lockTable: "an outsider locks a table"
        case .holdSnapshot: "an outsider keeps a snapshot open"
        case .starveConnections: "an outsider takes all connections that are left"
        case .loseCommits: "the answers to commits are lost on their way"
        case .cutConnections: "connections to the database are reset"
        case .silence: "a process and the database no longer hear each other"
        case .delay: "a process's link to the database is slow"
        case .muteNotifications: "notifications get lost"
        case .cutNetwork: "the network of a worker in a namespace of its own is cut"
        case .jumpClock: "the clock of a process jumps"
        case .fillDisk: "the database's disk is full"
        case .badAgents: "agents hang, drip, lie, refuse and reset"
        }
    }

    /// How often it is chosen, in relation to the others. What strikes at the level of calls is not chosen.
    var weight: Int {
        switch self {
        case .killWorker: 20
        case .killCoordinator: 14
        case .stopWorker: 9
        case .stopCoordinator: 5
        case .drainWorker, .drainCoordinator: 4
        case .terminateSessions: 10
        case .killBackend: 2
        case .crashDatabase: 2
        case .hangDatabase: 2
        case .lockTable: 4
        case .holdSnapshot: 1
        case .starveConnections: 2
        case .loseCommits: 12
        case .cutConnections: 8
        case .silence: 4
        case .delay: 4
        case .muteNotifications: 4
        case .cutNetwork: 4
        case .jumpClock: 4
        case .fillDisk: 1
        case .badAgents: 0
        }
    }
}
