// The names of runs, exit codes, and where the server is.

import CommandLine
import Foundation
import Testing
import WorkflowModel

@Suite("Names and codes")
struct RunReferenceTests {
    @Test("a run is named by its id, the end of its id, or as the last one")
    func kinds() throws {
        let id = "0193a4c1-77d0-7c1e-9c44-5f1e7a9b2c31"
        #expect(try RunReference.kind(of: id) == .whole(id))
        #expect(try RunReference.kind(of: id.uppercased()) == .whole(id))
        #expect(try RunReference.kind(of: "9b2c31") == .suffix("9b2c31"))
        #expect(try RunReference.kind(of: "…7A9B2C31") == .suffix("7a9b2c31"))
        #expect(try RunReference.kind(of: "9c44-5f1e7a9b2c31") == .suffix("9c445f1e7a9b2c31"))
        #expect(try RunReference.kind(of: "@last") == .last)
    }

    @Test("too few digits and other words name no run", arguments: ["", "2c31", "b2c31", "xyzxyz", "@first", "last"])
    func refused(argument: String) {
        let failure = #expect(throws: CommandFailure.self) { try RunReference.kind(of: argument) }
        #expect(failure?.status == .usage)
    }

    @Test("every status of a run has its exit code")
    func exitCodes() {
        let codes = RunStatus.allCases.map { ($0.rawValue, CommandStatus($0).rawValue) }
        let expected: [String: Int32] = [
            "queued": 10, "running": 10, "waiting": 10, "paused": 10, "succeeded": 0, "failed": 2, "timed_out": 3, "cancelled": 4,
        ]
        #expect(Dictionary(uniqueKeysWithValues: codes) == expected)
    }

    @Test("several runs end with the worst of them")
    func worst() {
        #expect(CommandStatus.worst(of: [.succeeded, .cancelled, .failed]) == .failed)
        #expect(CommandStatus.worst(of: [.succeeded, .stillRunning]) == .stillRunning)
        #expect(CommandStatus.worst(of: [.succeeded, .succeeded]) == .succeeded)
    }

    @Test(
        "a refused request has the exit code of its kind",
        arguments: [(401, 7), (403, 7), (404, 5), (409, 6), (422, 9), (400, 9), (413, 9), (503, 8), (500, 1)] as [(Int, Int32)])
    func refusals(status: Int, code: Int32) {
        #expect(CommandStatus(httpStatus: status).rawValue == code)
    }

    @Test("the option wins over the environment, the environment over the default")
    func location() throws {
        let environment = ["SKEIN_SERVER": "http://there:1/", "SKEIN_DATABASE_URL": "postgresql://there/db"]
        #expect(try Location.server(option: "https://here", environment: environment) == "https://here")
        #expect(try Location.server(option: nil, environment: environment) == "http://there:1")
        #expect(try Location.database(option: nil, environment: environment) == "postgresql://there/db")
        #expect(throws: CommandFailure.self) { try Location.server(option: "here:7070", environment: [:]) }
    }

    @Test("the state of a running skein dev is found from below, and not once it has gone")
    func devState() throws {
        let scratch = try Scratch()
        let directory = scratch.url.appending(path: DevState.directoryName)
        let below = scratch.url.appending(path: "a b").appending(path: "c")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        try FileManager.default.createDirectory(at: below, withIntermediateDirectories: true)
        let state = DevState(processID: 42, serverURL: "http://127.0.0.1:1", databaseURL: "host='/a b' dbname=skein")
        var lock = try DevLock.take(in: directory)
        #expect(lock != nil)
        try state.write(to: directory)
        #expect(DevState.nearest(to: below) == state)
        let second = try DevLock.take(in: directory)
        #expect(second == nil)
        lock = nil
        #expect(DevState.running(in: directory) == nil)
    }
}
