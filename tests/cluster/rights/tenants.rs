//! Tenants of one database: each with a server, a table and a role of its own, and a role that may do
//! next to nothing.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use postgres::error::SqlState;
use postgres::{Client, Config, NoTls};

use crate::rights::hostile::error_of;
use crate::shop::{PATIENCE, Shop, shared_cluster};
use crate::support::{status_of, wait_for, wait_for_some};

/// Two tenants in a database of their own.
struct Tenants {
    /// The administrator's session.
    shop: Shop<'static>,
    /// Prefix of the roles `…_ta`, `…_tb`, and `…_low`.
    name: &'static str,
}

impl Tenants {
    /// Each tenant owns a server, `lt_ta` or `lt_tb`, and a table `orders` in its schema whose row
    /// trigger reports sales there. Nothing is sent: the servers are paused.
    fn open(name: &'static str) -> Tenants {
        let mut shop = Shop::open(shared_cluster(), name);
        let url = shop
            .receiver
            .url("/{transaction_id}?amount={amount}&click={click_id}");
        shop.sql(&format!(
            "create role {name}_low login; grant connect on database {name} to public"
        ));
        for tenant in ["ta", "tb"] {
            let role = format!("{name}_{tenant}");
            shop.sql(&format!(
                "create role {role} login;
                 grant usage on foreign data wrapper postback to {role};
                 create schema {tenant} authorization {role};
                 grant usage on schema {tenant} to public;
                 set session authorization {role};
                 create server lt_{tenant} foreign data wrapper postback options (
                     sale_url '{url}', allow_http 'true', paused 'true');
                 create table {tenant}.orders (
                     id bigint, amount text, status text, click_id s2s.click_id);
                 create trigger report_order after insert or update on {tenant}.orders for each row
                     execute function s2s.report_sale('lt_{tenant}', 'transaction_id={{id}}',
                         'amount={{amount}}', 'currency=EUR');
                 reset session authorization"
            ));
        }
        Tenants { shop, name }
    }

    /// A session of `ta`, `tb` or `low`.
    fn session(&self, role: &str) -> Client {
        let user = format!("{}_{role}", self.name);
        self.shop.cluster.connect_as(&user, self.name)
    }

    /// A session that passes on the messages of the warnings and notices that it gets.
    fn session_with_notices(&self, role: &str, notices: mpsc::Sender<String>) -> Client {
        let mut config = Config::new();
        config
            .host_path(self.shop.cluster.socket_folder())
            .port(self.shop.cluster.port())
            .user(&format!("{}_{role}", self.name))
            .dbname(self.name)
            .notice_callback(move |notice| {
                let _ = notices.send(notice.message().to_owned());
            });
        config.connect(NoTls).expect("a session")
    }

    /// What the server has logged for one of the roles.
    fn log_of(&self, role: &str) -> Vec<String> {
        let user = format!("{}_{role}@", self.name);
        let log = self.shop.cluster.log();
        let lines = log.lines().filter(|line| line.contains(&user));
        lines.map(str::to_owned).collect()
    }
}

#[test]
fn invalid_rows_write_one_line_of_log_for_each_trigger_and_database_transaction() {
    let mut tenants = Tenants::open("tenants_log");
    tenants.shop.sql(
        "grant insert on ta.orders to tenants_log_low;
         create table ta.lines (id bigint, amount text, click_id s2s.click_id);
         create trigger report_lines after insert on ta.lines referencing new table as new_lines
             for each statement execute function s2s.report_sale(
                 'lt_ta', 'transaction_id={id}', 'amount={amount}', 'currency=EUR');
         create constraint trigger report_later after insert on ta.lines deferrable initially deferred
             for each row execute function s2s.report_sale(
                 'lt_ta', 'transaction_id=l{id}', 'amount={amount}', 'currency=EUR');
         grant insert on ta.lines to tenants_log_low",
    );
    let mut low = tenants.session("low");
    let values: Vec<_> = (1..=1000)
        .map(|id| format!("({id}, 'sensitive-{id}-{}', 'x', 'c')", "x".repeat(80)))
        .collect();
    let insert = format!("insert into ta.orders values {}", values.join(","));
    low.batch_execute(&insert).expect("an insert");
    low.batch_execute(
        "do $$ begin for i in 1..1000 loop insert into ta.lines values (i, 'sensitive', 'c'); end loop; end $$",
    )
    .expect("statements");
    low.batch_execute(
        "begin;
         savepoint a; insert into ta.orders values (2001, 'sensitive', 'x', 'c'); rollback to a;
         savepoint b; insert into ta.orders values (2002, 'sensitive', 'x', 'c'); release b;
         insert into ta.orders values (2003, 'sensitive', 'x', 'c');
         commit;
         begin; insert into ta.orders values (2004, 'sensitive', 'x', 'c'); rollback",
    )
    .expect("savepoints");
    let log = tenants.log_of("low");
    let parked: Vec<_> = log
        .iter()
        .filter_map(|line| line.split_once("s2s: "))
        .map(|(_, text)| text.split(", the first is").next().unwrap_or_default())
        .collect();
    let callbacks = |count| format!("{count} callbacks for server \"lt_ta\" are parked");
    assert_eq!(
        parked,
        [
            format!(
                "trigger \"report_order\" on table \"orders\": {}",
                callbacks(1000)
            ),
            format!(
                "trigger \"report_later\" on table \"lines\": {}",
                callbacks(1000)
            ),
            format!(
                "trigger \"report_lines\" on table \"lines\": {}",
                callbacks(1000)
            ),
            format!(
                "trigger \"report_order\" on table \"orders\": {}",
                callbacks(2)
            ),
        ]
    );
    assert!(log.iter().map(String::len).sum::<usize>() < 1500, "{log:?}");
    assert!(log[0].ends_with(": invalid amount"), "{log:?}");
    assert!(!tenants.shop.cluster.log().contains("sensitive"));
}

