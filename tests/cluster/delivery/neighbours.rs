//! Servers that cost much, beside servers of others.

use crate::shop::{PATIENCE, Shop, shared_cluster};
use crate::support::{Answer, Receiver, wait_for};

#[test]
fn an_answer_that_takes_long_to_judge_delays_no_other_server() {
    let mut shop = Shop::open(shared_cluster(), "hard_to_judge");
    // What the worst expression takes is bounded; fifty times that is not over in a moment.
    let body: Vec<u8> = (0_u32..8192)
        .map(|n| b"ab"[(n.wrapping_mul(n).wrapping_mul(2_654_435_761) >> 31) as usize])
        .collect();
    let hard = Receiver::answering(move |_| Answer::ok().with_body(body.clone()));
    shop.sql(&format!(
        "create server hard foreign data wrapper postback options (lead_url '{}?tid={{transaction_id}}&c={{click_id}}',
             allow_http 'true', success_body '(a|ab|b){{519}}c', max_in_flight '2');
         create table hard_leads (id bigint, click_id s2s.click_id);
         create trigger on_hard after insert on hard_leads for each row
             execute function s2s.report_lead('hard', 'transaction_id={{id}}');
         insert into hard_leads select n, 'abc' from generate_series(1, 50) n",
        hard.url("/")
    ));
    hard.wait_for(1, PATIENCE);
    shop.insert([1000]);
    wait_for(PATIENCE, "the neighbour's is delivered", || {
        shop.status(1000) == "delivered"
    });
    let untried =
        shop.number("select count(*) from s2s.queue where server = 'hard' and attempts = 0");
    assert!(untried > 0, "the neighbour waited for all of them");
}
