// Values on their way to the server and back.

import Postgres
import PostgresTestKit
import Testing

@Suite("Values", .timeLimit(.minutes(2)))
struct ValueTests {
    let connection: PostgresConnection

    init() async throws {
        connection = try await PostgresConnection.connect(try TestServer.shared().configuration)
    }

    @Test("single values come back as they were sent")
    func singleValues() async throws {
        let row = try await connection.query(
            "select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10",
            [
                .bool(true), .int16(-2), .int32(.min), .int64(.max), .double(-0.1), .text("naïve 🪿 \u{0}".filter { $0 != "\u{0}" }),
                .bytes([0, 255, 1]), .uuid(high: 0x0123_4567_89ab_cdef, low: 0xfedc_ba98_7654_3210), .timestamp(1_700_000_000_123_456),
                .utf8(Array("ß".utf8)),
            ])[0]
        #expect(row.bool(0))
        #expect(row.int16(1) == -2 && row.int32(1) == -2 && row.int64(1) == -2)
        #expect(row.int32(2) == .min && row.int64(2) == Int64(Int32.min))
        #expect(row.int64(3) == .max)
        #expect(row.double(4) == -0.1)
        #expect(row.text(5) == "naïve 🪿 ")
        #expect(row.bytes(6) == [0, 255, 1])
        #expect(row.uuid(7) == UUIDPair(high: 0x0123_4567_89ab_cdef, low: 0xfedc_ba98_7654_3210))
        #expect(row.timestamp(8) == 1_700_000_000_123_456)
        #expect(row.text(9) == "ß")
    }

    @Test("what was sent means the same to the server as its text")
    func meaning() async throws {
        let row = try await connection.query(
            "select $1::text, $2::text, extract(epoch from $3)::text, $4::text, $5::text, $6::text, $7 = '{}', $8::text, $9::text",
            [
                .uuid(high: 0x0123_4567_89ab_cdef, low: 0xfedc_ba98_7654_3210), .double(1e300), .timestamp(-1), .timestamp(.max),
                .timestamp(.min), .int64Array([1, nil, -3]), .textArray([]), .textArray(["a,b", nil, "\"", ""]),
                .uuidArray([UUIDPair(high: 0, low: 1)]),
            ])[0]
        #expect(row.text(0) == "01234567-89ab-cdef-fedc-ba9876543210")
        #expect(row.text(1) == "1e+300")
        #expect(row.text(2) == "-0.000001")
        #expect(row.text(3) == "infinity")
        #expect(row.text(4) == "-infinity")
        #expect(row.text(5) == "{1,NULL,-3}")
        #expect(row.bool(6))
        #expect(row.text(7) == #"{"a,b",NULL,"\"",""}"#)
        #expect(row.text(8) == "{00000000-0000-0000-0000-000000000001}")
    }

    @Test("arrays come back as they were sent, nulls included")
    func arrays() async throws {
        let bools: [Bool?] = [true, nil, false]
        let small: [Int16?] = [1, nil, .min]
        let middle: [Int32?] = [nil, 7]
        let large: [Int64?] = [.min, .max, nil]
        let doubles: [Double?] = [0.5, nil, -.infinity]
        let texts: [String?] = ["", nil, "日本語", String(repeating: "x", count: 100_000)]
        let bytes: [[UInt8]?] = [[], nil, [0, 1, 2]]
        let uuids: [UUIDPair?] = [UUIDPair(high: 1, low: 2), nil]
        let times: [Int64?] = [0, nil, .max, .min]
        let row = try await connection.query(
            "select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10",
            [
                .boolArray(bools), .int16Array(small), .int32Array(middle), .int64Array(large), .doubleArray(doubles), .textArray(texts),
                .bytesArray(bytes), .uuidArray(uuids), .timestampArray(times), .utf8Array([Array("ä".utf8), nil]),
            ])[0]
        #expect(row.boolArray(0) == bools)
        #expect(row.int16Array(1) == small)
        #expect(row.int32Array(2) == middle)
        #expect(row.int64Array(3) == large)
        #expect(row.doubleArray(4) == doubles)
        #expect(row.textArray(5) == texts)
        #expect(row.bytesArray(6) == bytes)
        #expect(row.uuidArray(7) == uuids)
        #expect(row.timestampArray(8) == times)
        #expect(row.textArray(9) == ["ä", nil])
    }

    @Test("empty arrays of every type come back empty")
    func emptyArrays() async throws {
        let row = try await connection.query(
            "select $1, $2, $3, $4, $5, $6, $7, $8, $9",
            [
                .boolArray([]), .int16Array([]), .int32Array([]), .int64Array([]), .doubleArray([]), .textArray([]), .bytesArray([]),
                .uuidArray([]), .timestampArray([]),
            ])[0]
        #expect(row.boolArray(0).isEmpty && row.int16Array(1).isEmpty && row.int32Array(2).isEmpty && row.int64Array(3).isEmpty)
        #expect(row.doubleArray(4).isEmpty && row.textArray(5).isEmpty && row.bytesArray(6).isEmpty)
        #expect(row.uuidArray(7).isEmpty && row.timestampArray(8).isEmpty)
    }

