// Moments and durations, as numbers and as text.

import Testing
import WorkflowModel

@Suite struct TimestampTests {
    @Test(
        "a moment is written in UTC with as many digits as it takes, and read back",
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (1, "1970-01-01T00:00:00.000001Z"), (1000, "1970-01-01T00:00:00.001Z"),
            (-1, "1969-12-31T23:59:59.999999Z"), (1_700_000_000_123_456, "2023-11-14T22:13:20.123456Z"),
            (951_782_399_000_000, "2000-02-28T23:59:59Z"), (951_782_400_000_000, "2000-02-29T00:00:00Z"),
            (-62_135_596_800_000_000, "0001-01-01T00:00:00Z"), (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00Z"), (1_709_164_800_000_000, "2024-02-29T00:00:00Z"),
        ] as [(Int64, String)])
    func text(microseconds: Int64, text: String) {
        let moment = Timestamp(microseconds: microseconds)
        #expect(moment.description == text)
        #expect(Timestamp(text) == moment)
    }

    @Test(
        "offsets, lower case and long fractions are understood",
        arguments: [
            ("2023-11-14T23:13:20+01:00", 1_700_000_000_000_000), ("2023-11-14T16:43:20-05:30", 1_700_000_000_000_000),
            ("2023-11-14t22:13:20z", 1_700_000_000_000_000), ("2023-11-14 22:13:20Z", 1_700_000_000_000_000),
            ("2023-11-14T22:13:20.1234569999Z", 1_700_000_000_123_456), ("2023-11-14T22:13:20.5Z", 1_700_000_000_500_000),
        ] as [(String, Int64)])
    func variants(text: String, microseconds: Int64) {
        #expect(Timestamp(text)?.microseconds == microseconds)
    }

    @Test(
        "anything else is no moment",
        arguments: [
            "", "2023", "2023-11-14", "2023-11-14T22:13:20", "2023-11-14T22:13Z", "2023-13-01T00:00:00Z", "2023-00-01T00:00:00Z",
            "2023-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2023-04-31T00:00:00Z", "2023-11-14T24:00:00Z", "2023-11-14T22:60:00Z",
            "2023-11-14T22:13:60Z", "2023-11-14T22:13:20.Z", "2023-11-14T22:13:20+1:00", "2023-11-14T22:13:20+24:00",
            "2023-11-14T22:13:20Zx",
            "+2023-11-14T22:13:20Z", "2023-11-14T22:13:20+0100", "2023-11-14T22:13:2\u{665}Z",
        ])
    func noMoment(text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test("days from 1600 to 2500 are written and read back, in their order")
    func days() {
        var previous = ""
        // Every eleventh day meets each day of each month, leap days included.
        for day in stride(from: Int64(-135_140), to: 193_940, by: 11) {
            let moment = Timestamp(microseconds: day * 86_400_000_000)
            let text = moment.description
            #expect(Timestamp(text) == moment && text > previous)
            previous = text
        }
    }

    @Test("arithmetic is exact, and stops at the ends of the range")
    func arithmetic() {
        let moment = Timestamp(microseconds: 1_000_000)
        #expect(moment + .milliseconds(1500) == Timestamp(microseconds: 2_500_000))
        #expect(moment + .seconds(-2) == Timestamp(microseconds: -1_000_000))
        #expect(Timestamp(microseconds: 5_000_000) - moment == .seconds(4))
        #expect(Timestamp(microseconds: .max) + .seconds(1) == Timestamp(microseconds: .max))
        #expect(Timestamp(microseconds: .min) + .seconds(-1) == Timestamp(microseconds: .min))
        #expect(Timestamp(microseconds: -1) < Timestamp(microseconds: 0))
    }
}

@Suite struct DurationTests {
    @Test(
        "durations are read as the workflow file writes them",
        arguments: [
            ("250ms", 250), ("5s", 5000), ("2m", 120_000), ("48h", 172_800_000), ("7d", 604_800_000), ("1h30m", 5_400_000),
            ("1d12h", 129_600_000),
            ("1.5h", 5_400_000), ("0.5s", 500), ("0s", 0), ("1m1ms", 60_001), ("PT5M", 300_000), ("P1DT12H", 129_600_000), ("PT0.5S", 500),
            ("P2W", 1_209_600_000),
            ("P1W2D", 777_600_000), ("36500d", 3_153_600_000_000),
        ] as [(String, Int64)])
    func parsing(text: String, milliseconds: Int64) {
        #expect(DurationText.parse(text) == .milliseconds(milliseconds))
    }

    @Test(
        "anything else is no duration",
        arguments: [
            "", "5", "s", "-5s", "+5s", "5 s", "5S", "5sec", "1m1h", "1s1s", "1h1h", "5.s", ".5s", "1e3s", "P", "PT", "P1DT", "P1Y", "P1M",
            "PT1D", "P1H", "PT5M3H",
            "PTT5M", "36501d", "9999999999999s", "1000000000000d", "5us", "5m s", "\u{665}s",
        ])
    func noDuration(text: String) {
        #expect(DurationText.parse(text) == nil)
    }

    @Test(
        "a duration is written in its largest whole unit, and read back",
        arguments: [
            ("0s", 0), ("1500ms", 1500), ("90s", 90_000), ("2m", 120_000), ("2h", 7_200_000), ("1d", 86_400_000), ("25h", 90_000_000),
            ("1ms", 1),
        ] as [(String, Int64)])
    func formatting(text: String, milliseconds: Int64) {
        #expect(DurationText.format(.milliseconds(milliseconds)) == text)
        #expect(DurationText.parse(text) == .milliseconds(milliseconds))
    }

    @Test("seconds and microseconds convert, and what is too large is bounded")
    func conversion() {
        #expect(Duration(seconds: 1.5) == .milliseconds(1500))
        #expect(Duration(seconds: -0.25) == .milliseconds(-250))
        #expect(Duration(seconds: .nan) == .zero)
        #expect(Duration(seconds: .infinity) == .seconds(31_557_600_000))
        #expect(Duration(seconds: -.infinity) == .seconds(-31_557_600_000))
        #expect(Duration(seconds: 1e300) == .seconds(31_557_600_000))
        #expect(Duration.milliseconds(2).wholeMicroseconds == 2000)
        #expect(Duration.nanoseconds(1999).wholeMicroseconds == 1)
        #expect(Duration.nanoseconds(-1999).wholeMicroseconds == -1)
        #expect(Duration.seconds(Int64.max).wholeMicroseconds == .max)
        #expect(Duration.seconds(Int64.min).wholeMicroseconds == .min)
        #expect(Duration.milliseconds(1250).seconds == 1.25)
    }
}
