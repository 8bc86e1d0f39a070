//! How the worker's own statements run: by index, however much lies in the tables. The server says
//! so itself, in its log.

use crate::shop::{PATIENCE, Shop, cluster, shared_cluster};
use crate::support::{Builder, Cluster, wait_for, wait_for_some};

/// A cluster that logs how each statement ran.
fn explaining_cluster() -> Builder<'static> {
    cluster()
        .conf("autovacuum = off")
        .conf("shared_preload_libraries = 'pgrx-ext, auto_explain'")
        .conf("auto_explain.log_min_duration = 0")
        .conf("auto_explain.log_analyze = on")
        .conf("auto_explain.log_buffers = on")
        .conf("auto_explain.log_timing = off")
}

/// How the worker's statements whose text has this in it ran, one after the other.
fn plans(cluster: &Cluster, text: &str) -> Vec<String> {
    let log = cluster.log();
    let statements = log.split("pgrx-ext worker LOG:  duration: ").skip(1);
    let plans = statements.filter_map(|rest| rest.split("pgrx-ext worker CONTEXT:").next());
    plans
        .filter(|plan| plan.contains(text))
        .map(str::to_owned)
        .collect()
}

/// How many pages the busiest part of a statement touched: nearly always the whole, which counts
/// its parts, but not inserts that nothing else refers to.
fn pages(plan: &str) -> u64 {
    let of_part = |counts: &str| -> u64 {
        let counts = counts.split_whitespace();
        counts
            .filter_map(|count| count.split_once('=')?.1.parse::<u64>().ok())
            .sum()
    };
    plan.lines()
        .filter_map(|line| line.trim().strip_prefix("Buffers: shared "))
        .map(of_part)
        .max()
        .unwrap_or_else(|| panic!("no pages are counted: {plan}"))
}

/// How many rows a line of a plan came to. (From PostgreSQL 18 on with decimals.)
fn actual_rows(line: &str) -> f64 {
    let (_, actual) = line.split_once("(actual rows=").expect("an analyzed plan");
    let count = actual.split_whitespace().next().expect("a number");
    count.parse().expect("a number")
}

#[test]
fn old_attempts_are_found_by_index() {
    let cluster = explaining_cluster()
        .conf("s2s.attempt_retention = '1min'")
        .start();
    let mut shop = Shop::open(&cluster, "old_by_index");
    // The last ones are younger.
    shop.sql(
        "insert into s2s.attempt (callback_id, server, action, transaction_id, created_at, attempt,
                                  started_at, duration, verdict, message)
         select n, 'games_nl', 'lead', n, now(), 1, at, '1s', 'delivered', 'HTTP 200'
         from generate_series(1, 20000) n,
         lateral (select now() - case when n <= 2500 then interval '2min' else '0' end) of(at);
         analyze s2s.attempt",
    );
    // A worker that starts looks at once.
    let pid = wait_for_some(PATIENCE, "a worker", || shop.worker_pid());
    shop.sql(&format!("select pg_terminate_backend({pid})"));
    wait_for(PATIENCE, "they are gone", || {
        shop.number("select count(*) from s2s.attempt") == 17_500
    });
    let looks = || plans(&cluster, "a.started_at < pg_catalog.now() - $1");
    // Three that find something, each with a deletion, and one that does not.
    wait_for(PATIENCE, "one look that finds nothing", || {
        looks().len() >= 7
    });
    for plan in looks() {
        assert!(!plan.contains("Seq Scan"), "{plan}");
        let limit = "->  Limit  (";
        let first = plan
            .lines()
            .find(|line| line.contains(limit))
            .expect("a limit");
        // A look ends with the first that it finds.
        let looked_at = [0.0, 1.0, 500.0, 1000.0];
        assert!(looked_at.contains(&actual_rows(first)), "{plan}");
        // A thousand index entries, each with its row, in two scans.
        assert!(pages(&plan) < 5000, "{plan}");
    }
}

