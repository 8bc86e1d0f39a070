//! Triggers and queued callbacks belong to a server, not to its name: what was for one tenant's server
//! never reaches another's.

mod meanwhile;

use postgres::Client;
use postgres::error::SqlState;

use crate::rights::hostile::error_of;
use crate::shop::{PATIENCE, Shop, shared_cluster};
use crate::support::{Receiver, run, wait_for};

/// Two tenants in a database of their own, each with a receiver.
struct Tenants {
    /// The administrator's session.
    shop: Shop<'static>,
    /// Sessions of the tenants.
    ta: Client,
    tb: Client,
    /// Where their servers send.
    of_ta: Receiver,
    of_tb: Receiver,
}

impl Tenants {
    /// Each tenant has a schema with a table `orders`, and may make servers and act on callbacks.
    fn open(name: &'static str) -> Tenants {
        let cluster = shared_cluster();
        let mut shop = Shop::open(cluster, name);
        for tenant in ["ta", "tb"] {
            let role = format!("{name}_{tenant}");
            shop.sql(&format!(
                "create role {role} login;
                 grant usage on foreign data wrapper postback, linktrust to {role};
                 grant execute on function s2s.retry(bigint), s2s.cancel(bigint), s2s.retry_parked(text),
                     s2s.callback_url(bigint), s2s.linktrust_file(text, text) to {role};
                 create schema {tenant} authorization {role};
                 set session authorization {role};
                 create table {tenant}.orders (id bigint, click_id s2s.click_id);
                 reset session authorization"
            ));
        }
        Tenants {
            ta: cluster.connect_as(&format!("{name}_ta"), name),
            tb: cluster.connect_as(&format!("{name}_tb"), name),
            of_ta: Receiver::new(),
            of_tb: Receiver::new(),
            shop,
        }
    }

    /// The receivers' transaction ids, ta's and tb's.
    fn received(&self) -> [Vec<String>; 2] {
        [&self.of_ta, &self.of_tb].map(|receiver| {
            let mut ids = receiver.values("tid");
            ids.sort();
            ids
        })
    }

    fn wait_until_idle(&mut self) -> [Vec<String>; 2] {
        self.shop.wait_until_idle();
        self.received()
    }

    /// A line for each callback in the queue: transaction id, server, whether it is parked, marked, why.
    fn queued(&mut self) -> Vec<String> {
        let query = "select concat_ws(' ', transaction_id, server,
                         case when due_at = 'infinity' then 'parked' end,
                         case when server_dropped_at is not null then 'marked' end, last_error)
                     from s2s.queue order by transaction_id";
        let rows = self.shop.client.query(query, &[]).expect(query);
        rows.iter().map(|row| row.get(0)).collect()
    }

    fn id(&mut self, transaction_id: &str) -> i64 {
        let query = format!("select id from s2s.queue where transaction_id = '{transaction_id}'");
        self.shop.number(&query)
    }
}

fn sql(client: &mut Client, sql: &str) {
    client
        .batch_execute(sql)
        .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}

fn text(client: &mut Client, sql: &str) -> Option<String> {
    let row = client.query_one(&format!("select ({sql})::text"), &[]);
    row.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
        .get(0)
}

/// A server that sends to a receiver.
fn postback(name: &str, receiver: &Receiver, options: &str) -> String {
    let url = receiver.url("/?tid={transaction_id}&click={click_id}");
    format!(
        "create server {name} foreign data wrapper postback options (
             lead_url '{url}', allow_http 'true'{options});"
    )
}

/// A trigger that reports a table's rows as leads.
fn trigger(table: &str, server: &str) -> String {
    format!(
        "create or replace trigger report after insert on {table} for each row
             execute function s2s.report_lead('{server}', 'transaction_id={{id}}');"
    )
}

fn insert(table: &str, id: i64) -> String {
    format!("insert into {table} values ({id}, 'c{id}');")
}