#[test]
fn an_error_shows_values_to_those_who_may_read_them() {
    let mut tenants = Tenants::open("tenants_values");
    tenants.shop.sql(
        "insert into ta.orders values (7, '12 apples', 'new', 'c');
         create table ta.lines (id bigint, amount text, click_id s2s.click_id);
         create trigger report_lines after insert on ta.lines referencing new table as new_lines
             for each statement execute function s2s.report_sale(
                 'lt_ta', 'transaction_id={id}', 'amount={amount}', 'currency=EUR');
         grant insert on ta.lines to tenants_values_low;
         grant update (status) on ta.orders to tenants_values_low",
    );
    let mut low = tenants.session("low");
    low.batch_execute("set s2s.on_invalid_row = error")
        .expect("set");
    let update = "update ta.orders set status = 'old'";
    let mut errors_of = |sql: &str| -> Vec<String> {
        let error = low.batch_execute(sql).expect_err(sql);
        let error = error.as_db_error().expect(sql);
        let parts = [Some(error.message()), error.detail()];
        parts.into_iter().flatten().map(str::to_owned).collect()
    };
    let hidden = ["trigger \"report_order\" on table \"orders\": invalid amount"];
    let shown = [
        "trigger \"report_order\" on table \"orders\": invalid amount: \"12 apples\"",
        "It is not a decimal number.",
    ];
    assert_eq!(errors_of(update), hidden);
    assert_eq!(
        errors_of("insert into ta.lines values (1, 'apples', 'c')"),
        ["trigger \"report_lines\" on table \"lines\": invalid amount"]
    );
    // One column that the trigger reads is not enough.
    tenants
        .shop
        .sql("grant select (amount) on ta.orders to tenants_values_low");
    assert_eq!(errors_of(update), hidden);
    tenants
        .shop
        .sql("grant select (id, click_id) on ta.orders to tenants_values_low");
    assert_eq!(errors_of(update), shown);
    tenants
        .shop
        .sql("grant select on ta.orders to tenants_values_low");
    assert_eq!(errors_of(update), shown);
    // With row security even who may read the columns may not read the row.
    tenants.shop.sql(
        "alter table ta.orders enable row level security;
         create policy writes on ta.orders for update to public using (true);
         create policy reads on ta.orders for select to public using (true)",
    );
    assert_eq!(errors_of(update), hidden);
    let mut owner = tenants.session("ta");
    owner
        .batch_execute("set s2s.on_invalid_row = error")
        .expect("set");
    let error = owner.batch_execute(update).expect_err(update);
    let message = error.as_db_error().map(|error| error.message().to_owned());
    assert_eq!(message.as_deref(), Some(shown[0]));
}

