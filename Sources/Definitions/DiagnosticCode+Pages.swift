// The pages themselves, by what they are about.

extension DiagnosticCode {
    var page: Page {
        switch self {
        // The text.
        case .emptyFile:
            Page(
                title: "the file is empty", happened: "The file holds no document, or only comments.",
                why: "A workflow has at least a name and one step.",
                remedy: "Begin with `workflow: NAME` and a list of `steps`.")
        case .syntax:
            Page(
                title: "the text is no YAML or JSON", happened: "The text could not be read past the place that is shown.",
                why: "What follows a broken line can mean anything, so nothing behind it was checked.",
                remedy:
                    "Mend the line. The usual causes: a tab instead of spaces, a text with `: ` or a leading special character that needs "
                    + "quotes, a bracket or quote that is never closed, and `${{ … }}` without quotes inside { } or [ ].")
        case .severalDocuments:
            Page(
                title: "more than one document", happened: "A line with `---` begins a second document.",
                why: "One file holds one workflow, so that a version of the file is a version of the workflow.",
                remedy: "Put each workflow into a file of its own.")
        case .tooLarge:
            Page(
                title: "larger than a workflow may be", happened: "The file has too many bytes, values or levels of nesting.",
                why: "The bounds (1 MiB, 100,000 values, 64 levels) keep reading a definition cheap, whoever wrote it.",
                remedy: "Hand data over as the run's input, and move inner blocks into workflows of their own.")
        case .alias:
            Page(
                title: "anchors and aliases are not taken", happened: "The file uses `&name` or `*name`.",
                why: "A few hundred bytes of aliases can stand for gigabytes, and what a line means would depend on another line.",
                remedy: "Write the value out, or use `defaults` for what all steps share. Text that begins with * or & belongs in quotes.")
        case .mergeKey:
            Page(
                title: "merge keys are not taken", happened: "The file uses the key `<<`.",
                why: "Merge keys are an extension of YAML 1.1 that YAML 1.2 has dropped; tools disagree about what they mean.",
                remedy: "Write the keys out, or use `defaults`.")
        case .tag:
            Page(
                title: "tags are not taken", happened: "The file uses a tag such as `!!str` or `!env`.",
                why: "Tags change the type of a value in ways that differ between tools.",
                remedy: "Leave the tag out; quote a value that is meant as text.")
        case .keyNotText:
            Page(
                title: "a key that is not text", happened: "A key reads as a number, a boolean, null, a list or a mapping.",
                why: "Keys are text in JSON, and `1` and `\"1\"` would become the same key.",
                remedy: "Put the key in quotes. If an expression was meant, put the whole `${{ … }}` in double quotes.")
        case .duplicateKey:
            Page(
                title: "a key stands twice", happened: "The same key occurs twice in one mapping.",
                why: "Readers disagree about which of the two counts, so one of them would be lost without a word.",
                remedy: "Keep one of the two, or rename one.")
        case .unstorable:
            Page(
                title: "a value that cannot be stored",
                happened: "A text holds the character U+0000, or a number is infinite or not a number.",
                why: "Neither JSON nor PostgreSQL can hold such a value.",
                remedy: "Remove the character; write the number as text if it is one.")

        // Keys and values.
        case .unknownKey:
            Page(
                title: "an unknown key", happened: "The mapping has a key that the language does not know.",
                why: "A misspelt key would be ignored otherwise, and with it what it was to do.",
                remedy: "Correct the spelling; the message names the nearest key, or all that may stand there.")
        case .wrongType:
            Page(
                title: "a value of another type", happened: "The value is not of the type that its key takes; the message names both.",
                why: "Nothing is converted silently: `5` is no duration, and `no` is text.",
                remedy: "Write the value as the message says. Numbers and booleans that are meant as text belong in quotes.")
        case .missingKey:
            Page(
                title: "a key is missing", happened: "A key that must be there is not.", why: "There is no sensible default for it.",
                remedy: "Add it; the message says where and shows an example.")
        case .notYet:
            Page(
                title: "not in this release", happened: "The file uses a part of the language that this release cannot run.",
                why: "It is refused rather than ignored: a workflow without its time-out or its approval is another workflow.",
                remedy: "Leave it out, or use a release that runs it.")
        case .outOfRange:
            Page(
                title: "outside the range", happened: "A number, duration or list is too small or too large; the message names the range.",
                why: "The bounds keep a typing mistake from becoming a run that never ends or a load that nobody wants.",
                remedy: "Choose a value inside the range.")
        case .unknownWord:
            Page(
                title: "an unknown word", happened: "The key takes one word of a short list, and this is another one.",
                why: "Guessing what was meant could change what the workflow does.", remedy: "Use one of the words that the message lists.")
        case .invalidDuration:
            Page(
                title: "no duration", happened: "The text cannot be read as a duration.", why: "A number without a unit could be anything.",
                remedy: "Write 250ms, 5s, 2m, 48h or 7d, a sum such as 1h30m, or ISO 8601 such as PT5M, in whole milliseconds.")
        case .invalidSize:
            Page(
                title: "no size", happened: "The text cannot be read as a number of bytes.",
                why: "KB and MB mean different numbers to different people.",
                remedy: "Write 512B, 64KiB, 1MiB or 1GiB, or a plain number of bytes.")

        // Expressions.
        case .expressionType:
            Page(
                title: "an expression of the wrong type",
                happened: "An expression is always of a type that cannot be used where it stands.",
                why: "A condition must be a boolean: there is no truthiness, so `if: 1` would fail every run.",
                remedy: "Compare: `size(input.items) > 0` instead of `size(input.items)`.")
        case .expressionSyntax:
            Page(
                title: "an expression that cannot be parsed",
                happened: "The text between `${{` and `}}`, or the bare condition, is no CEL expression.",
                why: "It would fail in every run, at the moment it is needed.",
                remedy: "Mend it at the place that is shown. Texts are quoted, `&&` and `||` join conditions, `a ? b : c` chooses. "
                    + "A literal `${{` is written `$${{`.")
        case .unknownName:
            Page(
                title: "an unknown name", happened: "An expression uses a name that means nothing where it stands.",
                why:
                    "Which names are there depends on the place: `input`, `steps` and `run` in steps, `result` in a step's own `output`, "
                    + "`with` in an agent's settings.",
                remedy: "Use a name that is in scope; data of the run reaches an agent through the step's `with`.")
        case .unknownFunction:
            Page(
                title: "an unknown function",
                happened: "An expression calls a function that does not exist, or with the wrong number of arguments.",
                why: "It would fail in every run, at the moment it is needed.",
                remedy:
                    "Correct the name or the arguments. There are the functions of the language reference and no others."
            )
        case .unknownMember:
            Page(
                title: "an unknown member of a step", happened: "An expression reads something of a step that steps do not have.",
                why: "A step has `output`, `status`, `error`, `attempts`, `startedAt` and `finishedAt`; its result is under `output`.",
                remedy: "Write `steps.ID.output.NAME` for a part of the result.")
        case .stepNotBefore:
            Page(
                title: "a step that has not run by then",
                happened: "An expression reads a step that need not have settled when it is evaluated.",
                why: "In a sequence steps run in order; in a graph only `needs` makes one step wait for another.",
                remedy: "Move the step, or in a graph add the other one to `needs`.")
        case .selfReference:
            Page(
                title: "a step refers to itself", happened: "A step needs itself, or reads its own outcome, which is not there yet.",
                why: "It would wait for ever, or read nothing.",
                remedy: "In a step's own `output` its answer is called `result`; everywhere else read another step.")
        case .misplacedSecret:
            Page(
                title: "a secret where none may be",
                happened: "`secrets.NAME` stands where it could be stored, logged, compared or listed.",
                why:
                    "A secret is put in by the worker when it calls the agent, and is no value elsewhere. What a step is given is stored.",
                remedy: "Use `${{ secrets.NAME }}` by itself in the `url`, `headers`, `body`, `stdin` or `environment` of an agent.")
        case .misplacedExpression:
            Page(
                title: "an expression where none is evaluated",
                happened: "`${{ … }}` stands in a key, or in a value that is fixed when the workflow is registered.",
                why: "Keys, names, labels and time-outs are the same in all runs, so that the shape of a run can be read off the file.",
                remedy: "Write the value itself. A mapping with computed keys is one expression: `${{ {input.name: 1} }}`.")
        case .invalidConstant:
            Page(
                title: "a constant that cannot be",
                happened: "A text in an expression is no pattern, timestamp or duration, or the expression "
                    + "computes with constants that have no result.",
                why: "It would fail in every run, at the moment it is needed.", remedy: "Correct the constant.")
        case .expressionTooLarge:
            Page(
                title: "an expression that is too large", happened: "An expression is longer or nested deeper than it may be.",
                why: "The bounds (32 KiB, 4,096 tokens, 200 levels) keep checking and evaluation quick.",
                remedy: "Compute parts of it in `set` steps.")

        // Blocks and steps.
        case .unknownStep:
            Page(
                title: "an unknown step", happened: "A step is named that does not exist where it is named.",
                why: "Steps see the steps of their own block and of the blocks around it, not those inside of other steps.",
                remedy: "Correct the id, or hand the value out through the `output` of the step that holds the block.")
        case .cycle:
            Page(
                title: "steps wait for each other", happened: "The `needs` of a graph lead in a circle; the message shows the way.",
                why: "None of these steps could ever start.", remedy: "Remove one of the needs.")
        case .invalidName:
            Page(
                title: "a name that is not formed as names are", happened: "A name has a character or length that it may not have.",
                why: "Names are parts of paths, addresses and tables, and ids are used in expressions.",
                remedy: "Use lower-case letters, digits and the joints that the message names.")
        case .duplicateName:
            Page(
                title: "an id is taken", happened: "Two steps of one block have the same id.",
                why: "The id names the step in expressions, paths and history.", remedy: "Rename one of them.")
        case .noVerb:
            Page(
                title: "a step without a verb", happened: "A step says nothing about what it does.",
                why: "Every step has exactly one verb.",
                remedy: "Add `agent`, `set` or `do`.")
        case .severalVerbs:
            Page(
                title: "a step with several verbs", happened: "A step has more than one verb.",
                why: "Which of them comes first, and whose output counts, would be a guess.", remedy: "Make a step of each.")
        case .severalBodies:
            Page(
                title: "several bodies", happened: "A workflow or block has more than one of `steps`, `graph` and `states`.",
                why: "The three have different rules for when a step starts; they never mix in one block.",
                remedy: "Keep one, and nest the others in steps with the verb `do`.")
        case .emptyBlock:
            Page(
                title: "a block without steps", happened: "`steps`, `graph` or `do` is an empty list.",
                why: "A block's output is that of its last step; an empty one has none.", remedy: "Add a step, or leave the block out.")
        case .needsOutsideGraph:
            Page(
                title: "`needs` outside of a graph", happened: "A step of a sequence has `needs`.",
                why: "The steps of a sequence run one after another; `needs` would change nothing.",
                remedy: "Leave it out, or write `graph` instead of `steps`.")
        case .duplicateNeed:
            Page(
                title: "a need is listed twice", happened: "The same step stands twice in one `needs`.",
                why: "One of the two was probably meant to be another step.", remedy: "Remove one, or name the other step.")
        case .misplacedModifier:
            Page(
                title: "a modifier that the verb has no use for",
                happened: "A `set` or `do` step has a key that only a call of an agent can use.",
                why: "It would be ignored, and with it what it was to do.", remedy: "Move it to the agent steps, or leave it out.")

        case .conflictingKeys:
            Page(
                title: "keys that exclude each other", happened: "A mapping has two keys of which only one can mean something.",
                why: "One of them would be ignored without a word, and nobody could tell which.",
                remedy: "Remove one of them, or move it to the place that the message names.")
        case .reservedName:
            Page(
                title: "a name that is taken", happened: "`as` gives the item of a loop a name that means something else in expressions.",
                why: "The body of the loop could not reach what the name stands for elsewhere.", remedy: "Choose another name.")
        case .unconditionalRecursion:
            Page(
                title: "workflows that start each other without end",
                happened: "Every run of the workflow starts a run of itself, directly or by way of other workflows.",
                why: "Nothing ends the circle but the cap on its depth, so every run would fail.",
                remedy: "Let one of the steps depend on data: give it an `if`, or put it into a `switch`.")
        case .unsafeRetry:
            Page(
                title: "a retry of an unsafe step",
                happened: "A step with `effect: unsafe` has a retry policy for failures after which the request may have arrived.",
                why: "The agent would do everything a second time: pay twice, send twice.",
                remedy: "Retry only failures of requests that never arrived (`on: [connect, tls, rateLimited]`), or let the agent use the "
                    + "idempotency key that every attempt carries and write `effect: idempotent`.")

        // Loops and joins.
        case .inputMismatch:
            Page(
                title: "a workflow is given what it does not take",
                happened:
                    "What a step or a chain hands over in `with` can never fit the schema under `input` of the workflow that it starts.",
                why: "The workflow would be refused when it is started, and the step would fail.",
                remedy: "Hand over what the schema asks for: its required members, of its types, and nothing that it does not allow.")
        case .severalLoops:
            Page(
                title: "more than one loop", happened: "A step has more than one of `each`, `while` and `until`.",
                why: "Nobody could tell which of them is inside the other.",
                remedy: "Keep one. A nested loop is a step of its own, in the `do` of the outer one; `breakIf` ends an `each` loop early.")
        case .unboundedLoop:
            Page(
                title: "a loop without a bound", happened: "A `while` or `until` loop has no `maxIterations`.",
                why: "A condition that never changes would keep the run going for ever, with an agent called each time.",
                remedy: "Add `maxIterations`: the loop fails when it would need more.")
        case .misplacedLoopSetting:
            Page(
                title: "a setting that this loop has no use for",
                happened: "A key that belongs to loops stands on a step that is none, or on another kind of loop.",
                why: "It would be ignored without a word.",
                remedy:
                    "`as`, `batch` and `maxParallel` go with `each`; `initial` and `every` go with `while` and `until`; a `parallel` has "
                    + "its `join` below the verb.")
        case .shareWithoutTotal:
            Page(
                title: "a share of an unknown number", happened: "A `while` or `until` loop has a percentage or a ratio in its `join`.",
                why: "How many iterations there will be is known only when the loop has ended.", remedy: "Write a number.")
        case .invalidShare:
            Page(
                title: "no percentage", happened: "A text that should be a percentage is none.",
                why: "How much may fail, or must succeed, has to be known before the run.",
                remedy: "Write a number from 0 to 100 with a percent sign, such as 10% or 2.5%.")
        case .joinNeverHolds:
            Page(
                title: "a join that decides nothing",
                happened: "A join policy asks for more branches than there are, or lets all of them fail.",
                why: "The step could only fail, or could not fail at all.", remedy: "Choose a number that fits the branches.")
        case .misplacedElse:
            Page(
                title: "`else` before other cases", happened: "The `else` of a `switch` is not its last entry.",
                why: "Cases are tried in order, so those behind it would never run.", remedy: "Move it to the end.")

        // State machines.
        case .unknownState:
            Page(
                title: "an unknown state",
                happened: "`initial`, a transition or an expression names a state that the machine does not have.",
                why: "The machine could not go there.", remedy: "Correct the name, or add the state.")
        case .unreachableState:
            Page(
                title: "a state that is never entered", happened: "No chain of transitions leads from the initial state to this one.",
                why: "It would be dead text; usually a transition names another state by mistake.",
                remedy: "Name it in a transition, or remove it.")
        case .deadEnd:
            Page(
                title: "a state without a way to the end",
                happened: "A state is not final, and no chain of transitions leads to a final one.",
                why: "A run that enters it would never end.",
                remedy: "Add a transition towards a final state (`next`, `on`, `after`), or make the state `final`.")

        // Agents.
        case .unknownAgent:
            Page(
                title: "an unknown agent", happened: "A step calls an agent that neither the file nor the server knows.",
                why: "The step would fail in every run.", remedy: "Describe it under `agents`, register it, or correct the name.")
        case .noopRefused:
            Page(
                title: "the noop agent is for tests", happened: "An agent of the kind `noop` is used.",
                why: "It answers with what it was given and does nothing.", remedy: "Use `http` or `exec`, or a `set` step for a value.")
        case .invalidURL:
            Page(
                title: "an address that cannot be called",
                happened: "The `url` is no http or https address with a host, or holds a password.",
                why: "Every call would fail, or the password would be stored with the definition.",
                remedy: "Write https://host/path; hand credentials over in `headers` from `secrets`.")
        case .invalidHeader:
            Page(
                title: "a name or value that the protocol refuses",
                happened: "A header field or an environment variable has a name or value that cannot be sent.",
                why: "It could not be sent as it is, or would change the meaning of the request.",
                remedy: "Use letters, digits and - for header fields, letters, digits and _ for variables, and no line breaks.")
        case .invalidSchema:
            Page(
                title: "no JSON Schema", happened: "`input` or `result` is no JSON Schema 2020-12, or refers to one outside of the file.",
                why: "Nothing could be checked against it when a run is submitted or an agent answers.",
                remedy:
                    "Correct it at the place that is shown. A schema is a mapping such as { type: object, required: [text] }, or a boolean."
            )

        // Warnings.
        case .yamlWord:
            Page(
                title: "a word that is text here", happened: "An unquoted yes, no, on or off stands as a value.",
                why: "YAML 1.1 took it for a boolean; in YAML 1.2, which is used here, it is text.",
                remedy: "Write true or false for a boolean, or put the text in quotes.")
        case .leadingZero:
            Page(
                title: "a number with a leading zero", happened: "A value such as 0017 is read as a number, without its zeros.",
                why: "It often is a code or a postal code that was meant as text.", remedy: "Put it in quotes if it is text.")
        case .integerDivision:
            Page(
                title: "a division of whole numbers", happened: "An expression divides one whole number by another.",
                why: "The result is a whole number too: 1 / 2 is 0.", remedy: "Write one of them with a point: 1.0 / 2.")
        case .constantCondition:
            Page(
                title: "a condition that never changes", happened: "A condition is always true or always false.",
                why: "The step always runs, or never does; that is rarely what was meant.",
                remedy: "Remove the condition, or make it depend on data.")
        case .unknownFailure:
            Page(
                title: "a word that is no failure type", happened: "An entry of `on` looks like a failure type but is none.",
                why: "It is taken for one of the agent's own codes, so the entry may never match.",
                remedy: "Correct the spelling, or leave it if it is a code of the agent.")
        case .unreachableStep:
            Page(
                title: "a step that never runs", happened: "A step stands behind a `fail` or `succeed` that has no condition.",
                why: "The block has always ended by then.", remedy: "Give the `fail` or `succeed` an `if`, or remove what comes after it.")
        case .unreachableTransition:
            Page(
                title: "a transition that is never tried", happened: "A transition stands behind one without a guard.",
                why: "Transitions are tried in order, and the one without a guard is always taken.",
                remedy: "Put the transition without `if` last.")
        case .mayGetStuck:
            Page(
                title: "a state that may find no way",
                happened: "All transitions of `next` have guards, and neither event nor time can help.",
                why: "When no guard holds, the machine fails there.", remedy: "Let the last transition of `next` be one without `if`.")
        case .hiddenVariable:
            Page(
                title: "a variable that hides another one", happened: "A loop inside another one gives its item the same name.",
                why: "The body of the inner loop cannot see the item of the outer one.", remedy: "Name them differently with `as`.")
        case .unusedDefault:
            Page(
                title: "a default that is not applied",
                happened: "The schema of the input gives a member a `default`, and no expression says what stands in for a member that is absent.",
                why: "In JSON Schema a default is a note to whoever reads the schema. Inputs are kept as they came, so input.tier fails, "
                    + "or is absent, where a run was started without it.",
                remedy: "Read it with the value that stands in for it: ${{ input.?tier.orValue('gold') }}. Or demand it with `required`, "
                    + "and leave the default out.")
        case .doubtfulExpression:
            Page(
                title: "an expression that hardly does what is meant",
                happened: "An expression compares what is never equal, reads a field that the schema does not name but nearly does, "
                    + "divides by zero, or gives a format more arguments than it has clauses.",
                why: "It can be evaluated, but its value never changes, or is not the one that was meant: "
                    + "input.tier == 'glod' is always false where the schema has only gold and silver.",
                remedy: "Correct the constant or the name. Where the schema is too narrow, widen it.")
        }
    }
}
