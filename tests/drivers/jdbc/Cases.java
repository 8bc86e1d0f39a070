// The cases with PostgreSQL's JDBC driver, whose setString sends varchar.

import java.io.StringReader;
import java.io.StringWriter;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.postgresql.PGConnection;
import org.postgresql.PGStatement;

public class Cases {
    static final String A = "0::12345::a::::1405418672";
    static final String B = "0::12345::b::::1405418672";

    /** One way to do what a case is about. */
    interface Way {
        void run() throws Exception;
    }

    static Connection connection;
    static int number = 0;

    public static void main(String[] arguments) throws Exception {
        var variable = System.getenv();
        var url = String.format("jdbc:postgresql://%s:%s/%s?reWriteBatchedInserts=true", variable.get("PGHOST"), variable.get("PGPORT"),
            variable.get("PGDATABASE"));
        connection = DriverManager.getConnection(url, variable.get("PGUSER"), "");
        var driver = DriverManager.getDriver("jdbc:postgresql:");
        System.out.printf("version\t%d.%d%n", driver.getMajorVersion(), driver.getMinorVersion());
        report("insert", Map.of("", Cases::insert));
        report("read", Map.of("", Cases::read));
        report("=", Map.of("", Cases::equal));
        report("in", Map.of("", Cases::inList));
        report("any", Map.of("", Cases::any));
        report("join", Map.of("", Cases::join));
        report("array", inOrder(
            "", () -> array("select click_ids from journeys"),
            "cast", () -> array("select click_ids::text[] from journeys")));
        report("prepared", Map.of("", Cases::prepared));
        report("binary", Map.of());
        report("copy", Map.of("", Cases::copy));
        report("binary copy", Map.of());
        report("get", Map.of());
        report("filter", Map.of());
        report("callback", Map.of("", Cases::callback));
    }

    /** Tries a case as it is, then with what it may need, and prints a line for it. */
    static void report(String name, Map<String, Way> ways) {
        var result = ways.isEmpty() ? "none" : "fails";
        for (var way : ways.entrySet()) {
            var need = way.getKey();
            try {
                way.getValue().run();
                result = need.isEmpty() ? "ok" : "needs " + need;
                break;
            } catch (Exception | AssertionError error) {
                System.err.printf("%s, %s: %s%n", name, need.isEmpty() ? "as it is" : need, error);
            }
        }
        System.out.printf("%s\t%s%n", name, result);
    }

    static Map<String, Way> inOrder(String need, Way way, String otherNeed, Way otherWay) {
        var ways = new LinkedHashMap<String, Way>();
        ways.put(need, way);
        ways.put(otherNeed, otherWay);
        return ways;
    }

    /** A click id that is in no table yet. */
    static String fresh() {
        return "0::12345::fresh" + ++number + "::::1405418672";
    }

    static void same(Object found, Object expected) {
        if (!found.equals(expected)) {
            throw new AssertionError(found + " is not " + expected);
        }
    }

    static PreparedStatement statement(String sql, String... values) throws Exception {
        var statement = connection.prepareStatement(sql);
        for (int i = 0; i < values.length; i++) {
            statement.setString(i + 1, values[i]);
        }
        return statement;
    }

    static List<String> column(ResultSet rows) throws Exception {
        var values = new ArrayList<String>();
        while (rows.next()) {
            values.add(rows.getString(1));
        }
        return values;
    }

    static List<String> query(String sql, String... values) throws Exception {
        return column(statement(sql, values).executeQuery());
    }

    static void insert() throws Exception {
        var statement = statement("insert into clicks values (?, '/insert')", fresh());
        same(statement.executeUpdate(), 1);
        for (int i = 0; i < 2; i++) {
            statement.setString(1, fresh());
            statement.addBatch();
        }
        statement.executeBatch(); // as one statement: see reWriteBatchedInserts
        same(query("select page from clicks where page = '/insert'").size(), 3);
    }

    static void read() throws Exception {
        same(query("select click_id from clicks where page = '/a'"), List.of(A));
    }

    static void equal() throws Exception {
        same(query("select page from clicks where click_id = ?", A), List.of("/a"));
    }

    static void inList() throws Exception {
        var sql = "select page from clicks where click_id in (?, ?) order by page";
        same(query(sql, A, B), List.of("/a", "/b"));
    }

    static void any() throws Exception {
        var statement = connection.prepareStatement("select page from clicks where click_id = any(?) order by page");
        for (var type : List.of("text", "varchar", "s2s.click_id")) {
            statement.setArray(1, connection.createArrayOf(type, new String[] {A, B}));
            same(column(statement.executeQuery()), List.of("/a", "/b"));
        }
    }

    static void join() throws Exception {
        var sql = "select visitor from visits join clicks using (click_id) where page = ?";
        same(query(sql, "/a"), List.of("ann"));
    }

    static void array(String sql) throws Exception {
        var insert = connection.prepareStatement("insert into journeys values ('bob', ?) on conflict do nothing");
        insert.setArray(1, connection.createArrayOf("text", new String[] {A, B}));
        insert.executeUpdate();
        var rows = connection.createStatement().executeQuery(sql);
        for (int i = 0; i < 2; i++) {
            rows.next();
            same(Arrays.asList((Object[]) rows.getArray(1).getArray()), List.of(A, B));
        }
    }

    static void prepared() throws Exception {
        var statement = connection.prepareStatement("select page from clicks where click_id = ?");
        statement.unwrap(PGStatement.class).setPrepareThreshold(1);
        for (int i = 0; i < 5; i++) {
            statement.setString(1, A);
            same(column(statement.executeQuery()), List.of("/a"));
        }
    }

    static void copy() throws Exception {
        var ids = List.of(fresh(), fresh());
        var copies = connection.unwrap(PGConnection.class).getCopyAPI();
        var lines = ids.get(0) + "\t/copy\n" + ids.get(1) + "\t/copy\n";
        same(copies.copyIn("copy clicks from stdin", new StringReader(lines)), 2L);
        var copied = new StringWriter();
        copies.copyOut("copy (select click_id from clicks where page = '/copy' order by 1) to stdout", copied);
        same(copied.toString(), String.join("\n", ids) + "\n");
    }

    static void callback() throws Exception {
        statement("insert into orders values (1, ?)", A).executeUpdate();
        var rows = statement("select id, click_id from s2s.queue where transaction_id = ?", "1").executeQuery();
        same(rows.next(), true);
        same(rows.getLong(1) > 0, true);
        same(rows.getString(2), A);
    }
}
