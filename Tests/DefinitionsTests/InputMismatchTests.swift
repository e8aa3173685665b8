import Definitions
import Testing

@Suite("What workflows of several files hand over to each other")
struct InputMismatchTests {
    private func decode(_ text: String, _ name: String) -> DecodedDefinition {
        DefinitionDecoder.decode(text, fileName: name, options: DecodingOptions(allowNoop: true, parts: Set(LanguagePart.allCases)))
    }

    @Test("a step and a chain that cannot fit the other workflow's input are found, at the member that is wrong")
    func severalFiles() {
        let child = decode(
            """
            workflow: child
            input: { type: object, required: [scores], properties: { scores: { type: array, items: { type: number } }, mode: { enum: [fast, slow] } } }
            steps: [ { id: a, set: "${{ input.scores.sum() }}" } ]
            """, "child.yaml")
        let parent = decode(
            """
            workflow: parent
            input: { type: object, required: [names], properties: { names: { type: array, items: { type: string } } } }
            steps:
              - id: right
                workflow: child
                with: { scores: "${{ input.names.map(n, n.size()) }}", mode: fast }
              - id: wrong
                workflow: child
                with: { scores: "${{ input.names }}", mode: fast }
              - id: item
                each: ${{ input.names }}
                workflow: child
                with: { scores: [1], mode: "${{ item == 'x' ? 'fats' : 'lsow' }}" }
            onSuccess: [ { workflow: child, with: { score: "${{ output }}" } } ]
            """, "parent.yaml")
        #expect(child.isValid && parent.isValid)
        let found = DefinitionSet.diagnostics(of: [child, parent])
        #expect(found[0].isEmpty)
        #expect(
            found[1].map { "\($0.position) \($0.path): \($0.message)" } == [
                "9:21 steps[1].with.scores: `scores` does not fit the input of \"child\": of the elements: int or double is needed, and this is string",
                "13:32 steps[2].with.mode: `mode` does not fit the input of \"child\": one of \"fast\", \"slow\" is needed, and this is none of them",
                "14:39 onSuccess[0].with: `with` does not fit the input of \"child\": \"scores\" is missing (is it what is called \"score\" here?)",
            ])
        #expect(found[1].allSatisfy { $0.code == .inputMismatch })
    }
}
