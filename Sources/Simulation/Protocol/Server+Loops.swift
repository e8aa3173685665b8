// The results of loops, put together from the rows of their iterations (loops.sql).

import Engine
import WorkflowModel

extension Server {
    private func settled(_ statement: Statement, _ step: StepKey) -> StepRecord? { tables.steps.find(statement, key: step).rows.first?.record }

    private func iteration(_ statement: Statement, _ loop: StepKey, _ index: Int) -> StepRecord? {
        settled(statement, StepKey(run: loop.run, path: StepPath("\(loop.path)[\(index)]")))
    }

    // collected_output_v1
    func output(_ statement: Statement, of step: StepKey) -> JSONText? {
        guard let record = settled(statement, step) else { return nil }
        guard let collected = record.settled.collected else { return record.settled.output }
        func part(_ index: Int) -> JSONText? {
            guard let record = iteration(statement, step, index), record.settled.status == .succeeded else { return nil }
            return output(statement, of: StepKey(run: step.run, path: record.path)) ?? .null
        }
        switch collected.collect {
        case .none: return .null
        case .last: return stride(from: collected.count - 1, through: 0, by: -1).lazy.compactMap(part).first ?? .null
        case .list: return JSONText(.array((0..<collected.count).map { part($0)?.value ?? .null }))
        }
    }

    // loop_results_v1
    func results(_ statement: Statement, of loop: StepKey) -> LoopResults {
        var ok: [JSONValue] = []
        var failed: [JSONValue] = []
        let items = tables.items.find(statement, key: loop).rows.first?.items ?? []
        let prefix = loop.path.text + "["
        let iterations = tables.steps.find(statement, of: loop.run) { row in
            row.record.path.text.hasPrefix(prefix) && row.record.path.text.utf8.dropFirst(prefix.utf8.count).firstIndex(of: 0x5D)
                == row.record.path.text.utf8.index(before: row.record.path.text.utf8.endIndex)
        }.rows.map(\.record).compactMap { record in Int(record.path.text.dropFirst(prefix.count).dropLast()).map { ($0, record) } }
            .sorted { $0.0 < $1.0 }
        for (index, record) in iterations {
            switch record.settled.status {
            case .succeeded: ok.append(output(statement, of: StepKey(run: loop.run, path: record.path))?.value ?? .null)
            case .failed:
                let item = index < items.count ? items[index].value : .null
                failed.append(["index": .int(Int64(index)), "item": item, "error": record.settled.failure?.json ?? .null])
            case .pending, .ready, .running, .waiting, .skipped, .cancelled: continue
            }
        }
        return LoopResults(output: output(statement, of: loop) ?? .null, ok: JSONText(.array(ok)), failed: JSONText(.array(failed)))
    }
}