#[test]
fn acting_on_a_callback_needs_a_right_to_its_server() {
    let mut tenants = Tenants::open("tenants_acting");
    tenants.shop.sql(
        "grant execute on function s2s.retry(bigint), s2s.cancel(bigint), s2s.callback_url(bigint),
             s2s.retry_parked(text) to tenants_acting_ta, tenants_acting_low;
         insert into ta.orders values (1, 'x', 'new', 'c'), (2, '1', 'new', 'c');
         insert into tb.orders values (11, 'x', 'new', 'c'), (12, '1', 'new', 'c'), (13, 'x', 'new', 'c');
         insert into s2s.queue (server, action, transaction_id, parameters, due_at)
             values ('gone', 'sale', '21', '{}', 'infinity')",
    );
    let mut id = |transaction_id: i64| {
        let query = format!("select id from s2s.queue where transaction_id = '{transaction_id}'");
        tenants.shop.number(&query)
    };
    let (mine, valid, theirs, valid_theirs, gone) = (id(1), id(2), id(11), id(12), id(21));
    let text = |client: &mut Client, sql: &str| -> Option<String> {
        let row = client.query_one(&format!("select ({sql})::text"), &[]);
        row.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
            .get(0)
    };
    let mut ta = tenants.session("ta");
    for other in [theirs, valid_theirs, gone] {
        for (function, nothing) in [
            ("retry", Some("false")),
            ("cancel", Some("false")),
            ("callback_url", None),
        ] {
            let sql = format!("s2s.{function}({other})");
            assert_eq!(text(&mut ta, &sql).as_deref(), nothing, "{sql}");
        }
    }
    let url = text(&mut ta, &format!("s2s.callback_url({valid})"));
    assert!(url.is_some_and(|url| url.contains("/2?amount=1.00")));
    for server in ["lt_tb", "games_nl", "gone", "none"] {
        let sql = format!("select s2s.retry_parked('{server}')");
        assert_eq!(
            error_of(&mut ta, &sql),
            (
                SqlState::INSUFFICIENT_PRIVILEGE,
                format!("permission denied for foreign server \"{server}\"")
            )
        );
    }
    // Whoever runs a function of ta's that acts has ta's rights there.
    ta.batch_execute(
        "create function ta.act(id bigint) returns boolean language sql security definer
             as 'select s2s.cancel(id)'",
    )
    .expect("a function");
    let act = format!("ta.act({theirs})");
    assert_eq!(
        text(&mut tenants.shop.client, &act).as_deref(),
        Some("false")
    );
    let parked = "select string_agg(transaction_id, ' ' order by id) from s2s.queue where due_at = 'infinity'";
    assert_eq!(tenants.shop.text(parked), "1 11 13 21");
    assert_eq!(text(&mut ta, "s2s.retry_parked()").as_deref(), Some("1"));
    assert_eq!(tenants.shop.text(parked), "11 13 21");
    // USAGE is enough, also without being the owner, and so is being the owner.
    let mut low = tenants.session("low");
    assert_eq!(text(&mut low, "s2s.retry_parked()").as_deref(), Some("0"));
    tenants.shop.sql(
        "grant usage on foreign server lt_tb to tenants_acting_low;
         revoke all on foreign server lt_ta from tenants_acting_ta",
    );
    assert_eq!(
        text(&mut low, "s2s.retry_parked('lt_tb')").as_deref(),
        Some("2")
    );
    let cancel = format!("s2s.cancel({mine})");
    assert_eq!(text(&mut low, &cancel).as_deref(), Some("false"));
    assert_eq!(text(&mut ta, &cancel).as_deref(), Some("true"));
    assert_eq!(tenants.shop.number("select s2s.retry_parked()"), 1);
}

#[test]
fn what_was_never_sent_holds_no_callback_of_another() {
    let mut tenants = Tenants::open("tenants_holding");
    let ids = "select id, 'x', 'new', 'c' from generate_series(1, 1000) id";
    tenants.shop.sql(&format!(
        "grant usage on foreign server lt_tb to tenants_holding_ta;
         set session authorization tenants_holding_ta;
         create trigger report_too after insert on ta.orders for each row
             execute function s2s.report_sale('lt_tb', 'transaction_id={{id}}', 'amount={{amount}}',
                 'currency=EUR');
         grant all on ta.orders to public;
         insert into ta.orders {ids};
         reset session authorization;
         insert into tb.orders values (7, '1', 'new', 'c');
         alter server lt_tb options (drop paused)"
    ));
    tenants.shop.wait_until_idle();
    assert_eq!(tenants.shop.receiver.count(), 1);
    // Nor does what the worker cannot send, although its row is tried again and again.
    tenants.shop.sql(
        "grant execute on function s2s.retry_parked(text) to tenants_holding_ta;
         set session authorization tenants_holding_ta;
         select s2s.retry_parked('lt_tb');
         reset session authorization",
    );
    tenants.shop.wait_until_idle();
    let unsent = "select count(*) from s2s.queue where server = 'lt_tb' and due_at = 'infinity' and attempts = 0";
    assert_eq!(tenants.shop.number(unsent), 1000);
    assert_eq!(
        tenants
            .shop
            .number("select count(*) from s2s.attempt where url is null"),
        1000
    );
    tenants
        .shop
        .sql("insert into tb.orders values (8, '1', 'new', 'c')");
    tenants.shop.wait_until_idle();
    assert_eq!(tenants.shop.receiver.count(), 2);
    assert_eq!(
        tenants
            .shop
            .number("select count(*) from s2s.callback where status = 'held'"),
        0
    );
}