#[test]
fn a_server_of_a_dropped_ones_name_gets_nothing_of_it_unless_the_queues_owner_says_so() {
    let mut tenants = Tenants::open("identity_dropped");
    let lt = |receiver: &Receiver, options: &str, password: &str| {
        let url = receiver.url("/");
        format!(
            "create server lt_main foreign data wrapper linktrust options (
                 url '{url}', allow_http 'true'{options});
             create user mapping for public server lt_main options (password '{password}');"
        )
    };
    let edit = "create or replace trigger report after insert on ta.orders for each row
         execute function s2s.edit_transaction('lt_main', 'transaction_id={id}', 'approved=no')";
    let create = lt(&tenants.of_ta, ", paused 'true'", "of-ta");
    sql(&mut tenants.ta, &create);
    sql(&mut tenants.ta, edit);
    sql(&mut tenants.ta, &insert("ta.orders", 1));
    // A network that refuses it: it is parked with a reason of its own.
    sql(&mut tenants.ta, &insert("ta.orders", 2));
    tenants.shop.sql(
        "update s2s.queue set due_at = 'infinity', last_error = 'refused', attempts = 1
         where transaction_id = '2'",
    );
    sql(&mut tenants.ta, "drop server lt_main cascade");
    let create = lt(&tenants.of_tb, "", "of-tb");
    sql(&mut tenants.tb, &create);
    sql(
        &mut tenants.tb,
        "grant usage on foreign server lt_main to public",
    );
    sql(&mut tenants.ta, &insert("ta.orders", 3));

    assert_eq!(
        tenants.wait_until_idle(),
        [const { Vec::<String>::new() }; 2]
    );
    assert_eq!(
        tenants.queued(),
        [
            "1 lt_main parked marked server \"lt_main\" was dropped",
            "2 lt_main parked marked refused",
            "3 lt_main parked marked server \"lt_main\" was dropped",
        ]
    );
    for transaction_id in ["1", "2", "3"] {
        let id = tenants.id(transaction_id);
        for (call, nothing) in [
            ("retry", Some("false")),
            ("cancel", Some("false")),
            ("callback_url", None),
        ] {
            let call = format!("s2s.{call}({id})");
            assert_eq!(text(&mut tenants.tb, &call).as_deref(), nothing, "{call}");
        }
    }
    for call in ["s2s.retry_parked('lt_main')", "s2s.retry_parked()"] {
        assert_eq!(text(&mut tenants.tb, call).as_deref(), Some("0"), "{call}");
    }
    let file = text(&mut tenants.tb, "s2s.linktrust_file('lt_main')").expect("a file");
    assert_eq!(file.lines().count(), 1, "no more than the header: {file}");
    assert_eq!(
        tenants
            .shop
            .number("select parked from s2s.server_status where server = 'lt_main'"),
        0
    );
    // What was sent for the old one holds nothing of the new one's.
    sql(
        &mut tenants.tb,
        "create or replace trigger report after insert on tb.orders for each row
         execute function s2s.edit_transaction('lt_main', 'transaction_id={id}', 'approved=no')",
    );
    sql(&mut tenants.tb, &insert("tb.orders", 2));
    wait_for(PATIENCE, "the new server's own", || {
        tenants.of_tb.values("Transactionid") == ["2"]
    });
    // Everything at once is not enough.
    assert_eq!(tenants.shop.number("select s2s.retry_parked()"), 0);
    let (first, third) = (tenants.id("1"), tenants.id("3"));
    assert_eq!(
        text(&mut tenants.shop.client, &format!("s2s.cancel({third})")).as_deref(),
        Some("true")
    );
    let retry = format!("s2s.retry({first})");
    assert_eq!(
        text(&mut tenants.shop.client, &retry).as_deref(),
        Some("true")
    );
    wait_for(PATIENCE, "it goes to the server of the name", || {
        tenants.of_tb.values("Transactionid") == ["2", "1"]
    });
    assert_eq!(tenants.of_tb.values("Password"), ["of-tb", "of-tb"]);
    // The trigger is the new server's when it says so.
    sql(&mut tenants.ta, edit);
    sql(&mut tenants.ta, &insert("ta.orders", 4));
    wait_for(PATIENCE, "the trigger names the new server", || {
        tenants
            .of_tb
            .values("Transactionid")
            .contains(&"4".to_owned())
    });
    assert_eq!(tenants.of_ta.count(), 0);
}

#[test]
fn without_a_server_of_the_name_what_a_dropped_one_left_stays_parked() {
    let mut tenants = Tenants::open("identity_gone");
    let create = postback("gone", &tenants.of_ta, ", paused 'true'");
    sql(&mut tenants.ta, &create);
    sql(&mut tenants.ta, &trigger("ta.orders", "gone"));
    sql(&mut tenants.ta, &insert("ta.orders", 1));
    sql(&mut tenants.ta, "drop server gone");
    let id = tenants.id("1");
    assert_eq!(
        error_of(&mut tenants.shop.client, &format!("select s2s.retry({id})")),
        (
            SqlState::UNDEFINED_OBJECT,
            "server \"gone\" does not exist".to_owned()
        )
    );
    let retry = "select s2s.retry_parked('gone')";
    assert_eq!(tenants.shop.number(retry), 0);
    assert_eq!(
        tenants.queued(),
        ["1 gone parked marked server \"gone\" was dropped"]
    );
    assert_eq!(tenants.shop.status_of("1"), "parked");
}

