// What mutations start from: inputs that are right, and pieces that hurt.

import Expressions
import WorkflowModel

enum FuzzCorpus {
    /// Names for expressions.
    static let scope: Scope = {
        let input = """
            {"tier": "gold", "count": 3, "ratio": 0.5, "none": null, "text": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!",
             "docs": [{"id": "a", "kind": "x", "score": 0.25}, {"id": "b", "kind": "y", "score": 0.75}, {"id": "c", "kind": "x", "score": 0.5}]}
            """
        var scope = Scope()
        scope.set("input", (try? JSONValue(parsing: input)).map { Value($0) } ?? .null)
        scope.set("steps", Value(["classify": ["status": "succeeded", "output": ["label": "spam", "score": 0.93]]]))
        scope.set("run", Value(["id": "run-1", "version": 2]))
        return scope
    }()

    static let check = TypeCheck([
        "input": .open([
            "tier": .strings(["gold", "silver"]), "count": .int, "ratio": .number, "text": .string,
            "docs": .list(.closed(["id": .string, "kind": .string, "score": .number])),
        ]),
        "steps": .closed(["classify": .open(["status": .string, "output": .anything])]), "run": .anything,
    ])

    static let expressions: [String] = [
        "steps.classify.output.score > 0.8 && input.tier == 'gold'", "input.docs.map(d, d.score).sum() / size(input.docs)",
        "{'a': [1, 2u, 3.5, b'x', null, true], ?'b': input.?missing}", "[?optional.of(1), ?optional.none()].map(x, x + 1)",
        "input.docs.filter(d, d.kind == 'x').sortBy(d, -d.score)[0].id", "cel.bind(a, [1, 2], a + a.reverse()).distinct().flatten()",
        "timestamp('2024-02-29T12:00:00Z') + duration('1h30m') > timestamp(0) ? 1 : -9223372036854775808",
        "'%s %d %.3f %x %b %e'.format([[1, {'a': 2}], 3, 1.5, 255, 5, 1e10])",
        "'a,b,c'.split(',', 2).join('-').upperAscii().substring(1, 3)",
        "regex.replace('hello', '(l+)', '<\\\\1>') + regex.extract('abc', 'b').orValue('')", "has(input.a.b) || !has(input.?tier.x)",
        "input.docs.transformMapEntry(i, d, {d.id: i}).transformMap(k, v, v % 2 == 0, v * 2)",
        "math.greatest(1, 2.0, 3u) + math.bitShiftLeft(1, 3)", "[1, 'foo', 3].exists_one(i, v, i == 1 && v == 'foo') in [true]",
        "json.parse('{\"a\": [1]}').a[0] + int('7') - int(uint(3))", "r'\\d' + \"\\u00e9\\n\" + '''multi\n\"line\"'''",
        "optional.of({'a': 1}).?a.optMap(x, x + 1).orValue(0)", "base64.decode('aGk=') + b'\\xff'",
        "string(timestamp('2024-01-01T00:00:00Z').getHours('Europe/Berlin'))", "[[1], [2]].all(x, x.size() == 1) ? 'yes' : 'no' // done",
        "range(9000).map(i, range(9000))", "range(1000).map(i, input.text).join().size()", "input.text.matches('^(a+)+$')",
        "range(500).map(i, i + 0.5).distinct()", "sets.contains([1, 2], range(10)) || {'a': 1}.merge({'b': [2]}).keys() == ['a', 'b']",
    ]

    static let expressionPieces: [String] = [
        "(", ")", "[", "]", "{", "}", "}}", "${{", ".", "?", ":", ",", "'", "\"", "'''", "\\", "\\u", "!", "-", "+", "*", "/", "%", "<",
        ">=",
        "==", "&&", "||", " in ", "0x", "1e", "9223372036854775808", "1e308", "u", "b", "r'", "//", "\n", "\u{0}", "é", "🐱", "\u{301}",
        "`a-b`",
        "null", "input", "steps", ".map(x, x)", ".all(x, x)", "has(", "cel.bind(x, 1, ", "range(10000)", ".size()", "[0]", "[?0]", ".?a",
        ".matches('(a*)*')", ".format([1])", "type(", "dyn(", ".sort()", ".sum()", "json.format(", "[1, 2.5, 'x']", "{'a': 1, 2: 'b'}",
        ".transformMap(k, v, v)", ".replace('', input.text)", "input.text", " + input.text", ".reverse()", ".flatten(9)", "!!", "--",
        "1 + ",
        "hash.sha256(", ".split('')", "json.parse(", "input.docs", ".distinct()", "true ? 1 : ", "(1 + ", "[", "{'a': ", "x.y.z",
    ]

