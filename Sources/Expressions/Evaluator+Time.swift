// Parts of moments and durations.

import Foundation
import WorkflowModel

extension Evaluator {
    @inline(never)
    func part(_ function: Function, _ arguments: Arguments) throws(Fault) -> Value {
        switch arguments[0] {
        case .duration(let duration) where arguments.count == 1: return .int(try part(function, of: duration))
        case .timestamp(let moment):
            var offset: Int64 = 0
            if arguments.count == 2 {
                guard case .string(let zone) = arguments[1] else { throw noOverload(function.name + "()", arguments[0], arguments[1]) }
                offset = try secondsFromUTC(zone, at: moment)
            }
            return .int(Self.part(function, of: moment, offset: offset))
        default:  // Every other type.
            throw noOverload(function.name + "()", arguments[0])
        }
    }

    private func part(_ function: Function, of duration: Duration) throws(Fault) -> Int64 {
        let nanoseconds = try nanoseconds(duration)
        return switch function {
        case .getHours: nanoseconds / 3_600_000_000_000
        case .getMinutes: nanoseconds / 60_000_000_000
        case .getSeconds: nanoseconds / 1_000_000_000
        case .getMilliseconds: nanoseconds / 1_000_000 % 1000
        default: throw noOverload(function.name + "()", .duration(duration))  // Dates.
        }
    }

    private static func part(_ function: Function, of moment: Moment, offset: Int64) -> Int64 {
        let (day, second) = (moment.seconds + offset).flooringDivision(by: 86_400)
        let date = CivilDate(daysSinceEpoch: day)
        return switch function {
        case .getFullYear: date.year
        case .getMonth: date.month - 1
        case .getDate: date.day
        case .getDayOfMonth: date.day - 1
        // The first of January 1970 was a Thursday.
        case .getDayOfWeek: (day + 4).flooringDivision(by: 7).remainder
        case .getDayOfYear: day - CivilDate(year: date.year, month: 1, day: 1).daysSinceEpoch
        case .getHours: second / 3600
        case .getMinutes: second / 60 % 60
        case .getSeconds: second % 60
        default: Int64(moment.nanoseconds / 1_000_000)  // getMilliseconds
        }
    }

    private static let longestZoneName = 64

    /// Whether a text names a time zone.
    func isTimeZone(_ zone: String) -> Bool {
        guard let moment = Moment(seconds: 0) else { return false }
        return (try? secondsFromUTC(zone, at: moment)) != nil
    }

    // `UTC`, `+02:00`, `02:00`, or a name of the IANA time zone database.
    private func secondsFromUTC(_ zone: String, at moment: Moment) throws(Fault) -> Int64 {
        if zone == "UTC" || zone == "Z" { return 0 }
        guard zone.utf8.count <= Self.longestZoneName else { throw fault(.evaluation, "there is no such time zone") }
        if let first = zone.utf8.first, first == 0x2B || first == 0x2D || (0x30...0x39).contains(first) {
            var reader = DigitReader((0x30...0x39).contains(first) ? "+" + zone : zone)
            if let offset = reader.offset(), reader.isAtEnd { return offset }
        } else if !zone.hasPrefix("GMT"), let timeZone = TimeZone(identifier: zone) {
            // Foundation makes a zone of texts such as GMT+2 as well; those are no names of the database.
            return Int64(timeZone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(moment.seconds))))
        } else if zone == "GMT" {
            return 0
        }
        throw fault(.evaluation, "there is no such time zone")
    }
}