#[test]
fn a_renamed_server_goes_on_and_one_of_its_old_name_gets_nothing() {
    let mut tenants = Tenants::open("identity_renamed");
    let create = postback("s", &tenants.of_tb, ", paused 'true'");
    sql(&mut tenants.tb, &create);
    sql(
        &mut tenants.tb,
        &format!(
            "create table tb.parts (id bigint, click_id s2s.click_id) partition by range (id);
             create table tb.part partition of tb.parts default;
             {} {}",
            trigger("tb.orders", "s"),
            trigger("tb.parts", "s")
        ),
    );
    sql(&mut tenants.tb, &insert("tb.orders", 1));
    sql(&mut tenants.tb, &insert("tb.orders", 2));
    tenants
        .shop
        .sql("update s2s.queue set due_at = 'infinity' where transaction_id = '2'");
    // A session that has compiled the trigger already.
    let mut other = tenants.shop.cluster.connect(tenants.shop.database);
    sql(&mut other, &insert("tb.parts", 3));
    sql(&mut tenants.tb, "alter server s rename to s_new");
    let create = postback("s", &tenants.of_ta, "");
    sql(&mut tenants.ta, &create);
    sql(&mut tenants.ta, "grant usage on foreign server s to public");
    sql(&mut other, &insert("tb.parts", 4));
    sql(&mut tenants.tb, &insert("tb.orders", 5));
    assert_eq!(
        tenants.queued(),
        ["1 s_new", "2 s_new parked", "3 s_new", "4 s_new", "5 s_new"]
    );
    assert_eq!(
        tenants.shop.text(
            "select string_agg(distinct (pg_get_triggerdef(oid) like '%report_lead(''s_new'', %')::text, '')
             from pg_trigger where tgname = 'report'"
        ),
        "true"
    );
    let ours = tenants.id("2");
    for call in [format!("retry({ours})"), "retry_parked()".to_owned()] {
        let done = text(&mut tenants.ta, &format!("s2s.{call}"));
        assert!(["0", "false"].contains(&done.expect("a result").as_str()));
    }
    sql(&mut tenants.tb, "alter server s_new options (drop paused)");
    assert_eq!(
        text(&mut tenants.tb, "s2s.retry_parked('s_new')").as_deref(),
        Some("1")
    );
    let all = ["1", "2", "3", "4", "5"].map(str::to_owned).to_vec();
    assert_eq!(tenants.wait_until_idle(), [vec![], all]);
}

#[test]
fn rows_are_parked_while_the_tables_owner_may_not_use_the_server() {
    let mut tenants = Tenants::open("identity_usage");
    let create = postback("s", &tenants.of_tb, "");
    sql(&mut tenants.tb, &create);
    tenants.shop.sql(
        "create role identity_usage_group;
         grant usage on foreign server s to identity_usage_group;
         grant identity_usage_group to identity_usage_ta",
    );
    sql(&mut tenants.ta, &trigger("ta.orders", "s"));
    let reason = "permission denied for foreign server \"s\"";
    let ways = [
        (
            "revoke usage on foreign server s from identity_usage_group",
            "grant usage on foreign server s to identity_usage_group",
        ),
        (
            "revoke identity_usage_group from identity_usage_ta",
            "grant identity_usage_group to identity_usage_ta",
        ),
        (
            "grant usage on foreign server s to public; revoke usage on foreign server s from public;
             alter table ta.orders owner to identity_usage_other",
            "alter table ta.orders owner to identity_usage_ta",
        ),
    ];
    tenants.shop.sql(
        "create role identity_usage_other; grant insert on ta.orders to identity_usage_ta;
              grant usage on schema ta to identity_usage_other",
    );
    let mut all = Vec::new();
    for (number, (revoke, grant)) in (0..).zip(ways) {
        sql(&mut tenants.ta, &insert("ta.orders", number * 10 + 1));
        tenants.shop.sql(revoke);
        tenants
            .shop
            .sql("grant insert on ta.orders to identity_usage_ta");
        let refused = insert("ta.orders", number * 10 + 2);
        sql(&mut tenants.ta, &refused);
        let trigger = "trigger \"report\" on table \"orders\"";
        sql(&mut tenants.ta, "set s2s.on_invalid_row = error");
        assert_eq!(
            error_of(&mut tenants.ta, &refused),
            (
                SqlState::INSUFFICIENT_PRIVILEGE,
                format!("{trigger}: {reason}")
            )
        );
        sql(&mut tenants.ta, "reset s2s.on_invalid_row");
        all.push(format!("{}", number * 10 + 1));
        let mut expected = all.clone();
        expected.sort();
        assert_eq!(tenants.wait_until_idle(), [vec![], expected]);
        assert_eq!(
            tenants.queued(),
            [format!(
                "{} s parked {reason}: The table's owner needs USAGE of it.",
                number * 10 + 2
            )]
        );
        tenants.shop.sql(grant);
        assert_eq!(tenants.shop.number("select s2s.retry_parked('s')"), 1);
        sql(&mut tenants.ta, &insert("ta.orders", number * 10 + 3));
        all.push(format!("{}", number * 10 + 2));
        all.push(format!("{}", number * 10 + 3));
        let mut expected = all.clone();
        expected.sort();
        assert_eq!(tenants.wait_until_idle(), [vec![], expected]);
    }
}

