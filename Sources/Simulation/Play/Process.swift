// A process of the cluster: it can die, stand still, or be cut off.

import WorkflowModel

/// A process. What it remembers is gone when it dies.
final class Process {
    let name: String
    unowned let world: World
    private let boot: (Process) -> Void
    var isDead = true
    /// Which of its lives this is: what belongs to an earlier one is over.
    private(set) var life = 0
    private var stoppedUntil = Timestamp.distantPast
    var cutUntil: Timestamp?
    private var fibers: [Fiber] = []
    var links: [Link] = []

    init(_ name: String, in world: World, boot: @escaping (Process) -> Void) {
        self.name = name
        self.world = world
        self.boot = boot
    }

    var isCut: Bool { cutUntil.map { $0 > world.now } ?? false }

    func start() {
        isDead = false
        stoppedUntil = .distantPast
        fibers = []
        links = []
        boot(self)
    }

    func run(_ name: String, hears: Notices = [], _ body: @escaping (Fiber) async throws(ModelError) -> Void) {
        let fiber = world.stage.start("\(self.name) \(name)", body)
        fiber.owner = self
        fiber.hears = hears
        fiber.stoppedUntil = stoppedUntil
        fibers.append(fiber)
    }

    /// It stands still, for as long as that or longer.
    func stop(until moment: Timestamp) {
        stoppedUntil = max(stoppedUntil, moment)
        for fiber in fibers { fiber.stoppedUntil = stoppedUntil }
    }

    func goOn() {
        stoppedUntil = .distantPast
        for fiber in fibers { fiber.stoppedUntil = stoppedUntil }
    }

    // So that nobody holds anybody any more.
    func forget() {
        for fiber in fibers { fiber.owner = nil }
        fibers = []
        links = []
    }

    func kill(restartAfter delay: Duration) {
        guard !isDead else { return }
        isDead = true
        life += 1
        // What the server is doing for it at the moment goes on to its end.
        for fiber in fibers where !fiber.isInServer { fiber.interrupt(.killed) }
        for link in links { link.abandon() }
        fibers = []
        let corpse = links
        links = []
        world.after(delay) { [self] in
            for link in corpse { link.abandon() }
            if isDead { start() }
        }
    }
}
