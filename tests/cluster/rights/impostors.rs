//! Nothing that a role makes stands in for what is ours: operators, functions, types and tables of
//! the same names, first in the path of whoever acts.

use crate::rights::hostile::shop_with_role;
use crate::shop::PATIENCE;
use crate::support::wait_for_some;

/// What the role leaves in everybody's way: whoever runs one of these is noted.
const TRAPS: &str = "
    create table evil.trapped (name text, who text);
    grant insert on evil.trapped to public;
    create function evil.note(name text) returns void language plpgsql as
        $$ begin insert into evil.trapped values (name, current_user); end $$;
    create function evil.eq(text, text) returns bool language plpgsql as
        $$ begin perform evil.note('eq text'); return true; end $$;
    create function evil.eq(s2s.verdict, s2s.verdict) returns bool language plpgsql as
        $$ begin perform evil.note('eq verdict'); return true; end $$;
    create function evil.eq(s2s.action, s2s.action) returns bool language plpgsql as
        $$ begin perform evil.note('eq action'); return true; end $$;
    create function evil.eq(timestamptz, text) returns bool language plpgsql as
        $$ begin perform evil.note('eq due'); return true; end $$;
    create function evil.eq(name, text) returns bool language plpgsql as
        $$ begin perform evil.note('eq name'); return true; end $$;
    create operator evil.= (leftarg = text, rightarg = text, function = evil.eq);
    create operator evil.= (leftarg = s2s.verdict, rightarg = s2s.verdict, function = evil.eq);
    create operator evil.= (leftarg = s2s.action, rightarg = s2s.action, function = evil.eq);
    create operator evil.= (leftarg = timestamptz, rightarg = text, function = evil.eq);
    create operator evil.= (leftarg = name, rightarg = text, function = evil.eq);
    create function evil.now() returns timestamptz language plpgsql as
        $$ begin perform evil.note('now'); return 'infinity'::timestamptz; end $$;
    create function evil.has_table_privilege(text, text) returns bool language plpgsql as
        $$ begin perform evil.note('privilege'); return true; end $$;
    create function evil.unnest(text[], text[]) returns setof record language plpgsql as
        $$ begin perform evil.note('unnest'); end $$;
    create function evil.min(bigint) returns bigint language plpgsql as
        $$ begin perform evil.note('min'); return 0; end $$;
    create function evil.join(text, text) returns text language plpgsql as
        $$ begin perform evil.note('join'); return ''; end $$;
    create operator evil.|| (leftarg = text, rightarg = text, function = evil.join);
    create type evil.action as enum ('theft');
    create type evil.jsonb as (a int);
    create domain evil.click_id as text;
    create table evil.queue (id int);
    create table evil.attempt (id int);";

/// The same names where they count before all else.
const TEMPORARY: &str = "
    create temp table queue (id int, server text);
    create temp table attempt (id int, message text);
    create temp table pg_trigger (oid oid, tgrelid oid);
    set search_path = evil, public, pg_catalog, pg_temp;";

#[test]
fn nothing_of_a_roles_own_stands_in_for_ours() {
    let (mut shop, mut role) = shop_with_role("hostile_names");
    role.batch_execute(TRAPS).expect("traps");
    role.batch_execute(TEMPORARY).expect("temporary traps");
    role.batch_execute("insert into public.players values (1, 'x', 'opaque')")
        .expect("an insert");
    shop.wait_until_delivered();
    assert_eq!(shop.received(), [1]);

    // Somebody of importance who was talked into the same path.
    shop.sql(TEMPORARY);
    shop.sql(
        "insert into public.players values (2, 'x', 'opaque'), (3, 'x', 'opaque');
              alter server games_nl options (add paused 'true')",
    );
    shop.sql(
        "insert into public.players values (4, 'x', 'opaque');
              alter table public.players add column note s2s.verdict;
              create trigger again after update on public.players for each row
                  execute function s2s.report_lead('games_nl', 'transaction_id={id}')",
    );
    let id = shop.number("select id from s2s.queue order by id desc limit 1");
    for function in [
        &format!("retry({id})"),
        "retry_parked()",
        "retry_parked('games_nl')",
        &format!("callback_url({id})"),
        &format!("cancel({id})"),
        "wake()",
        "wait_until_idle('5s')",
        "worker_status()",
        "server_occupation()",
        "server_problem('games_nl')",
        "url_encode('a')",
        "network('0::1::a::::1405418672')",
        "report_lead('games_nl', '5', 'x')",
    ] {
        shop.sql(&format!("select * from s2s.{function}"));
    }
    shop.sql("select * from s2s.callback; select * from s2s.server_status; reset search_path");
    let trapped =
        "select coalesce(string_agg(format('%s by %s', name, who), ', '), '') from evil.trapped";
    assert_eq!(shop.text(trapped), "");
    shop.sql("alter server games_nl options (drop paused)");
    shop.wait_until_delivered();
    assert_eq!(shop.received(), [1, 2, 3, 5]);
}

#[test]
fn what_a_databases_owner_sets_for_it_does_not_reach_the_worker() {
    let (mut shop, mut role) = shop_with_role("hostile_owner");
    role.batch_execute(TRAPS).expect("traps");
    shop.sql("alter database hostile_owner owner to hostile_owner");
    for setting in [
        "search_path = evil",
        "role = hostile_owner",
        "s2s.enabled = off",
    ] {
        role.batch_execute(&format!("alter database hostile_owner set {setting}"))
            .expect(setting);
    }
    let worker = wait_for_some(PATIENCE, "a worker runs", || shop.worker_pid());
    shop.sql(&format!("select pg_terminate_backend({worker})"));
    wait_for_some(PATIENCE, "another worker runs", || {
        shop.worker_pid().filter(|pid| *pid != worker)
    });
    shop.insert([1]);
    shop.wait_until_delivered();
    assert_eq!(shop.received(), [1]);
    assert_eq!(
        shop.text("select string_agg(name, ' ') from evil.trapped"),
        ""
    );
}
