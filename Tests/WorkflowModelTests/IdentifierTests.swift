// Ids, paths and statuses.

import Testing
import WorkflowModel

@Suite struct IdentifierTests {
    private struct Fixed: RandomNumberGenerator {
        var bits: UInt64
        mutating func next() -> UInt64 { bits }
    }

    @Test("an id of version 7 has the time in front, its version and variant, and random bits behind")
    func version7() {
        var ones = Fixed(bits: .max)
        var zeros = Fixed(bits: 0)
        #expect(UUIDBytes.version7(unixMilliseconds: 0x0192_3456_789A, random: &ones).description == "01923456-789a-7fff-bfff-ffffffffffff")
        #expect(
            UUIDBytes.version7(unixMilliseconds: 0x0192_3456_789A, random: &zeros).description == "01923456-789a-7000-8000-000000000000")
    }

    @Test("ids of version 7 sort by their time, as bytes and as text")
    func order() {
        var random = SystemRandomNumberGenerator()
        let ids = stride(from: Int64(0), to: 1 << 48, by: 1 << 42).map { UUIDBytes.version7(unixMilliseconds: $0 + 1, random: &random) }
        #expect(ids == ids.sorted())
        #expect(ids.map(\.description) == ids.map(\.description).sorted())
        #expect(RunID(ids[0]) < RunID(ids[1]))
    }

    @Test("an id of version 4 has its version and variant")
    func version4() {
        var ones = Fixed(bits: .max)
        var zeros = Fixed(bits: 0)
        #expect(UUIDBytes.version4(random: &ones).description == "ffffffff-ffff-4fff-bfff-ffffffffffff")
        #expect(UUIDBytes.version4(random: &zeros).description == "00000000-0000-4000-8000-000000000000")
    }

    @Test("an id is read from its text, in either case, and written in lower case")
    func text() {
        let id = UUIDBytes("01923456-789A-7bcd-BEEF-0123456789ab")
        #expect(id == UUIDBytes(high: 0x0192_3456_789A_7BCD, low: 0xBEEF_0123_4567_89AB))
        #expect(id?.description == "01923456-789a-7bcd-beef-0123456789ab")
        #expect(RunID("01923456-789a-7bcd-beef-0123456789ab")?.description == id?.description)
    }

    @Test(
        "anything else is no id",
        arguments: [
            "", "01923456", "01923456789a7bcdbeef0123456789ab", "01923456-789a-7bcd-beef-0123456789a",
            "01923456-789a-7bcd-beef-0123456789abc",
            "01923456-789a-7bcd-beef-0123456789ag", "{1923456-789a-7bcd-beef-0123456789ab", "019234567-89a-7bcd-beef-0123456789ab",
            "01923456-789a-7bcd-beef-0123456789\u{E9}", "01923456_789a_7bcd_beef_0123456789ab", " 01923456-789a-7bcd-beef-0123456789ab",
        ])
    func noID(text: String) {
        #expect(UUIDBytes(text) == nil)
    }

    @Test("paths grow by their steps and sort by code units")
    func paths() {
        #expect(StepPath("a").child("b").child("c").text == "a.b.c")
        #expect([StepPath("b"), StepPath("a.b"), StepPath("a"), StepPath("B")].sorted().map(\.text) == ["B", "a", "a.b", "b"])
    }

    @Test("fences and numbers compare as numbers")
    func numbers() {
        #expect(Fence(9) < Fence(10))
        #expect(Fence(1 << 40) > Fence((1 << 40) - 1))
        #expect(VersionID(2).description == "2")
        #expect(TaskID(3) < TaskID(4))
    }

    @Test("the words of statuses are those of the tables, and four of a run's are endings")
    func statuses() {
        #expect(RunStatus.allCases.filter(\.isEnding).map(\.rawValue) == ["succeeded", "failed", "timed_out", "cancelled"])
        #expect(StepStatus.allCases.filter(\.isSettled).map(\.rawValue) == ["succeeded", "failed", "skipped", "cancelled"])
        #expect(AttemptStatus.allCases.map(\.rawValue) == ["succeeded", "failed", "timed_out", "lost", "released", "cancelled"])
    }
}

@Suite struct FailureTests {
    @Test("a failure survives being written and read", arguments: FailureType.allCases)
    func roundTrip(type: FailureType) throws {
        for failure in [
            Failure(type: type, message: "m"),
            Failure(type: type, code: "503", message: "busy", path: StepPath("a.b"), attempt: 3, retryAfter: .milliseconds(1500)),
        ] {
            let read = try JSONValue(parsing: failure.json.compactText)
            #expect(Failure(json: read) == failure)
        }
    }

    @Test("absent parts are left out")
    func shape() {
        #expect(Failure(type: .serverError, message: "m").json.compactText == #"{"type":"5xx","message":"m"}"#)
        #expect(
            Failure(type: .exit, code: "2", message: "m", path: StepPath("p"), attempt: 1, retryAfter: .seconds(2)).json.compactText
                == #"{"type":"exit","code":"2","message":"m","path":"p","attempt":1,"retryAfterSeconds":2.0}"#)
    }

    @Test("a type of a later release reads as custom, with the type as its code")
    func unknownType() {
        #expect(Failure(json: ["type": "quantum", "message": "m"]) == Failure(type: .custom, code: "quantum", message: "m"))
        #expect(Failure(json: ["type": "quantum", "code": "7", "message": "m"]).code == "7")
    }

    @Test(
        "what is no failure reads as a custom one",
        arguments: [JSONValue.null, "text", [], [:], ["attempt": "x", "path": 3, "retryAfterSeconds": "soon"]])
    func garbage(json: JSONValue) {
        #expect(Failure(json: json) == Failure(type: .custom, message: ""))
    }
}