    @Test("nulls are read as nil by every variant")
    func nulls() async throws {
        let row = try await connection.query(
            """
            select null::bool, null::int2, null::int4, null::int8, null::float8, null::text, null::bytea, null::uuid, null::timestamptz,
                   $1::int8
            """, [.null])[0]
        #expect(row.boolOrNull(0) == nil && row.int16OrNull(1) == nil && row.int32OrNull(2) == nil && row.int64OrNull(3) == nil)
        #expect(row.doubleOrNull(4) == nil && row.textOrNull(5) == nil && row.bytesOrNull(6) == nil)
        #expect(row.uuidOrNull(7) == nil && row.timestampOrNull(8) == nil && row.isNull(9))
    }

    @Test("texts of all kinds are read as text")
    func kindsOfText() async throws {
        try await connection.script("create type pg_temp.mood as enum ('glad', 'sad')")
        let row = try await connection.query(
            """
            select 'a'::varchar, 'b'::char(3), 'c'::name, '{"d": 1}'::json, '{"e":  1}'::jsonb, 'sad'::pg_temp.mood, '', pg_sleep(0)
            """)[0]
        #expect(row.text(0) == "a" && row.text(1) == "b  " && row.text(2) == "c")
        #expect(row.text(3) == #"{"d": 1}"#)
        #expect(row.text(4) == #"{"e": 1}"#)
        #expect(row.text(5) == "sad")
        #expect(row.text(6) == "" && row.text(7) == "")
    }

    @Test(
        "numbers of all kinds are read as doubles, numerics rounded to the nearest",
        arguments: [
            "0", "1", "-1", "12345.6789", "0.0001", "-0.00000000000000000001", "1e30", "123456789012345678901234567890.123", "NaN",
            "Infinity",
        ])
    func numerics(text: String) async throws {
        let row = try await connection.query("select $1::numeric, $1::float8", [.text(text)])[0]
        let (numeric, double) = (row.double(0), row.double(1))
        #expect(numeric == double || (numeric.isNaN && double.isNaN))
    }

    @Test("the session's date and time styles make no difference")
    func styles() async throws {
        let other = try await PostgresConnection.connect(try TestServer.shared().configuration)
        try await other.script(
            "set datestyle = 'German'; set timezone = 'Asia/Tokyo'; set intervalstyle = 'iso_8601'; set bytea_output = 'escape'")
        let row = try await other.query("select timestamptz '2024-02-29 12:00:00.000001+00', $1, '\\x00ff'::bytea", [.timestamp(0)])[0]
        #expect(row.timestamp(0) == 1_709_208_000_000_001)
        #expect(row.timestamp(1) == 0)
        #expect(row.bytes(2) == [0, 255])
    }

    @Test("an answer knows its columns and how many rows were affected")
    func shape() async throws {
        try await connection.script("create temporary table item (n int)")
        let inserted = try await connection.query("insert into item select generate_series(1, 5)")
        #expect(inserted.affected == 5 && inserted.isEmpty && inserted.columnCount == 0)
        let rows = try await connection.query("select n, n * 2 as twice from item order by n")
        #expect(rows.affected == 5 && rows.count == 5)
        #expect(rows.columnNames == ["n", "twice"] && rows.column(named: "twice") == 1)
        #expect(rows.map { $0.int64(1) } == [2, 4, 6, 8, 10])
        #expect(rows.dropFirst(3).first?.int32(0) == 4)
        let updated = try await connection.query("update item set n = 0 where n > $1", [.int32(3)])
        #expect(updated.affected == 2)
    }

    @Test("rows outlive their connection")
    func rowsOutlive() async throws {
        let other = try await PostgresConnection.connect(try TestServer.shared().configuration)
        let rows = try await other.query("select 'kept' from generate_series(1, 3)")
        await other.close()
        #expect(rows.map { $0.text(0) } == ["kept", "kept", "kept"])
    }

    @Test("one text may be sent with nulls and with values of different types")
    func mixedTypes() async throws {
        let sql: SQL = "select ($1 is null)::text, coalesce($2::text, '-')"
        let texts = try await [
            connection.query(sql, [.text("a"), .null]), connection.query(sql, [.text("a"), .int64(1)]),
            connection.query(sql, [.null, .text("x")]), connection.query(sql, [.null, .null]),
            connection.query(sql, [.int32(3), .int64(4)]),
        ].map { $0[0].text(0) + $0[0].text(1) }
        #expect(texts == ["false-", "false1", "truex", "true-", "false4"])
    }
}

@Suite("Misread values")
struct MisreadTests {
    @Test("reading a column as another type stops the process")
    func wrongType() async throws {
        let result = try await #require(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let connection = try await PostgresConnection.connect(try TestServer.shared().configuration)
            let rows = try await connection.query("select 'text'")
            _ = rows[0].int64(0)
        }
        let said = String(decoding: result.standardErrorContent, as: UTF8.self)
        #expect(said.contains("Column 0 (?column?) has the type with OID 25, which cannot be read as Int64."))
    }

    @Test("reading a null without saying so stops the process")
    func unexpectedNull() async throws {
        let result = try await #require(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let connection = try await PostgresConnection.connect(try TestServer.shared().configuration)
            let rows = try await connection.query("select null::text")
            _ = rows[0].text(0)
        }
        let said = String(decoding: result.standardErrorContent, as: UTF8.self)
        #expect(said.contains("Column 0 (text) is null"))
    }
}
