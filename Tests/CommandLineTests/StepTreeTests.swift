// Steps are shown as a tree.

import CommandLine
import Testing
import WorkflowModel

@Suite("Order of steps")
struct StepTreeTests {
    @Test("what is inside comes after what it is inside of, siblings as they began, iterations by number")
    func order() {
        func step(_ path: String, _ startedAt: String) -> JSONValue { ["step": .string(path), "started_at": .string(startedAt)] }
        let steps = [
            step("visit[10].call", "03"), step("visit[2].call", "05"), step("after", "09"), step("visit", "02"), step("visit[10]", "03"),
            step("first", "01"), step("visit[2]", "04"), step("order/paid#2.charge", "08"), step("order", "06"), step("order/paid#2", "07"),
        ]
        #expect(
            StepTree.ordered(steps).compactMap { $0["step"]?.stringValue } == [
                "first", "visit", "visit[2]", "visit[2].call", "visit[10]", "visit[10].call", "order", "order/paid#2", "order/paid#2.charge",
                "after",
            ])
    }
}
