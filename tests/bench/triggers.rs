//! What a trigger adds to the insertion of many rows and to transactions of one row, and what a
//! URL function takes, against PostgreSQL's own means.

use std::time::{Duration, Instant};

use crate::shop::Shop;
use crate::{Figure, median};

/// Rows a statement.
const ROWS: usize = 100_000;

/// Rounds; the median counts.
const ROUNDS: usize = 7;

/// Seconds that a run of pgbench takes.
const PGBENCH_SECONDS: u32 = 4;

/// How rows are inserted, by the name of their table.
const VARIANTS: [(&str, &str); 4] = [
    ("no_trigger", "without trigger"),
    (
        "plpgsql",
        "with a PL/pgSQL row trigger that writes a jsonb outbox",
    ),
    ("by_row", "with our row trigger"),
    ("by_statement", "with our statement trigger"),
];

const TABLES: &str = "
    create table outbox (
        id bigint generated always as identity primary key,
        payload jsonb not null, created_at timestamptz not null default now());
    create function write_outbox() returns trigger language plpgsql as $$
    begin
        insert into outbox (payload) values (jsonb_build_object(
            'transaction_id', new.id, 'amount', new.total, 'currency', new.currency,
            'click_id', new.click_id));
        return null;
    end $$;
    create trigger report after insert on plpgsql for each row execute function write_outbox();
    create trigger report after insert on by_row for each row
        execute function s2s.report_sale(
            'games_nl', 'transaction_id={id}', 'amount={total}', 'currency={currency}');
    create trigger report after insert on by_statement referencing new table as new_orders
        for each statement execute function s2s.report_sale(
            'games_nl', 'transaction_id={id}', 'amount={total}', 'currency={currency}');
    create sequence order_ids;";

pub fn measure() -> Vec<Figure> {
    let mut shop = Shop::open(", paused 'true'");
    for (table, _) in VARIANTS {
        let sql = format!(
            "create table {table} (id bigint, total numeric, currency text, click_id s2s.click_id)"
        );
        shop.client.batch_execute(&sql).expect("a table");
    }
    shop.client.batch_execute(TABLES).expect("the triggers");
    let mut figures = bulk(&mut shop);
    figures.extend(functions(&mut shop));
    figures.extend(single_rows(&mut shop));
    figures
}

/// Statements of many rows.
fn bulk(shop: &mut Shop) -> Vec<Figure> {
    let rows = format!(
        "select n, n / 100.0, 'EUR', '0::12345::' || n || '::::1405418672'
         from generate_series(1, {ROWS}) n"
    );
    let mut statements: Vec<String> = VARIANTS
        .iter()
        .map(|(table, _)| format!("insert into {table} {rows}"))
        .collect();
    statements.push(
        "insert into s2s.queue (server, action, transaction_id, click_id, parameters)
         select 'games_nl', 'sale', id::text, click_id,
                jsonb_build_object('amount', total::text, 'currency', currency)
         from no_trigger"
            .to_owned(),
    );
    let mut times = vec![Vec::new(); statements.len()];
    for round in 0..ROUNDS {
        eprintln!("  round {} of {ROUNDS}", round + 1);
        let tables = VARIANTS.map(|(table, _)| table).join(", ");
        run(
            shop,
            &format!("truncate outbox, s2s.queue, {tables}; checkpoint"),
        );
        for (statement, times) in statements.iter().zip(&mut times) {
            times.push(run(shop, statement).as_secs_f64() * 1e3);
            run(shop, "truncate outbox, s2s.queue");
        }
    }
    let times: Vec<f64> = times.iter_mut().map(|times| median(times)).collect();
    let overhead = |variant: usize| times[variant] - times[0];
    let mut figures: Vec<Figure> = VARIANTS
        .iter()
        .zip(&times)
        .map(|((_, name), time)| Figure::new(format!("{ROWS} rows {name}"), *time, "ms"))
        .collect();
    let plain = "rows of the queue by INSERT … SELECT";
    figures.push(Figure::new(format!("{ROWS} {plain}"), times[4], "ms"));
    for (name, variant) in [("row", 2), ("statement", 3)] {
        figures.push(Figure::new(
            format!("overhead of our {name} trigger / of PL/pgSQL's"),
            overhead(variant) / overhead(1),
            "",
        ));
    }
    figures
}

/// URLs of many rows.
fn functions(shop: &mut Shop) -> Vec<Figure> {
    let ours =
        "select count(s2s.tradetracker_sale_url(1234, 56, id::text, total, currency, click_id,
                    'order', 'order', 'SUMMER', '7')) from no_trigger";
    let theirs = "select count(format('https://ts.tradetracker.net/?s2s=1&cid=%s&pid=%s&tgi=%s&tid=%s&tam=%s&descrMerchant=%s&descrAffiliate=%s&currency=%s&data=%s&vc=%s',
                      1234, 56, '7', id, total, 'order', 'order', currency, click_id, 'SUMMER')) from no_trigger";
    let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        our_times.push(run(shop, ours).as_secs_f64() * 1e3);
        their_times.push(run(shop, theirs).as_secs_f64() * 1e3);
    }
    let (ours, theirs) = (median(&mut our_times), median(&mut their_times));
    vec![
        Figure::new(format!("{ROWS} URLs by tradetracker_sale_url"), ours, "ms"),
        Figure::new(format!("{ROWS} URLs by format()"), theirs, "ms"),
        Figure::new("tradetracker_sale_url / format()", ours / theirs, ""),
    ]
}

/// Transactions of one row, by eight clients.
fn single_rows(shop: &mut Shop) -> Vec<Figure> {
    const TABLES: [&str; 3] = ["no_trigger", "by_row", "plpgsql"];
    let mut rates = TABLES.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for (table, rates) in TABLES.iter().zip(&mut rates) {
            run(shop, "truncate s2s.queue, outbox; checkpoint");
            rates.push(shop.pgbench(
                8,
                PGBENCH_SECONDS,
                &format!(
                    "insert into {table} values (nextval('order_ids'), 49.90, 'EUR', '0::12345::abc::::1405418672');"
                ),
            ));
        }
    }
    let [without, with, plpgsql] = rates.map(|mut rates| median(&mut rates));
    vec![
        Figure::new("transactions of one row without trigger", without, "/s"),
        Figure::new("transactions of one row with our row trigger", with, "/s"),
        Figure::new("transactions of one row with PL/pgSQL's", plpgsql, "/s"),
        Figure::new("with our row trigger / without", with / without, ""),
        Figure::new("with PL/pgSQL's / without", plpgsql / without, ""),
    ]
}

fn run(shop: &mut Shop, sql: &str) -> Duration {
    let start = Instant::now();
    shop.client.batch_execute(sql).expect(sql);
    start.elapsed()
}