#[test]
fn in_a_restored_dump_servers_get_what_is_owed_to_them_and_nothing_else() {
    let mut tenants = Tenants::open("identity_dump");
    let cluster = tenants.shop.cluster;
    for (server, options) in [("s", ", paused 'true'"), ("gone", ", paused 'true'")] {
        let create = postback(server, &tenants.of_tb, options);
        sql(&mut tenants.tb, &create);
    }
    sql(&mut tenants.tb, &trigger("tb.orders", "s"));
    sql(
        &mut tenants.tb,
        "create table tb.left_over (id bigint, click_id s2s.click_id)",
    );
    sql(&mut tenants.tb, &trigger("tb.left_over", "gone"));
    sql(&mut tenants.tb, &insert("tb.orders", 1));
    sql(&mut tenants.tb, &insert("tb.left_over", 2));
    sql(
        &mut tenants.tb,
        "alter server s rename to s_new; drop server gone",
    );
    let dump = cluster.new_folder("identity_dump").join("identity.dump");
    let dump = dump.to_str().expect("a path");
    run(cluster
        .client("pg_dump")
        .args(["-Fc", "-f", dump, tenants.shop.database]));
    tenants.shop.sql("create database identity_restored");
    run(cluster
        .client("pg_restore")
        .args(["--exit-on-error", "-d", "identity_restored", dump]));
    tenants.shop.database = "identity_restored";
    tenants.shop.reconnect();
    let mut tb = cluster.connect_as("identity_dump_tb", "identity_restored");
    let mut ta = cluster.connect_as("identity_dump_ta", "identity_restored");
    for server in ["s", "gone"] {
        sql(&mut ta, &postback(server, &tenants.of_ta, ""));
        sql(
            &mut ta,
            &format!("grant usage on foreign server {server} to public"),
        );
    }
    sql(&mut tb, &insert("tb.orders", 3));
    sql(&mut tb, &insert("tb.left_over", 4));
    sql(&mut tb, "alter server s_new options (drop paused)");
    let owed = ["1", "3"].map(str::to_owned).to_vec();
    assert_eq!(tenants.wait_until_idle(), [vec![], owed.clone()]);
    assert_eq!(
        tenants.queued(),
        [
            "2 gone parked marked server \"gone\" was dropped",
            "4 gone parked marked server \"gone\" was dropped",
        ]
    );
    let retry = "select s2s.retry_parked('gone')";
    assert_eq!(tenants.shop.number(retry), 2);
    let given = ["2", "4"].map(str::to_owned).to_vec();
    assert_eq!(tenants.wait_until_idle(), [given, owed]);
    // A role that may not touch the queue cannot make such a trigger.
    let (code, _) = error_of(
        &mut ta,
        "create trigger forged after insert on ta.orders for each row execute function s2s.report_lead(
             's_new: this server was dropped; name another with CREATE OR REPLACE TRIGGER',
             'transaction_id={id}')",
    );
    assert_eq!(code, SqlState::UNDEFINED_OBJECT);
}