#[test]
fn a_warning_names_only_what_the_command_touched_and_ten_triggers_at_most() {
    let mut tenants = Tenants::open("tenants_warnings");
    tenants.shop.sql(
        "set client_min_messages = error;
         create server lt_gone foreign data wrapper postback options (sale_url 'https://t.example/{transaction_id}');
         do $$ begin for i in 1..25 loop
             execute format('create trigger gone_%s after insert on tb.orders for each row
                 execute function s2s.report_sale(''lt_gone'', ''transaction_id={id}'',
                     ''amount={amount}'', ''currency=EUR'')', i);
             execute format('create trigger many_%s after insert on tb.orders for each row
                 execute function s2s.report_sale(''lt_ta'', ''transaction_id={id}'',
                     ''amount={amount}'', ''currency=EUR'')', i);
         end loop; end $$;
         drop server lt_gone",
    );
    let (notices, received) = mpsc::channel();
    let mut ta = tenants.session_with_notices("ta", notices);
    let mut warnings_of = |sql: &str| -> Vec<String> {
        ta.batch_execute(sql).expect(sql);
        received.try_iter().collect()
    };
    let nothing: [String; 0] = [];
    for (sql, problem) in [
        ("alter server lt_ta rename to lt_new", ""),
        ("alter server lt_new rename to lt_ta", ""),
        (
            "alter server lt_ta options (drop sale_url, add lead_url 'https://t.example/{transaction_id}')",
            "server \"lt_ta\": option \"sale_url\" is not set",
        ),
        ("alter server lt_ta owner to current_user", ""),
        ("alter table ta.orders add remark text", ""),
        (
            "create server own foreign data wrapper postback options (sale_url 'https://t.example/{transaction_id}')",
            "",
        ),
        ("drop server own", ""),
        ("drop server lt_ta", "server \"lt_ta\" was dropped"),
    ] {
        let warnings = warnings_of(sql);
        if problem.is_empty() {
            assert_eq!(warnings, nothing, "{sql}");
            continue;
        }
        // 25 of tb's, and ta's own.
        let (last, first) = warnings.split_last().expect(sql);
        assert_eq!(last, "16 more triggers are affected", "{sql}");
        assert_eq!(first.len(), 10, "{sql}");
        for warning in first {
            assert!(warning.ends_with(problem), "{sql}: {warning}");
        }
    }
}

#[test]
fn what_a_role_without_rights_issues_makes_the_worker_read_no_servers() {
    let mut tenants = Tenants::open("tenants_reload");
    let pid = wait_for_some(PATIENCE, "a worker runs", || tenants.shop.worker_pid());
    let wake_ups = || -> u64 {
        let count = status_of(&format!("/proc/{pid}"), "voluntary_ctxt_switches");
        count.parse().expect("a number")
    };
    tenants
        .shop
        .sql("grant create on database tenants_reload to tenants_reload_low");
    let mut low = tenants.session("low");
    let mut ta = tenants.session("ta");
    // The worker is quiet after half a second without any.
    let quiet = || {
        let mut last = (Instant::now(), wake_ups());
        wait_for(PATIENCE, "the worker has nothing to do", || {
            if wake_ups() != last.1 {
                last = (Instant::now(), wake_ups());
            }
            last.0.elapsed() > Duration::from_millis(500)
        });
        last.1
    };
    let wake_ups_by = |client: &mut Client, sql: &str| {
        let before = quiet();
        for _ in 0..20 {
            client.batch_execute(sql).expect(sql);
        }
        quiet() - before
    };
    for sql in [
        "drop extension if exists nope",
        "drop owned by current_user",
        "create schema own; create table own.t (a int); drop owned by current_user",
        "do $$ begin drop extension \"pgrx-ext\"; exception when others then null; end $$",
        "do $$ begin drop server lt_ta; exception when others then null; end $$",
        "drop server if exists nope",
        "drop user mapping if exists for current_user server nope",
    ] {
        // A look once a minute may fall into it.
        let count = wake_ups_by(&mut low, sql);
        assert!(count < 5, "{sql}: {count} wake-ups");
    }
    for sql in [
        "alter server lt_ta options (set paused 'true')",
        "create user mapping for current_user server lt_ta; drop user mapping for current_user server lt_ta",
    ] {
        let count = wake_ups_by(&mut ta, sql);
        assert!(count > 0, "{sql}: {count} wake-ups");
    }
}
