// Waits for the end of a process without reaping it.
import Dispatch

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

enum ProcessEnd {
    /// Returns when the child `process` has ended. It stays a zombie, so its id stays its own. Cancelling the task does not end the wait.
    ///
    /// `descriptor` is the process as a file descriptor, which becomes readable when the process ends. Where the system has none
    /// (Linux before 5.4, a seccomp filter, other systems) the process is asked for every `interval`.
    static func wait(for process: pid_t, descriptor: CInt) async {
        let ownDescriptor = descriptor >= 0 ? fcntl(descriptor, F_DUPFD_CLOEXEC, 0) : -1
        if ownDescriptor >= 0 {
            await withCheckedContinuation { continuation in
                let source = DispatchSource.makeReadSource(fileDescriptor: ownDescriptor, queue: .global())
                source.setEventHandler { source.cancel() }
                source.setCancelHandler {
                    close(ownDescriptor)
                    continuation.resume()
                }
                source.activate()
            }
        }
        while !hasEnded(process) {
            await withCheckedContinuation { continuation in
                DispatchQueue.global().asyncAfter(deadline: .now() + interval) { continuation.resume() }
            }
        }
    }

    private static let interval = DispatchTimeInterval.milliseconds(20)

    private static func hasEnded(_ process: pid_t) -> Bool {
        var information = siginfo_t()
        while true {
            let result = waitid(P_PID, id_t(process), &information, WEXITED | WNOHANG | WNOWAIT)
            if result == 0 {
                #if canImport(Glibc)
                return information._sifields._sigchld.si_pid != 0
                #else
                return information.si_pid != 0
                #endif
            }
            // No such child: somebody else has reaped it, so it is gone.
            if errno != EINTR { return true }
        }
    }
}