    static let definitions: [String] = [
        """
        workflow: review
        description: "Scores documents"
        input: { type: object, required: [docs], properties: { docs: { type: array, items: { type: string } } } }
        defaults: { timeout: 5m, retry: { maxAttempts: 4, backoff: exponential, delay: 1s, factor: 2, maxDelay: 60s, jitter: full } }
        agents:
          reviewer: { kind: http, url: https://reviewer.example/score, headers: { authorization: "Bearer ${{ secrets.KEY }}" } }
        steps:
          - id: review
            agent: reviewer
            with: { text: "${{ input.docs[0] }}", n: 1 }
            retry: { maxAttempts: 3 }
          - id: mean
            set: ${{ steps.review.output.score * 2 }}
        output: ${{ steps.mean.output }}
        """,
        """
        workflow: graph
        agents: { a: { kind: exec, command: [wc, -w], stdin: "${{ with.text }}", output: text } }
        graph:
          - { id: first, agent: a, with: { text: x } }
          - { id: second, agent: a, needs: [first], if: "${{ steps.first.output != '' }}", with: { text: "${{ steps.first.output }}" } }
          - id: third
            agent: a
            needs: [first, second]
            with:
              text: |
                several lines ${{ input.a }}
                and more
        """,
        #"""
        workflow: control-flow
        input: { type: object, properties: { documents: { type: array, items: { type: string } }, total: { type: number }, customer: { type: string } } }
        agents:
          reviewer: { kind: http, url: "https://reviewer.internal/score" }
          clean: { kind: exec, command: [rm, -f, /tmp/scratch], output: text }

        steps:
          - id: review
            each: ${{ input.documents }}
            as: document
            maxParallel: 8
            join: { tolerate: 10%, onError: drain, deadline: 2h, onDeadline: partial }
            agent: reviewer
            with: { text: "${{ document }}", number: "${{ index + document_index }}" }
            result: { type: object, required: [score], properties: { score: { type: number } } }
            output: "${{ {'score': result.score, 'document': document} }}"
            breakIf: output.score < 0
            totalTimeout: 6h
            onError: continue

          - id: batches
            each: input.documents
            batch: 50
            maxParallel: unlimited
            collect: last
            maxIterations: 100000
            do:
              graph:
                - { id: size, set: "${{ size(item) }}" }
                - id: inner
                  needs: [size]
                  each: [1, "${{ steps.size.output }}", "${{ item_index }}"]
                  as: number
                  set: ${{ number + item_index + index }}
            output: ${{ steps.inner.output }}

          - id: poll
            until: output.done || previous.done
            initial: { done: false, n: 0 }
            every: 30s
            maxIterations: 100
            join: { tolerate: 3 }
            agent: reviewer
            with: { n: "${{ previous.n }}", round: "${{ index }}" }

          - id: count
            while: previous < 3 && index < 10
            initial: 0
            maxIterations: 10
            collect: none
            set: ${{ previous + 1 }}

          - id: enrich
            parallel:
              branches:
                legal: [ { id: check, agent: reviewer } ]
                finance: { graph: [ { id: check, agent: reviewer }, { id: sum, needs: [check], set: 1 } ] }
                machine: { states: { initial: only, only: { final: true } } }
              join: { quorum: 2, onError: continue }
              output: "${{ {'legal': branches.legal.check.output, 'finance': branches.finance.sum.status, 'machine': branches.machine} }}"

          - { id: race, parallel: { branches: { a: [ { id: x, set: 1 } ], b: [ { id: x, set: 2 } ] }, join: first } }
          - { id: most, parallel: { branches: { a: [ { id: x, set: 1 } ], b: [ { id: x, set: 2 } ] }, join: { ratio: 0.6 } } }

          - id: route
            switch:
              - if: ${{ input.total > 100 }}
                do: [ { id: big, set: big } ]
              - if: input.total > 10
                do: { graph: [ { id: medium, set: medium } ] }
              - else: [ { id: small, set: "${{ steps.review.ok.size() }} of ${{ steps.review.failed.size() }}" } ]

          - id: paid
            await: { event: payment.received, key: "${{ input.customer }}", match: event.amount > 0, lookback: 1h, consume: broadcast, timeout: 2d }
            onTimeout: continue
            output: ${{ event.amount }}
          - id: either
            await: { any: [ { event: order.shipped }, { event: order.cancelled, match: "event.by == 'customer'" } ] }
            timeout: 48h
            onTimeout: { do: [ { id: remind, emit: order.reminder }, { id: none, set: null } ] }
          - { id: short, await: go }

          - { id: nap, sleep: 5s }
          - { id: longer, sleep: { duration: "${{ input.total }}s" } }
          - { id: morning, sleep: { until: 2026-01-31T08:00:00Z } }
          - { id: later, sleep: { until: "${{ timestamp(run.startedAt) + duration('1h') }}" } }

          - { id: tell, emit: { event: report/ready, key: "${{ input.customer }}", data: { total: "${{ input.total }}" }, run: "${{ run.parent }}" } }
          - { id: check, validate: { value: "${{ input.total }}", schema: { type: number, minimum: 0 } } }

          - id: publish
            workflow: publish-report
            with: { scores: "${{ steps.review.output }}" }
            result: { type: object }
            timeout: 1h
            retry: { maxAttempts: 2, on: [timeout] }
            priority: 5
            onError: { do: [ { id: note, set: "${{ error.type }} at ${{ error.path }}" } ] }
          - { id: fire, workflow: archive, wait: false, onParentEnd: cancel }

          - id: order
            do:
              states:
                initial: received
                maxTransitions: 20
                unexpected: reject
                received:
                  do: [ { id: test, agent: reviewer, with: { order: "${{ input }}" } } ]
                  next: [ { if: "${{ steps.test.output.ok }}", to: awaiting_payment }, { to: rejected } ]
                awaiting_payment:
                  on:
                    payment.received: { if: "${{ event.amount >= input.total }}", to: shipped }
                    order.cancelled: [ { if: event.final, to: rejected }, { to: awaiting_payment } ]
                  after: { 24h: { to: rejected }, 7d: [ { if: states.received.output.slow, to: shipped }, { to: rejected } ] }
                shipped: { final: true, output: "${{ states.received.output }}" }
                rejected: { do: [ { id: why, set: no reason } ], final: failed, output: "${{ result + steps.why.output }}" }

          - id: stop
            if: input.total < 0
            fail: { message: "a total of ${{ input.total }}", code: E_NEGATIVE }
          - { id: stop_short, if: input.total == 0.0, fail: nothing to do }
          - { id: done_early, if: input.total > 1e6, succeed: { total: "${{ input.total }}" } }
          - { id: cleanup, when: always, agent: clean, effect: idempotent, startTimeout: 1m, labels: { kind: cleanup } }
          - { id: reject, when: failure, agent: clean, effect: unsafe, retry: { maxAttempts: 3, on: [connect, rateLimited] } }

        output: ${{ steps.enrich.output }}
        onSuccess: [ { workflow: archive, with: { report: "${{ output }}", by: "${{ run.id }}" }, if: output.legal != null } ]
        onFailure: [ { workflow: alarm, with: { reason: "${{ error.message }}", of: "${{ input.customer }}" } } ]
        onCancel: [ { workflow: alarm } ]
        """#,
        #"""
        workflow: machine
        states:
          initial: first
          first:
            do: { graph: [ { id: a, set: 1 }, { id: b, needs: [a], set: "${{ steps.a.output + 1 }}" } ] }
            output: ${{ steps.b.output }}
            next: { to: second }
          second:
            on: { "go": { to: first }, stop: { to: end } }
          end: { final: cancelled }
        output: ${{ run.id }}
        """#,
        #"{"workflow": "json", "agents": {"a": {"kind": "http", "url": "http://localhost/x"}}, "steps": [{"id": "one", "agent": "a", "with": {"x": "${{ input.é }}"}}]}"#,
    ]

    static let definitionPieces: [String] = [
        "\n", "  ", "\t", "- ", ": ", "? ", "#", "&a ", "*a", "<<: *a", "!!binary ", "!<tag>", "---\n", "...\n", "%YAML 1.1\n", "|\n",
        ">-\n", "{", "}",
        "[", "]", ",", "'", "\"", "\\", "\\u0000", "\u{FEFF}", "\u{85}", "\u{2028}", "\r", "\u{0}", "${{", "}}", "$${{", "yes", "on",
        "1_000", "0o7",
        ".inf", "~", "null", "1e999", "18446744073709551616", "steps:\n", "graph:\n", "states:\n", "agents:\n", "  - id: x\n",
        "    agent: a\n", "needs: [x]\n",
        "each: ${{ input.a }}", "workflow: a\n", "input: { $ref: '#' }\n", "retry: { maxAttempts: 9999999999 }\n", "timeout: 1h\n",
        "- - - - ", "{a: ", "[[",
        "'''", "é", "🐱", "e\u{301}", "with: { a: \"${{ a.b( }}\" }\n", "if: ${{ true }}\n", "cron: '* * * * *'\n",
    ]

    static let schemas: [String] = [
        ##"{"type": "object", "required": ["a"], "properties": {"a": {"type": "string", "pattern": "^a+$"}, "b": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": "integer", "minimum": 1}}}"##,
        ##"{"$dynamicAnchor": "node", "type": "object", "properties": {"next": {"$dynamicRef": "#node"}}, "unevaluatedProperties": false}"##,
        ##"{"oneOf": [{"const": 1}, {"enum": ["a", null, 1.5]}, {"type": "array", "prefixItems": [{}, false], "items": {"format": "date-time"}, "uniqueItems": true}]}"##,
        ##"{"if": {"properties": {"kind": {"const": "x"}}}, "then": {"required": ["a"]}, "else": {"dependentRequired": {"a": ["b"]}}, "propertyNames": {"maxLength": 3}}"##,
        ##"{"$id": "https://example.com/a", "$defs": {"x": {"$id": "b", "$anchor": "here", "contains": {"multipleOf": 0.1}, "minContains": 2}}, "$ref": "b#here"}"##,
    ]

    static let schemaPieces: [String] = [
        "{", "}", "[", "]", ",", ":", "\"", "\"$ref\":\"#\"", "\"$dynamicRef\":\"#node\"", "\"not\":{", "\"allOf\":[",
        "\"pattern\":\"(a+)+$\"", "1e400",
        "-1", "\"\\ud800\"", "\"items\":", "\"unevaluatedItems\":false", "\"$id\":\"x\"",
        "\"$schema\":\"https://json-schema.org/draft/2020-12/schema\"",
        "\"patternProperties\":{\"[\":true}", "\"format\":\"regex\"", "null", "true", "é", "\u{0}", "\"enum\":[]", "\"maxLength\":1e9",
        "{\"anyOf\":[",
    ]

    static let patterns: [String] = [
        "^[a-z]+@[a-z]+\\.com$", "(a+)+$", "a*[bc]", "(a|aa)+$", "^(([a-z])+.)+[A-Z]([a-z])+$", "(?<=a{1,100})b", "(\\w+)\\s\\1",
        "\\p{Lu}\\d{2,5}?", "(?i)äß",
        "(?:(?:a?){20})a{20}", "(?=.*a)(?!.*b).*", "([^,]*,){5}", "\\bfoo\\b|bar$", "(?<name>a)\\k<name>", "(?>a*)b", "a{500}", "(?R)?x",
        "[[:alpha:]_-]*",
    ]

    static let patternPieces: [String] = [
        "(", ")", "[", "]", "{", "}", "*", "+", "?", "|", "^", "$", ".", "\\", "a", "b", "é", "1", "-", ",", "{1,1000}", "{0,65535}", "(?:",
        "(?=", "(?!",
        "(?<=", "(?<!", "(?>", "(?i)", "(?x)", "(?R)", "\\1", "\\g{-1}", "\\b", "\\p{L}", "\\x{10FFFF}", "\\Q", "\\E", "\\K", "[^",
        "[:digit:]", "(*SKIP)",
        "(*LIMIT_MATCH=9)", "(?(1)a|b)", "(?C1)", "a*", "(a*)*", ".*", "\\N", "\\R", "\\X", "\u{0}", "(*sr:", "(?#", "a|aa", "(a|b)*",
        "[ab]{500}",
    ]
}
