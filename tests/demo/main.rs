//! A shop's conversions on their way to affiliate networks, in a few seconds: `make demo`.
//!
//! Starts a throw-away cluster and a receiver on loopback, runs the manuals' examples, and prints
//! what was inserted and updated, every URL as the receiver got it, what it answered, and
//! `s2s.callback`. What was received must be exactly what the manuals say: if it is not, the exit
//! code is not 0.

#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use postgres::{Client, SimpleQueryMessage};

use support::{Answer, Cluster, Installation, Receiver};

/// How long the worker may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What LinkTrust answers to an edit that it accepts, from its manual.
const ACCEPTED: &str = include_str!("../data/linktrust_success.xml");

/// The password of edits, as it is set and as it is sent.
const PASSWORD: (&str, &str) = ("s3cret&", "Password=s3cret%26");

/// What the manuals' examples must look like on the wire, but for order and the scheme and host.
const EXPECTED: [&str; 5] = [
    "/l?s2s=1&cid=1234&pid=56&tgi=&tid=111&descrMerchant=new%20player&descrAffiliate=new%20player\
     &data=0%3A%3A12345%3A%3Aabc%3A%3A%3A%3A1405418672",
    "/l?s2s=1&cid=1234&pid=56&tgi=&tid=112&descrMerchant=new%20player&descrAffiliate=new%20player\
     &data=12%3A%3A54321%3A%3Adef%3A%3A%3A%3A1405419867",
    "/l?s2s=1&cid=1234&pid=56&tgi=&tid=123456&descrMerchant=new%20player\
     &descrAffiliate=new%20player&data=0%3A%3A12345%3A%3Areference%3A%3A%3A%3A1405418672",
    "/s?s2s=1&cid=1234&pid=56&tgi=&tid=987&tam=49.90&descrMerchant=first%20deposit\
     &descrAffiliate=first%20deposit&currency=EUR\
     &data=0%3A%3A12345%3A%3Aabc%3A%3A%3A%3A1405418672&vc=SUMMER%2010%25",
    "/transaction.edit?Password=s3cret%26&Merchantreferenceid=987&CID=466744&A=no&AP=0.00&MP=0.00",
];

