// Which parts of the language this release runs. What it does not run yet is refused, by the name of the key.

/// A part of the language that a release runs as a whole, or refuses. What belongs to no part is always there.
public enum LanguagePart: String, Sendable, Hashable, CaseIterable {
    /// The verb `workflow` with `wait` and `onParentEnd`.
    case subWorkflows
    /// The verb `parallel`.
    case parallel
    /// The verb `switch`.
    case choices
    /// The verb `await`.
    case events
    /// The verb `approve`.
    case approvals
    /// The verb `sleep`.
    case sleep
    /// The verb `emit`.
    case emission
    /// The verb `validate`.
    case validation
    /// The verbs `fail` and `succeed`.
    case endings
    /// `each`, `while`, `until` and what goes with them.
    case loops
    /// `states`.
    case stateMachines
    /// `onError: { do: … }`, and the same for `onTimeout`.
    case catchBlocks
    /// `when`.
    case runRules
    /// `totalTimeout`, and `onTimeout` of waits.
    case stepTimeouts
    /// `startTimeout`.
    case startTimeouts
    /// `onSuccess`, `onFailure` and `onCancel`.
    case chains
    /// `effect`.
    case effects
    /// `labels` of steps.
    case stepLabels
    /// `secrets` in the `stdin` and `environment` of exec agents.
    case processSecrets

    /// Control flow: what the engine runs beside sequences, graphs, agents and values.
    public static let controlFlow: Set<LanguagePart> = [
        .subWorkflows, .parallel, .choices, .events, .sleep, .emission, .validation, .endings, .loops, .stateMachines, .catchBlocks,
        .runRules, .stepTimeouts, .chains,
    ]

    /// The parts that this release runs.
    public static let released: Set<LanguagePart> = controlFlow
}
