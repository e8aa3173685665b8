// How many wrong inputs there are, by category.

import BadInput
import Foundation
import Testing

@Suite("Wrong inputs")
struct CountTests {
    @Test("there are at least 1,000 of them, none twice, each with an answer that is no success")
    func count() throws {
        var counts: [(String, Int)] = []
        for name in try CaseFile.names() {
            let file = try CaseFile(name)
            counts.append((name, file.cases.count))
            #expect(Set(file.cases.map { $0.title + "\n" + $0.body }).count == file.cases.count, "\(name) has a case twice")
            for item in file.cases {
                #expect(!item.expected.isEmpty, "\(name): \(item.title) has no answer")
                #expect(!item.expected.hasPrefix("no error") && !item.expected.contains("THE DATABASE HAS CHANGED"), "\(name): \(item.title)")
            }
        }
        // Whole files with mistakes, compared with their answers in DefinitionsTests.
        let fixtures = CaseFile.folder.deletingLastPathComponent().deletingLastPathComponent().appending(path: "DefinitionsTests/Fixtures/broken")
        let names = try FileManager.default.contentsOfDirectory(atPath: fixtures.path(percentEncoded: false))
        counts.append(("whole files", names.count { $0.hasSuffix(".expected") }))
        let sum = counts.reduce(0) { $0 + $1.1 }
        print("COUNT of wrong inputs: \(counts.map { "\($0.0) \($0.1)" }.joined(separator: ", ")); \(sum) in all")
        #expect(sum >= 1000)
    }
}
