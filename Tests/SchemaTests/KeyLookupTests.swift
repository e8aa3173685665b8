// A row is found by its key through its primary key, also by a plan that was made while the table was empty.

import Postgres
import PostgresTestKit
import Testing

@Suite("Looking up by key", .timeLimit(.minutes(2)))
struct KeyLookupTests {
    @Test("no other index is as good for a key, however little the planner knows of the table")
    func primaryKeys() async throws {
        let database = try await TestDatabase.create()
        let connection = try await database.connect()
        try await connection.script(
            """
            analyze;
            set enable_seqscan = off;
            set enable_bitmapscan = off;
            create function pg_temp.looked_up_by() returns table (key text, plan text) language plpgsql as $$
            declare
              v_key   record;
              v_plan  text;
              v_lines text;
            begin
              for v_key in
                select x.indrelid::regclass::text as named, x.indexrelid::regclass::text as key,
                       string_agg(format('t.%I = (select null::%s)', a.attname, format_type(a.atttypid, a.atttypmod)), ' and ' order by k.place) as condition
                  from pg_index x
                       cross join lateral unnest(x.indkey::smallint[]) with ordinality as k (number, place)
                       join pg_attribute a on a.attrelid = x.indrelid and a.attnum = k.number
                       join pg_class c on c.oid = x.indrelid and c.relkind = 'r'
                 where x.indisprimary and c.relnamespace = 'skein'::regnamespace
                 group by x.indrelid, x.indexrelid
              loop
                v_lines := '';
                for v_plan in execute format('explain select from %s t where %s', v_key.named, v_key.condition) loop
                  v_lines := v_lines || v_plan || E'\\n';
                end loop;
                key := replace(v_key.key, 'skein.', '');
                plan := v_lines;
                return next;
              end loop;
            end
            $$
            """)
        let plans = try await connection.query("select key, plan from pg_temp.looked_up_by()")
        #expect(plans.count > 40)
        // A wait has few keys, and nobody looks for one of them by all three columns.
        for row in plans where row.text(0) != "wait_key_pkey" {
            #expect(row.text(1).contains("using \(row.text(0)) on"), "\(row.text(0)): \(row.text(1))")
        }
    }
}