fn main() -> ExitCode {
    let start = Instant::now();
    let difference = demonstrate();
    println!(
        "\nThe cluster is gone again. This took {:.1} s.",
        start.elapsed().as_secs_f64()
    );
    match difference {
        None => ExitCode::SUCCESS,
        Some(difference) => {
            eprintln!("\nThis is not what was expected:\n{difference}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the example; returns how what was received differs from what was expected.
fn demonstrate() -> Option<String> {
    let receiver = Receiver::answering(|request| match request.path.as_str() {
        "/transaction.edit" => Answer::ok().with_body(ACCEPTED),
        _ => Answer::ok(),
    });
    let installation = Installation::new();
    let cluster = Cluster::builder_of(&installation)
        .conf("s2s.allow_private_addresses = on")
        .start();
    let mut client = cluster.connect("postgres");

    title("Affiliate networks, and the tables of a gaming site");
    run(&mut client, "create extension \"pgrx-ext\";");
    run(
        &mut client,
        &format!(
            "create server games_nl foreign data wrapper tradetracker options (
    campaign_id '1234', product_id '56',
    -- Without these two lines the network's own hosts are called.
    lead_url '{}', sale_url '{}',
    allow_http 'true'
);",
            receiver.url("/l"),
            receiver.url("/s")
        ),
    );
    run(
        &mut client,
        &format!(
            "create server lt_eu foreign data wrapper linktrust options (
    url '{}', campaign_id '466744', allow_http 'true'
);
create user mapping for public server lt_eu options (password '{}');",
            receiver.url("/"),
            PASSWORD.0
        ),
    );
    run(
        &mut client,
        "create table players (
    id bigint primary key, name text, username text, email text, registered date,
    click_id s2s.click_id
);",
    );
    run(
        &mut client,
        "create trigger report_player after insert on players
    for each row execute function
    s2s.report_lead('games_nl', 'transaction_id={id}', 'description=new player');",
    );
    run(
        &mut client,
        "create table orders (
    id bigint primary key, total numeric, currency text, voucher text,
    click_id s2s.click_id, status text default 'paid'
);",
    );
    run(
        &mut client,
        "create trigger report_order after insert on orders
    for each row execute function
    s2s.report_sale('games_nl', 'transaction_id={id}', 'amount={total}', 'currency={currency}',
                    'voucher_code={voucher}', 'description=first deposit');",
    );
    run(
        &mut client,
        "create trigger order_cancelled after update of status on orders
    for each row when (new.status = 'cancelled') execute function
    s2s.edit_transaction('lt_eu', 'merchant_reference_id={id}', 'approved=no',
                         'affiliate_payout=0', 'merchant_payout=0');",
    );

    title("Two players who clicked an affiliate's link, and one who did not");
    run(
        &mut client,
        "insert into players values
    (111, 'J. Smith', 'jsmith00', 'jsmith@eml.net', '2014-09-01', '0::12345::abc::::1405418672'),
    (112, 'J. Doe', 'player123', 'doe.j@email.org', '2014-09-02', '12::54321::def::::1405419867'),
    (113, 'A. Miller', 'am', 'am@eml.net', '2014-09-03', null);",
    );

    title("The click id of the manual's example callback");
    run(
        &mut client,
        "insert into players values
    (123456, 'B. Jones', 'bj', 'bj@eml.net', '2014-09-04', '0::12345::reference::::1405418672');",
    );

    title("One who changed their mind");
    run(&mut client, "begin;");
    run(
        &mut client,
        "insert into players values
    (114, 'C. Brown', 'cb', 'cb@eml.net', '2014-09-05', '0::12345::abc::::1405418672');",
    );
    run(&mut client, "rollback;");

    title("An order in euros, with a voucher");
    run(
        &mut client,
        "insert into orders values
    (987, 49.9, 'EUR', 'SUMMER 10%', '0::12345::abc::::1405418672');",
    );

    title("The order is cancelled");
    run(
        &mut client,
        "update orders set status = 'cancelled' where id = 987;",
    );

    title("What is in the tables");
    run(
        &mut client,
        "select id, name, click_id from players order by id;",
    );
    run(&mut client, "select * from orders;");

    title("The worker has sent what was committed");
    run(
        &mut client,
        &format!("select s2s.wait_until_idle('{} s');", PATIENCE.as_secs()),
    );
    let targets = receiver.targets();
    println!("The receiver got, in this order, the password not shown:\n");
    for target in &targets {
        println!(
            "{}\n",
            receiver.url(target).replace(PASSWORD.1, "Password=***")
        );
    }

    title("The edit as it is recorded, and LinkTrust's answer");
    run(
        &mut client,
        "select url, succeeded, affiliate_payout, merchant_payout, approved
from s2s.attempt cross join s2s.linktrust_answer(response) where server = 'lt_eu';",
    );

    title("What became of each conversion");
    run(
        &mut client,
        "select id, server, action, transaction_id, click_id, status, attempts
from s2s.callback order by id;",
    );
    let undelivered = client
        .query(
            "select id from s2s.callback where status <> 'delivered'",
            &[],
        )
        .expect("s2s.callback");
    difference(targets).or_else(|| {
        (!undelivered.is_empty())
            .then(|| format!("{} not recorded as delivered", undelivered.len()))
    })
}

/// How the received targets differ from [`EXPECTED`], in any order.
fn difference(mut received: Vec<String>) -> Option<String> {
    let mut lines = Vec::new();
    for expected in EXPECTED {
        match received.iter().position(|target| target == expected) {
            Some(at) => drop(received.remove(at)),
            None => lines.push(format!("never received: {expected}")),
        }
    }
    lines.extend(
        received
            .iter()
            .map(|target| format!("received beside: {target}")),
    );
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn title(text: &str) {
    println!("\n=== {text}\n");
}

/// Prints a statement, runs it, and prints its rows, if it returns any, as a table.
fn run(client: &mut Client, sql: &str) {
    println!("{sql}\n");
    let replies = client
        .simple_query(sql)
        .unwrap_or_else(|error| panic!("{error:?}"));
    let mut table: Vec<Vec<String>> = Vec::new();
    for reply in &replies {
        match reply {
            SimpleQueryMessage::RowDescription(columns) => {
                table.push(
                    columns
                        .iter()
                        .map(|column| column.name().to_owned())
                        .collect(),
                );
            }
            SimpleQueryMessage::Row(row) => {
                let value = |column| row.get(column).unwrap_or_default().to_owned();
                table.push((0..row.len()).map(value).collect());
            }
            _ => {}
        }
    }
    if !table.is_empty() {
        print_table(&table);
    }
}

/// Prints rows, of which the first has the names, in columns as wide as their widest value.
fn print_table(rows: &[Vec<String>]) {
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    for (number, row) in rows.iter().enumerate() {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(text, width)| format!("{text:width$}"));
        println!("    {}", cells.collect::<Vec<_>>().join("   ").trim_end());
        if number == 0 {
            let lines = widths.iter().map(|width| "-".repeat(*width));
            println!("    {}", lines.collect::<Vec<_>>().join("   "));
        }
    }
    println!();
}