#[test]
fn the_queue_stays_fast_while_a_transaction_stays_open() {
    let cluster = explaining_cluster().start();
    let mut shop = Shop::open(&cluster, "stays_fast");
    shop.insert([0]);
    shop.wait_until_delivered();
    let mut open = cluster.connect(shop.database);
    open.batch_execute("begin isolation level repeatable read; select from s2s.queue")
        .expect("a transaction that stays open");
    // What was queued, retried and delivered since then cannot be cleared away.
    shop.sql("alter server games_nl options (add paused 'true')");
    shop.sql(
        "insert into players select n, 'J. Smith', 'c' from generate_series(1, 100000) n;
         update s2s.queue set attempts = 1;
         delete from s2s.queue;
         alter server games_nl options (drop paused)",
    );
    shop.wait_until_idle();
    check_deliveries_are_cheap(&mut shop);
}

#[test]
fn the_queue_stays_fast_while_much_is_parked() {
    let cluster = explaining_cluster().start();
    let mut shop = Shop::open(&cluster, "much_parked");
    // With so many servers, and so often, that plans are made for good: of a queue in which nothing
    // is parked.
    for n in 1..=20 {
        shop.sql(&format!(
            "create server s{n} foreign data wrapper tradetracker
             options (campaign_id '1', product_id '2')"
        ));
    }
    for id in 1..=8 {
        shop.insert([-id]);
        shop.wait_until_delivered();
    }
    shop.sql(
        "begin;
         insert into players select n, 'J. Smith', 'c' from generate_series(1, 20000) n;
         update s2s.queue set due_at = 'infinity', attempts = 10, last_error = 'HTTP 500';
         commit",
    );
    shop.wait_until_idle();
    check_deliveries_are_cheap(&mut shop);
}

/// Ten more callbacks are read, sent and recorded, and few pages are touched for that.
#[track_caller]
fn check_deliveries_are_cheap(shop: &mut Shop) {
    let steps = ["select due.id", "min(later.due_at)", "with tried"];
    let cluster = shop.cluster;
    let before = steps.map(|step| plans(cluster, step).len());
    let first = 1_000_000;
    shop.insert(first..first + 10);
    wait_for(PATIENCE, "they are delivered", || {
        shop.status(first + 9) == "delivered"
    });
    shop.wait_until_idle();
    for (step, before) in steps.into_iter().zip(before) {
        let plans = plans(cluster, step).split_off(before);
        assert!(!plans.is_empty(), "{step}");
        for plan in plans {
            assert!(pages(&plan) < 500, "{plan}");
        }
    }
}

#[test]
fn a_command_looks_at_the_triggers_of_the_tables_that_it_changes_alone() {
    let mut shop = Shop::open(shared_cluster(), "other_triggers");
    shop.sql(
        "create type shape as (id int);
         create table typed of shape;
         create table parent (id int);
         create table child () inherits (parent);
         do $$ begin
             for n in 1..1000 loop
                 execute format('create table t%s (id int, click_id s2s.click_id)', n);
                 execute format('create trigger report after insert on t%s for each row
                     execute function s2s.report_lead(''games_nl'', ''transaction_id={id}'')', n);
             end loop;
         end $$;
         analyze",
    );
    for command in [
        "alter table players add column note text",
        "alter table players alter note type varchar",
        "alter table players rename note to remark",
        "alter table players enable trigger user",
        "alter table parent add column note text",
        "alter type shape add attribute note text cascade",
        "create type doomed as enum ('a'); alter table players add doomed doomed; drop type doomed cascade",
        "create trigger again after update on players for each row
             execute function s2s.report_lead('games_nl', 'transaction_id={id}')",
    ] {
        shop.sql("begin");
        shop.sql(command);
        let read = shop.number(
            "select seq_tup_read + idx_tup_fetch from pg_stat_xact_sys_tables where relname = 'pg_trigger'",
        );
        shop.sql("commit");
        assert!(read < 100, "{command}: {read} triggers");
    }
}
