// Numbers about an English text: words, sentences, how hard it is to read, what it is about.

package import WorkflowModel

/// What the demo agent says about a text.
package struct TextAnalysis: Sendable, Hashable {
    /// How many words there are: runs of letters, with apostrophes and hyphens inside.
    package let words: Int
    /// How many sentences: what ends in `.`, `!`, `?`, or in an empty line.
    package let sentences: Int
    /// How many syllables, estimated from the groups of vowels.
    package let syllables: Int
    /// The words that occur most, with their counts, without those that every text is full of.
    package let topTerms: [Term]

    /// A word and how often it occurs.
    package struct Term: Sendable, Hashable {
        package let term: String
        package let count: Int
    }

    /// Words per sentence; 0 where there are none.
    package var averageSentenceLength: Double { sentences == 0 ? 0 : Double(words) / Double(sentences) }

    /// Flesch's reading ease: 90 is easy for a child, 60 is plain English, below 30 is for specialists. 0 for a text without words.
    package var readingEase: Double {
        guard words > 0, sentences > 0 else { return 0 }
        return 206.835 - 1.015 * averageSentenceLength - 84.6 * Double(syllables) / Double(words)
    }

    /// Looks at a text.
    ///
    /// - Parameter termCount: how many of the top terms are kept.
    package init(of text: String, termCount: Int = 5) {
        var words = 0
        var sentences = 0
        var syllables = 0
        var counts: [String: Int] = [:]
        var wordsInSentence = 0
        for token in Tokens(text) {
            switch token {
            case .word(let word):
                words += 1
                wordsInSentence += 1
                syllables += Self.syllables(in: word)
                if word.count > 2, !Self.stopWords.contains(word) { counts[word, default: 0] += 1 }
            case .sentenceEnd:
                if wordsInSentence > 0 { sentences += 1 }
                wordsInSentence = 0
            }
        }
        if wordsInSentence > 0 { sentences += 1 }
        self.words = words
        self.sentences = sentences
        self.syllables = syllables
        topTerms = counts.map { Term(term: $0.key, count: $0.value) }
            .sorted { ($1.count, $0.term) < ($0.count, $1.term) }.prefix(max(0, termCount)).map { $0 }
    }

    /// The analysis as the agent answers it; numbers are rounded to one decimal.
    package var json: JSONValue {
        [
            "words": .int(Int64(words)), "sentences": .int(Int64(sentences)),
            "average_sentence_length": .double(Self.rounded(averageSentenceLength)), "reading_ease": .double(Self.rounded(readingEase)),
            "top_terms": .array(topTerms.map { ["term": .string($0.term), "count": .int(Int64($0.count))] }),
        ]
    }

    private static func rounded(_ value: Double) -> Double { (value * 10).rounded() / 10 }

    /// One syllable for each group of vowels, without a silent e at the end, at least one.
    static func syllables(in word: String) -> Int {
        var groups = 0
        var isInVowels = false
        for letter in word {
            let isVowel = "aeiouyàáâäæèéêëìíîïòóôöœùúûü".contains(letter)
            if isVowel, !isInVowels { groups += 1 }
            isInVowels = isVowel
        }
        let endsInSilentE = word.hasSuffix("e") && !word.hasSuffix("le") && !word.hasSuffix("ee")
        return max(1, groups - (endsInSilentE ? 1 : 0))
    }

    private enum Token {
        case word(String)
        case sentenceEnd
    }

    // Words in lower case, and the ends of sentences.
    private struct Tokens: Sequence, IteratorProtocol {
        private let characters: [Character]
        private var position = 0

        init(_ text: String) { characters = Array(text) }

        mutating func next() -> Token? {
            while position < characters.count {
                let character = characters[position]
                if character.isLetter { return .word(word()) }
                position += 1
                switch character {
                case "!", "?": return .sentenceEnd
                case "." where !isInsideNumberOrName: return .sentenceEnd
                case "\n", "\r\n": if isEmptyLineAhead { return .sentenceEnd }
                default: continue
                }
            }
            return nil
        }

        // "version 2.0" and "example.org" hold no sentence's end.
        private var isInsideNumberOrName: Bool {
            position < characters.count && (characters[position].isLetter || characters[position].isNumber)
        }

        private var isEmptyLineAhead: Bool {
            var ahead = position
            while ahead < characters.count, characters[ahead] == " " || characters[ahead] == "\t" { ahead += 1 }
            return ahead < characters.count && characters[ahead].isNewline
        }

        private mutating func word() -> String {
            var word = ""
            while position < characters.count {
                let character = characters[position]
                let joins = "'’-".contains(character) && position + 1 < characters.count && characters[position + 1].isLetter
                guard character.isLetter || joins else { break }
                word.append(character)
                position += 1
            }
            return word.lowercased()
        }
    }

    private static let stopWords = Set(
        """
        a about above after again against all also am an and any are as at be because been before being below between both but by can cannot
        could did do does doing don down during each either few for from further had has have having he her here hers him his how however i if
        in into is it its itself just may me might more most must my no nor not now of off on once one only or other otherwise our ours out
        over own same shall she should so some such than that the their theirs them then there these they this those through to too under
        until up upon us use used using very was we were what when where which while who whom why will with within without would you your yours
        """.split(whereSeparator: \.isWhitespace).map(String.init))
}
