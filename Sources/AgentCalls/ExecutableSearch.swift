// Which executables an agent may start, and where they are.
import WorkflowModel

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

enum ExecutableSearch {
    /// The absolute path of an executable that the worker allows.
    ///
    /// A bare name is looked up in the worker's own PATH, never in one that the agent brings. It is allowed when the list has the name, or
    /// the path that was found. A path must be absolute and in the list as it is.
    static func find(_ name: String, settings: AgentCallSettings) throws(CallFailure) -> String {
        guard let allowed = settings.allowedExecutables else {
            throw CallFailure(.limit, .notAllowed, "This worker does not start processes.")
        }
        let refusal = CallFailure(
            .limit, .notAllowed, "This worker does not allow the executable \(Answer.excerpt(name.utf8, length: 200)).")
        let allowsAll = allowed.contains("*")
        if name.utf8.contains(0x2F) {
            guard allowsAll || allowed.contains(name) else { throw refusal }
            guard name.hasPrefix("/") else {
                throw CallFailure(.limit, .notAllowed, "An executable is named by its bare name or by an absolute path.")
            }
            guard isExecutable(name) else { throw notFound(name) }
            return name
        }
        guard name != ".", name != ".." else { throw refusal }
        let found = settings.searchPath.split(separator: ":").lazy
            .filter { directory in directory.hasPrefix("/") }
            .map { directory in directory.hasSuffix("/") ? "\(directory)\(name)" : "\(directory)/\(name)" }
            .first(where: isExecutable)
        guard allowsAll || allowed.contains(name) || found.map({ path in allowed.contains(path) }) == true else { throw refusal }
        guard let found else { throw notFound(name) }
        return found
    }

    private static func notFound(_ name: String) -> CallFailure {
        CallFailure(.connect, .executableNotFound, "The executable \(Answer.excerpt(name.utf8, length: 200)) was not found on this worker.")
    }

    private static func isExecutable(_ path: String) -> Bool {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return false }
        return access(path, X_OK) == 0
    }
}
