// The model database against PostgreSQL: the same scripts, the same answers.

import Simulation
import Testing

@Suite("The model database and PostgreSQL agree", .serialized)
struct ConformanceTests {
    @Test("on who waits, what comes back and what is left, in every script of two or three sessions")
    func scripts() async throws {
        #expect(Script.all.count >= 60)
        let sessions = try await RealSessions.open()
        for script in Script.all {
            let real = try await sessions.play(script)
            let model = ModelActors.play(script)
            #expect(model == real, "\(script.name)")
        }
    }

    @Test("on what the protocol's functions do, in every script of two or three sessions", arguments: ProtocolScript.all)
    func protocolScripts(script: ProtocolScript) async throws {
        let real = try await RealProtocol.play(script)
        #expect(ProtocolActors.play(script) == real)
        if let shown = script.shows { #expect(real.contains { $0.contains(shown) }) }
        // Nobody waits in a circle.
        #expect(!real.contains { $0.contains("40P01") })
    }

    @Test("on nothing by chance: every script has a name of its own, and most of them somebody who waits")
    func variety() {
        #expect(Set(Script.all.map(\.name)).count == Script.all.count)
        let waiting = Script.all.count { ModelActors.play($0).contains { $0.contains("waits") } }
        #expect(waiting * 2 > Script.all.count)
    }
}
