// Findings in the Static Analysis Results Interchange Format, which code hosts and editors show beside the lines.

public import WorkflowModel

/// Findings as a SARIF 2.1.0 document.
public enum SARIFReport {
    /// The document.
    ///
    /// - Parameters:
    ///   - files: the files, each with its path relative to the repository and its findings.
    ///   - version: the version of this program.
    public static func json(_ files: [(path: String, diagnostics: [Diagnostic])], version: String) -> JSONValue {
        let found = Set(files.flatMap { $0.diagnostics.map(\.code) })
        let codes = DiagnosticCode.allCases.filter { found.contains($0) }
        let rules: [JSONValue] = codes.map { code in
            let level = level(code.severity)
            return [
                "id": .string(code.rawValue), "name": .string("\(code)"), "shortDescription": ["text": .string(code.title)],
                "fullDescription": ["text": .string(code.explanation)], "help": ["text": .string("skein explain \(code.rawValue)")],
                "defaultConfiguration": ["level": level],
            ]
        }
        let results = files.flatMap { file in
            file.diagnostics.map { result($0, file.path, codes.firstIndex(of: $0.code) ?? 0) }
        }
        let driver: JSONValue = ["name": "skein", "version": .string(version), "rules": .array(rules)]
        let run: JSONValue = ["tool": ["driver": driver], "columnKind": "unicodeCodePoints", "results": .array(results)]
        return [
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run],
        ]
    }

    private static func level(_ severity: Diagnostic.Severity) -> JSONValue {
        switch severity {
        case .error: "error"
        case .warning: "warning"
        }
    }

    private static func result(_ finding: Diagnostic, _ path: String, _ rule: Int) -> JSONValue {
        let text = finding.message + (finding.fix.map { "\nFix: \($0)" } ?? "")
        let region: JSONValue = [
            "startLine": .int(Int64(finding.position.line)), "startColumn": .int(Int64(finding.position.column)),
            "endColumn": .int(Int64(finding.position.column + finding.length)),
        ]
        let place: JSONValue = ["artifactLocation": ["uri": .string(uri(path))], "region": region]
        var location: JSONObject = JSONObject()
        location["physicalLocation"] = place
        if !finding.path.isEmpty { location["logicalLocations"] = [["fullyQualifiedName": .string(finding.path)]] }
        return [
            "ruleId": .string(finding.code.rawValue), "ruleIndex": .int(Int64(rule)), "level": level(finding.severity),
            "message": ["text": .string(text)], "locations": [.object(location)],
        ]
    }

    // Everything but what a path in a URI may hold is written as %XX.
    private static func uri(_ path: String) -> String {
        var result = ""
        for byte in path.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E, 0x2F: result.unicodeScalars.append(Unicode.Scalar(byte))
            default: result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return result
    }
}
