// The demo agent's numbers, against texts whose numbers are known.

import Testing
import WorkflowModel

@testable import CommandLine

@Suite("Text analysis")
struct TextAnalysisTests {
    @Test("words, sentences and syllables of a small text")
    func small() {
        let analysis = TextAnalysis(of: "The cat sat on the mat. The dog didn't: why? It's well-known!")
        #expect(analysis.words == 12)
        #expect(analysis.sentences == 3)
        #expect(analysis.averageSentenceLength == 4)
    }

    @Test("numbers, names with dots and headings without a full stop")
    func boundaries() {
        #expect(TextAnalysis(of: "Version 2.0 of example.org is out.").sentences == 1)
        #expect(TextAnalysis(of: "A heading\n\nA sentence.\n \nAnother one").sentences == 3)
        #expect(TextAnalysis(of: "Wait... what?!").sentences == 2)
    }

    @Test(
        "syllables by groups of vowels, without a silent e",
        arguments: [
            ("cat", 1), ("table", 2), ("make", 1), ("readability", 5), ("rhythm", 1), ("free", 1), ("the", 1), ("idea", 2), ("über", 2),
        ])
    func syllables(word: String, count: Int) {
        #expect(TextAnalysis.syllables(in: word) == count)
    }

    @Test("Flesch's formula, worked out by hand")
    func readingEase() {
        // 6 words, 1 sentence, 6 syllables: 206.835 - 1.015 * 6 - 84.6
        #expect(abs(TextAnalysis(of: "The cat sat on the mat.").readingEase - 116.145) < 0.001)
        let plain = TextAnalysis(of: "We saw the sea. It was big and blue. We swam all day.")
        let hard = TextAnalysis(
            of: "Notwithstanding the aforementioned considerations, organizational interoperability necessitates standardization.")
        #expect(plain.readingEase > 90)
        #expect(hard.readingEase < 0)
    }

    @Test("top terms leave out stop words and short words, and ties go by the alphabet")
    func topTerms() {
        let analysis = TextAnalysis(
            of: "The program and the licence: a program, a licence, the program. An apple of it is by an ox.", termCount: 3)
        #expect(analysis.topTerms.map(\.term) == ["program", "licence", "apple"])
        #expect(analysis.topTerms.map(\.count) == [3, 2, 1])
    }

    @Test("a text without words has no sentences and divides nothing by zero", arguments: ["", " \n\n ", "... 42 !?", "—"])
    func empty(text: String) {
        let analysis = TextAnalysis(of: text)
        #expect(analysis.words == 0)
        #expect(analysis.sentences == 0)
        #expect(analysis.readingEase == 0)
        #expect(analysis.json["top_terms"] == [])
    }

    @Test("an answer is remembered by its key, and the oldest make room")
    func remembered() {
        let answers = RememberedAnswers()
        for number in 0..<10_001 { answers.remember("\(number)", for: "key-\(number)") }
        #expect(answers["key-0"] == nil)
        #expect(answers["key-1"] == "1")
        #expect(answers["key-10000"] == "10000")
    }
}
