// Writes Witnesses.swift.

/// The stories that show the planted faults, as a source file.
package enum Witnesses {
    /// The text of Witnesses.swift.
    package static func source(_ seeds: [Mutant: UInt64]) -> String {
        let cases = Mutant.allCases.map { mutant in "        case .\(mutant.rawValue): \(seeds[mutant].map { "\($0)" } ?? "nil")" }
        return """
            // The stories that show the planted faults. Written by `skein-bench simulate --witnesses`; not to be edited.

            extension Mutant {
                /// The seed of a story that shows it, if one is known. When the model changes, so do the stories, and other ones have to be looked for.
                package var witness: UInt64? {
                    switch self {
            \(cases.joined(separator: "\n"))
                    }
                }
            }
            """
    }
}
