//! Triggers on foreign tables: the rows are another server's, the callbacks are ours.

use crate::shop::{Shop, shared_cluster};

/// A shop whose orders are in the schema `far`, and at hand as the foreign table `orders`, which
/// has a trigger. What the other side makes of a row counts: it numbers it.
fn open(database: &'static str, options: &str) -> Shop<'static> {
    let cluster = shared_cluster();
    let mut shop = Shop::open(cluster, database);
    let (folder, port) = (cluster.socket_folder().display(), cluster.port());
    shop.sql(&format!(
        "create schema far;
         create table far.orders (id bigint, total numeric(10, 2), currency text, status text, click_id text);
         create sequence far.numbers start 100;
         create function far.number() returns trigger language plpgsql as $$
         begin
             new.id := coalesce(new.id, nextval('far.numbers'));
             new.currency := upper(new.currency);
             return new;
         end $$;
         create trigger number before insert or update on far.orders for each row
             execute function far.number();
         create extension postgres_fdw;
         create server elsewhere foreign data wrapper postgres_fdw
             options (host '{folder}', port '{port}', dbname '{database}'{options});
         create user mapping for current_user server elsewhere options (user 'postgres');
         create foreign table orders (
             id bigint, total numeric(10, 2), currency text, status text, click_id s2s.click_id)
             server elsewhere options (schema_name 'far');
         create trigger report_order after insert on orders for each row
             execute function s2s.report_sale('games_nl', 'transaction_id={{id}}', 'amount={{total}}',
                                              'currency={{currency}}')"
    ));
    shop
}

impl Shop<'_> {
    /// The sales that the receiver got, in order of their ids: id, amount, currency, click id.
    fn sales(&mut self) -> Vec<String> {
        self.wait_until_delivered();
        let requests = self.receiver.requests();
        let sale = |names: [&str; 4], request: &crate::support::Request| {
            names
                .map(|name| request.parameter(name).unwrap_or_default().to_owned())
                .join(" ")
        };
        let mut sales: Vec<String> = requests
            .iter()
            .map(|request| sale(["tid", "tam", "currency", "data"], request))
            .collect();
        sales.sort_unstable();
        sales
    }
}

#[test]
fn rows_of_foreign_tables_are_reported_with_the_values_of_the_other_side() {
    let mut shop = open("far_insert", "");
    shop.sql(
        "insert into orders (total, currency, click_id) values (49.9, 'eur', 'a'), (5, 'usd', 'b');
         insert into orders select n, n, 'eur', 'new', 'c' from generate_series(200, 202) n",
    );
    shop.sql("begin; insert into orders values (300, 1, 'eur', 'new', 'd'); rollback");
    assert_eq!(
        shop.sales(),
        [
            "100 49.90 EUR a",
            "101 5.00 USD b",
            "200 200.00 EUR c",
            "201 201.00 EUR c",
            "202 202.00 EUR c"
        ]
    );
}

#[test]
fn rows_of_foreign_tables_that_go_in_batches_or_by_copy_are_reported() {
    let mut shop = open("far_batches", ", batch_size '100'");
    shop.sql(
        "insert into orders select n, 1, 'eur', 'new', 'c' from generate_series(101, 350) n;
         copy orders from program 'printf \"1\\\\t2\\\\teur\\\\tnew\\\\td\\\\n2\\\\t3\\\\teur\\\\tnew\\\\te\\\\n\"'",
    );
    let sales = shop.sales();
    assert_eq!(sales.len(), 252);
    assert_eq!(
        sales[..3],
        ["1 2.00 EUR d", "101 1.00 EUR c", "102 1.00 EUR c"]
    );
}

#[test]
fn updates_of_foreign_tables_are_reported() {
    let mut shop = open("far_update", "");
    shop.sql(
        "alter table orders disable trigger report_order;
         create trigger report_paid after update of status on orders for each row
             when (new.status = 'paid' and old.status <> 'paid')
             execute function s2s.report_sale('games_nl', 'transaction_id={id}', 'amount={total}',
                                              'currency={currency}');
         insert into orders select n, n, 'eur', 'new', 'c' from generate_series(1, 4) n;
         update orders set status = 'paid' where id < 3;
         update orders set status = 'paid', total = total + 1;
         update orders set total = 7",
    );
    assert_eq!(
        shop.sales(),
        [
            "1 1.00 EUR c",
            "2 2.00 EUR c",
            "3 4.00 EUR c",
            "4 5.00 EUR c"
        ]
    );
}

#[test]
fn foreign_tables_have_a_preview_and_no_transition_tables() {
    let mut shop = open("far_preview", "");
    shop.sql("set s2s.enabled = off; insert into orders values (1, 2, 'eur', 'new', 'c')");
    let url = shop.text("select url from s2s.preview('orders', 'report_order')");
    assert!(url.contains("tid=1&tam=2.00"), "{url}");
    let statement = "create trigger whole after insert on orders referencing new table as new_rows
                     for each statement execute function s2s.report_sale(
                         'games_nl', 'transaction_id={id}', 'amount={total}', 'currency={currency}')";
    let error = shop.client.batch_execute(statement).expect_err("an error");
    let error = error.as_db_error().expect("an error of PostgreSQL's");
    assert_eq!(error.message(), "\"orders\" is a foreign table");
}

#[test]
fn foreign_partitions_are_reported_like_others() {
    let mut shop = open("far_partition", "");
    shop.sql(
        "create table all_orders (
             id bigint, total numeric(10, 2), currency text, status text, click_id s2s.click_id)
             partition by list (status);
         create table new_orders partition of all_orders for values in ('new');
         drop trigger report_order on orders;
         alter table all_orders attach partition orders for values in ('old');
         create trigger report_order after insert on all_orders for each row
             execute function s2s.report_sale('games_nl', 'transaction_id={id}', 'amount={total}',
                                              'currency={currency}');
         insert into all_orders values (1, 2, 'EUR', 'new', 'c'), (2, 3, 'eur', 'old', 'd')",
    );
    assert_eq!(shop.sales(), ["1 2.00 EUR c", "2 3.00 EUR d"]);
}
