// The values of a process's settings, from the command line, the environment and a file, in this order.

package import ArgumentParser
import Configuration
import Foundation
import Postgres
import WorkflowModel

/// What the settings of a process are, and where each value comes from. Everything is checked before anything is started.
package struct Settings: Sendable {
    /// Where a value comes from.
    package enum Origin: Sendable {
        case option, environment, file(String), fallback

        var isOption: Bool {
            switch self {
            case .option: true
            case .environment, .file, .fallback: false
            }
        }

        func text(for setting: Setting) -> String {
            switch self {
            case .option: "--\(setting.option)"
            case .environment: setting.variable
            case .file(let path): path
            case .fallback: "default"
            }
        }
    }

    private var values: [String: (text: String, origin: Origin)] = [:]
    private let settings: [Setting]

    /// Finds and checks the values.
    ///
    /// - Parameters:
    ///   - settings: the keys that the process has.
    ///   - options: what the command line said, nil where it said nothing.
    package init(of settings: [Setting], options: [(Setting, String?)]) async throws {
        self.settings = settings
        var given: [AbsoluteConfigKey: ConfigValue] = [:]
        for (setting, value) in options {
            if let value { given[AbsoluteConfigKey(Self.components(setting))] = ConfigValue(.string(value), isSecret: setting.isSecret) }
        }
        var sources: [(reader: ConfigReader, prefix: [String], origin: Origin)] = [
            (ConfigReader(provider: InMemoryProvider(name: "options", values: given)), [], .option),
            (ConfigReader(provider: EnvironmentVariablesProvider()), ["skein"], .environment),
        ]
        try await take(.config, from: sources)
        if let path = text(.config) {
            let isUsage = values[Setting.config.key]?.origin.isOption ?? false
            guard FileManager.default.isReadableFile(atPath: path) else {
                throw SettingsError(key: Setting.config.key, reason: "the file \(path) cannot be read", isUsage: isUsage)
            }
            try Self.refuseUnknownKeys(in: path)
            let place = ConfigReader(
                provider: InMemoryProvider(name: "file", values: [AbsoluteConfigKey(["filePath"]): ConfigValue(.string(path), isSecret: false)]))
            do {
                sources.append((ConfigReader(provider: try await FileProvider<JSONSnapshot>(config: place)), [], .file(path)))
            } catch {
                throw SettingsError(key: Setting.config.key, reason: "the file \(path) cannot be read")
            }
        }
        for setting in settings where setting.key != Setting.config.key { try await take(setting, from: sources) }
    }

    private mutating func take(_ setting: Setting, from sources: [(reader: ConfigReader, prefix: [String], origin: Origin)]) async throws {
        for (reader, prefix, origin) in sources {
            guard let text = try await Self.lookUp(ConfigKey(prefix + Self.components(setting)), reader) else { continue }
            // An empty variable is one that somebody did not want to set.
            if text.isEmpty, case .environment = origin { continue }
            if let refusal = setting.refusal(of: text) {
                throw SettingsError(
                    key: setting.key, reason: "\(refusal); \(origin.text(for: setting)) says \(setting.isSecret ? "something else" : "\"\(text)\"")",
                    isUsage: origin.isOption)
            }
            values[setting.key] = (text, origin)
            return
        }
        if let fallback = setting.fallback { values[setting.key] = (fallback, .fallback) }
    }

    private static func components(_ setting: Setting) -> [String] { setting.key.split(separator: ".").map(String.init) }

    // A file may say a number as a number and a list as a list; here they are texts.
    private static func lookUp(_ key: ConfigKey, _ reader: ConfigReader) async throws -> String? {
        if let text = try? await reader.fetchString(forKey: key) { return text }
        if let number = try? await reader.fetchInt(forKey: key) { return String(number) }
        if let number = try? await reader.fetchDouble(forKey: key) { return String(number) }
        if let flag = try? await reader.fetchBool(forKey: key) { return String(flag) }
        if let list = try? await reader.fetchStringArray(forKey: key) { return list.joined(separator: ",") }
        return nil
    }

    // A misspelt key in a file would be ignored in silence.
    private static func refuseUnknownKeys(in path: String) throws {
        guard let data = FileManager.default.contents(atPath: path), let text = String(validating: data, as: UTF8.self) else {
            throw SettingsError(key: Setting.config.key, reason: "the file \(path) cannot be read")
        }
        let document: JSONValue
        do throws(JSONError) {
            document = try JSONValue(parsing: text)
        } catch {
            throw SettingsError(key: Setting.config.key, reason: "the file \(path) is not valid: \(error)")
        }
        guard let object = document.objectValue else {
            throw SettingsError(key: Setting.config.key, reason: "the file \(path) must hold a JSON object")
        }
        let known = Dictionary(Setting.all.map { ($0.key, $0) }) { first, _ in first }
        func check(_ object: JSONObject, _ prefix: String) throws {
            for (name, value) in object.members {
                let key = prefix + name
                if key == Setting.config.key { throw SettingsError(key: key, reason: "a file cannot name another one, but \(path) does") }
                if let setting = known[key] {
                    if let kind = setting.refusal(of: value) { throw SettingsError(key: key, reason: "\(kind); \(path) says \(value.compactText.prefix(100))") }
                    continue
                }
                guard let inner = value.objectValue else { throw SettingsError(key: key, reason: "there is no such key, but \(path) has it") }
                try check(inner, key + ".")
            }
        }
        try check(object, "")
    }
}

