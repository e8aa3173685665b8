// The page behind each problem code: what happened, why, what to do.

import HTTPTypes

extension ProblemCode {
    struct Page {
        let title: String
        let happened: String
        let why: String
        let remedy: String
    }

    /// The heading of the page, and the `title` of a problem document.
    public var title: String { page.title }

    /// A short page about problems of this kind.
    public var explanation: String {
        let page = page
        return """
            \(rawValue) (\(status.code)): \(page.title)

            What happened: \(page.happened)
            Why: \(page.why)
            What to do: \(page.remedy)

            """
    }

    var page: Page {
        switch self {
        case .malformedJSON:
            Page(
                title: "The body is not valid JSON", happened: "The body could not be read as JSON; `offset` is the byte where it goes wrong.",
                why: "Bodies are checked once, at the edge: grammar, UTF-8, duplicate keys, NUL, lone surrogates, depth, numbers out of range.",
                remedy: "Mend the body at that byte and send it again. Nothing was done.")
        case .invalidRequest:
            Page(
                title: "The body is not what this route takes", happened: "A member is missing, unknown, or of another type; `errors` lists them.",
                why: "Unknown members are refused, because a misspelt one would be ignored in silence.",
                remedy: "Compare the body with the route's schema in /api/v1/openapi.json.")
        case .invalidParameter:
            Page(
                title: "A parameter is not valid", happened: "A query parameter or a header field is unknown or out of range; `parameter` names it.",
                why: "Unknown parameters are refused, because a filter that is ignored shows the wrong rows.",
                remedy: "Compare the request with /api/v1/openapi.json.")
        case .invalidCursor:
            Page(
                title: "The cursor does not fit this list", happened: "The cursor was made for other filters, or was changed on the way.",
                why: "A page continues exactly the list that it belongs to.", remedy: "Begin again without `cursor`, and keep the filters while paging.")
        case .bodyTooLarge:
            Page(
                title: "The body is too large", happened: "The body has more bytes than this route takes; `limit_bytes` says how many those are.",
                why: "What a run is given is stored and handed on with every step that needs it.",
                remedy: "Store large data elsewhere and pass its address, or raise the limit in the coordinator's configuration (body.limit, batch.limit).")
        case .inputTooLarge:
            Page(
                title: "The run's input is too large", happened: "The input has more bytes than an input may have; `limit_bytes` says how many those are.",
                why: "What a run is given is stored and handed on with every step that needs it.",
                remedy: "Store large data elsewhere and pass its address, or raise input.limit in the coordinator's configuration.")
        case .unauthenticated:
            Page(
                title: "A valid API key is needed", happened: "The request has no key, or one that does not exist, was revoked, or has expired.",
                why: "This coordinator serves nobody without a key.", remedy: "Send `Authorization: Bearer sk_…`. Make a key with: skein key create NAME")
        case .forbidden:
            Page(
                title: "The key may not do this", happened: "The key lacks the scope that the route needs, or belongs to another namespace.",
                why: "A key is of one namespace and has the scopes that it was made with.", remedy: "Use a key of that namespace with that scope.")
        case .foreignOrigin:
            Page(
                title: "Requests from other sites are refused",
                happened: "A browser sent this request on behalf of a page of another site, or it was addressed to a host that is not localhost.",
                why: "Without keys the API is open to everybody on this machine, but not to every page that a browser on it happens to show, nor to "
                    + "one whose name was made to point at this machine.",
                remedy: "Use the API from a program, from the coordinator's own pages, or with API keys; address it as localhost, 127.0.0.1 or [::1].")
        case .routeNotFound:
            Page(
                title: "There is nothing at this path", happened: "No route has this path.", why: "The path may be misspelt, or of another release.",
                remedy: "GET /api/v1/openapi.json lists all routes.")
        case .methodNotAllowed:
            Page(
                title: "The path does not take this method", happened: "The path exists; the header field `Allow` lists its methods.",
                why: "Looking is GET, registering is PUT, everything else is POST.", remedy: "Use one of the methods in `Allow`.")
        case .namespaceNotFound:
            Page(
                title: "There is no such namespace", happened: "The namespace of the request does not exist.",
                why: "Namespaces are made by an administrator, never by a request.",
                remedy: "Check the `Skein-Namespace` header field, or make the namespace.")
        case .workflowNotFound:
            Page(
                title: "There is no such workflow", happened: "The namespace has no workflow of this name, or it has no live version.",
                why: "A workflow exists once a file for it has been registered.",
                remedy: "GET /api/v1/workflows lists what there is; register one with: skein workflow apply FILE")
        case .versionNotFound:
            Page(
                title: "The workflow has no such version", happened: "The workflow exists, but not in this version.",
                why: "Versions are numbered from 1, one for each different content.",
                remedy: "GET /api/v1/workflows/NAME/versions lists them; leave the version out to get the live one.")
        case .runNotFound:
            Page(
                title: "There is no such run", happened: "The namespace has no run with this id.",
                why: "The id may be of another namespace, or the run's history may have been removed by retention.",
                remedy: "GET /api/v1/runs lists the runs that there are.")
        case .stepNotFound:
            Page(
                title: "The run has no such step yet", happened: "No step of this path has started in the run.",
                why: "Steps become visible when they start; a step of a block has the block's path in front.",
                remedy: "GET /api/v1/runs/ID/steps lists the steps that have started.")
        case .eventNotFound:
            Page(
                title: "There is no such event", happened: "The namespace has no event of this number.",
                why: "The number may be of another namespace, or the event was decided long ago and has been removed by retention.",
                remedy: "Use the `event_id` of the answer to the request that sent it.")
        case .nameMismatch:
            Page(
                title: "The file names another workflow", happened: "The name in the path and the name in the file differ.",
                why: "The path says what is meant; a file that says something else would register the wrong workflow.",
                remedy: "Change the one or the other.")
        case .invalidDefinition:
            Page(
                title: "The workflow file has errors", happened: "The file was checked and not registered; `diagnostics` lists everything that was found.",
                why: "A workflow is checked when it is registered, so that no run fails because of its file.",
                remedy: "Mend what is listed. Each code has a page: skein explain CODE")
        case .workflowNotRunnable:
            Page(
                title: "This release cannot run the workflow", happened: "The version is registered, but this coordinator does not understand it.",
                why: "It was registered by a newer release, or its row was changed by hand.",
                remedy: "Upgrade the coordinator, or register the workflow again.")
        case .invalidInput:
            Page(
                title: "The input does not match the workflow's schema",
                happened: "The workflow declares what its input looks like; `errors` lists every place where it differs.",
                why: "A run that cannot work is refused before it starts.", remedy: "Mend the input. GET /api/v1/workflows/NAME shows the schema.")
        case .keyConflict:
            Page(
                title: "The key was used for another request", happened: "A run with this idempotency key exists, and it was asked for differently.",
                why: "A key stands for one request: the same workflow, version and input. `run_id` is the run that has it.",
                remedy: "Use a new key for a new request; send the same request again to get the same run.")
        case .runEnded:
            Page(
                title: "The run has ended", happened: "The run reached its ending before the request; `run_status` says which.",
                why: "A run has one ending, and it never changes.", remedy: "Nothing, or start another run.")
        case .runConflict:
            Page(
                title: "The run's state does not allow this", happened: "The run has ended, is being cancelled, is not paused, or was paused with another run.",
                why: "An order that does not fit is refused rather than kept for a moment when nobody expects it any more.",
                remedy: "GET /api/v1/runs/ID/why says what the run is doing.")
        case .eventRefused:
            Page(
                title: "The run refuses the event", happened: "The state machine is in a state that has no transition for this event, and its definition says `unexpected: reject`.",
                why: "The workflow's author decided that a sender must know at once when an event comes at the wrong time.",
                remedy: "Look at the run's state (GET /api/v1/runs/ID/steps), and send the event when the machine waits for it.")
        case .tooManyRequests:
            Page(
                title: "More is asked for than can be done",
                happened: "A bound was reached, which `bound` names: backlog (runs that have not ended), waiting (submits that wait to be committed), bytes (bodies of requests). Nothing was done.",
                why: "What is accepted is kept until it is done. Past the bound a refusal at once is better than a queue that only grows; what was accepted before goes on.",
                remedy: "Send the request again after the time in `Retry-After`, with the same idempotency key. When it happens often, start more workers, or raise backlog.limit, submit.waiting or request.bytes in the coordinator's configuration.")
        case .overloaded:
            Page(
                title: "Something is too slow at the moment", happened: "The database was too slow, or this coordinator is stopping. Nothing was done.",
                why: "Every queue has a bound; past it an answer at once is better than one that comes too late.",
                remedy: "Send the request again after the time in `Retry-After`, with the same idempotency key.")
        case .databaseUnavailable:
            Page(
                title: "The database cannot be reached", happened: "PostgreSQL did not answer in time.",
                why: "It may be restarting or failing over. Everything that was accepted before is safe.",
                remedy: "Send the request again after the time in `Retry-After`. A run start with an idempotency key never starts a second run.")
        case .schemaNotReady:
            Page(
                title: "The database has another schema", happened: "The schema is missing, older than this release needs, or newer than it knows.",
                why: "A coordinator works only with a schema that it understands.", remedy: "Run: skein migrate")
        case .internalError:
            Page(
                title: "Something went wrong in the coordinator", happened: "The request met a mistake in this program.",
                why: "The coordinator's log has the details under the request's id.", remedy: "Report it with the `request_id`.")
        }
    }
}
