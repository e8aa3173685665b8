// What -i, -P, --batch and --label make of their arguments.

import CommandLine
import Testing
import WorkflowModel

@Suite("The input of a run")
struct RunInputTests {
    @Test("without anything it is an empty object")
    func empty() throws {
        let input = try RunInput.assemble(whole: nil, members: [])
        #expect(input == [:])
    }

    @Test("-P sets text, -P with := sets JSON, dots lead into objects")
    func members() throws {
        let input = try RunInput.assemble(
            whole: nil, members: ["name=a=b", "count:=42", "list:=[1, true]", "place.city=Köln", "place.code:=null"])
        #expect(input == ["name": "a=b", "count": 42, "list": [1, true], "place": ["city": "Köln", "code": nil]])
    }

    @Test("-P changes members of what -i gave")
    func both() throws {
        let input = try RunInput.assemble(whole: #"{"a": {"x": 1}, "b": 2}"#, members: ["a.y=z", "b=3"])
        #expect(input == ["a": ["x": 1, "y": "z"], "b": "3"])
    }

    @Test("@FILE is read, whatever its name is")
    func file() throws {
        let scratch = try Scratch()
        let path = try scratch.write(#"{"document": "ä"}"#, to: "in put.json")
        let input = try RunInput.assemble(whole: "@" + path, members: [])
        #expect(input == ["document": "ä"])
    }

    @Test(
        "what cannot be understood is refused with the exit code it deserves",
        arguments: [
            ("{", [], CommandStatus.invalid), ("@/nowhere/at/all", [], .notFound), (nil, ["name"], .usage), (nil, ["=x"], .usage),
            (nil, ["a..b=x"], .usage), (nil, ["n:=oops"], .invalid), ("[1]", ["a=1"], .usage), ("{\"a\": 1}", ["a.b=1"], .usage),
        ] as [(String?, [String], CommandStatus)])
    func refused(whole: String?, members: [String], status: CommandStatus) {
        let failure = #expect(throws: CommandFailure.self) { try RunInput.assemble(whole: whole, members: members) }
        #expect(failure?.status == status)
        #expect(failure?.fix != nil)
    }

    @Test("a batch has one input a line, and says which line is wrong")
    func batch() throws {
        let scratch = try Scratch()
        let good = try scratch.write("{\"n\": 1}\n\n  \n{\"n\": 2}\n", to: "good.jsonl")
        let inputs = try RunInput.lines(of: good)
        #expect(inputs == [["n": 1], ["n": 2]])
        let bad = try scratch.write("{\"n\": 1}\nnonsense\n", to: "bad.jsonl")
        let failure = #expect(throws: CommandFailure.self) { try RunInput.lines(of: bad) }
        #expect(failure?.message.hasPrefix("line 2 is not JSON") == true)
    }

    @Test("labels are text, or what the input says")
    func labels() throws {
        let input: JSONValue = ["document": "/tmp/a", "n": 3, "deep": ["er": "x"]]
        let labels = try RunInput.labels(["team=blue", "file=@document", "n=@n", "d=@deep.er"], of: input)
        #expect(JSONValue.object(labels) == ["team": "blue", "file": "/tmp/a", "n": "3", "d": "x"])
        #expect(throws: CommandFailure.self) { try RunInput.labels(["x=@missing"], of: input) }
        #expect(throws: CommandFailure.self) { try RunInput.labels(["x"], of: input) }
    }
}