// MARK: - Reading

extension Settings {
    /// The text; nil where there is none.
    package func text(_ setting: Setting) -> String? {
        guard let value = values[setting.key]?.text, !value.isEmpty else { return nil }
        return value
    }

    /// The text, or an empty one.
    package func string(_ setting: Setting) -> String { text(setting) ?? "" }

    package func integer(_ setting: Setting) -> Int { text(setting).flatMap { Int($0) } ?? 0 }

    package func duration(_ setting: Setting) -> Duration { text(setting).flatMap { DurationText.parse($0) } ?? .zero }

    package func boolean(_ setting: Setting) -> Bool? { text(setting).flatMap { Setting.boolean($0) } }

    package func isOn(_ setting: Setting) -> Bool { boolean(setting) ?? false }

    package func list(_ setting: Setting) -> [String] {
        Setting.list(string(setting))
    }

    /// Every value with its origin, secrets left out.
    ///
    /// - Parameter derived: what values come to that nobody set and that depend on other settings.
    package func shown(derived: [String: String] = [:]) -> String {
        let visible = settings.filter { !$0.isHidden || values[$0.key].map { if case .fallback = $0.origin { false } else { true } } ?? false }
        let rows = visible.map { setting in
            let value = values[setting.key]
            let text = value.map { setting.isSecret ? PostgresConfiguration($0.text).redacted : $0.text } ?? derived[setting.key] ?? ""
            return (setting.key, text.isEmpty ? "(none)" : text, value?.origin.text(for: setting) ?? "default")
        }
        let widths = (rows.map { $0.0.count }.max() ?? 0, rows.map { $0.1.count }.max() ?? 0)
        return rows.map { key, text, origin in
            key + String(repeating: " ", count: widths.0 - key.count + 2) + text + String(repeating: " ", count: widths.1 - text.count + 2) + origin
        }.joined(separator: "\n")
    }
}

extension Setting {
    package var isSecret: Bool { if case .database = kind { true } else { false } }
}

/// A setting that stops the start.
package struct SettingsError: Error, CustomStringConvertible {
    package let key: String
    package let reason: String
    /// Whether the command line says it.
    package var isUsage = false

    /// What the process ends with.
    package var exitCode: ExitCode { isUsage ? Ending.usage : Ending.badConfiguration }

    package var description: String { "\(key): \(reason)" }
}
