//! Servers that cost much, beside servers of others.

use std::fs;
use std::time::Duration;

use crate::shop::{PATIENCE, Shop, shared_cluster};
use crate::support::{Answer, Receiver, as_server_user, memory, run, wait_for, wait_for_some};

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

/// How many descriptors a process has.
fn descriptors(pid: i32) -> usize {
    let folder = format!("/proc/{pid}/fd");
    fs::read_dir(folder).expect("descriptors").count()
}

/// Sets how many descriptors a process may have.
fn limit_descriptors(pid: i32, limit: usize) {
    let limit = format!("--nofile={limit}:");
    run(as_server_user("prlimit").args(["--pid", &pid.to_string(), &limit]));
}

/// Makes servers whose leads stand in a table `all_leads`, each with a receiver of its own.
fn many_servers(shop: &mut Shop, count: usize) -> Vec<Receiver> {
    shop.sql("create table all_leads (id bigint, server int, click_id s2s.click_id)");
    let receivers: Vec<_> = (0..count)
        .map(|_| Receiver::answering(|_| Answer::ok().after(Duration::from_millis(20))))
        .collect();
    for (number, receiver) in receivers.iter().enumerate() {
        shop.sql(&format!(
            "create server s{number} foreign data wrapper postback options (
                 lead_url '{}?tid={{transaction_id}}&c={{click_id}}', allow_http 'true');
             create trigger on_{number} after insert on all_leads for each row when (new.server = {number})
                 execute function s2s.report_lead('s{number}', 'transaction_id={{id}}')",
            receiver.url("/")
        ));
    }
    receivers
}

#[test]
fn idle_connections_are_bounded_and_closed_on_time() {
    let mut shop = Shop::open(shared_cluster(), "idle_connections");
    let receivers = many_servers(&mut shop, 56);
    shop.insert([0]);
    shop.wait_until_delivered();
    let pid = wait_for_some(PATIENCE, "a worker", || shop.worker_pid());
    let before = descriptors(pid);
    shop.sql("insert into all_leads select n, n % 56, 'abc' from generate_series(1, 56 * 40) n");
    let mut most = 0;
    wait_for(PATIENCE, "all are delivered", || {
        most = most.max(descriptors(pid));
        shop.number("select count(*) from s2s.queue") == 0
    });
    // 128 idle ones and 32 in flight at most; PostgreSQL opens a few files.
    assert!(most - before <= 180, "{before} to {most} descriptors");
    wait_for(PATIENCE, "idle connections are closed", || {
        descriptors(pid) < before + 20
    });
    drop(receivers);
}

#[test]
fn without_descriptors_callbacks_wait_and_the_worker_stays() {
    let mut shop = Shop::open(shared_cluster(), "no_descriptors");
    shop.insert([0]);
    shop.wait_until_delivered();
    let pid = wait_for_some(PATIENCE, "a worker", || shop.worker_pid());
    let connected = descriptors(pid);
    wait_for(PATIENCE, "its connection is closed", || {
        descriptors(pid) < connected
    });
    limit_descriptors(pid, descriptors(pid));
    shop.insert(1..=20);
    wait_for(PATIENCE, "the log says so", || {
        shop.cluster.log().contains("no file descriptor is left")
    });
    limit_descriptors(pid, 1024);
    shop.wait_until_delivered();
    assert_eq!(shop.received(), (0..=20).collect::<Vec<_>>());
    assert_eq!(shop.worker_pid(), Some(pid));
    assert_eq!(shop.number("select max(attempts) from s2s.callback"), 1);
}

#[test]
fn slow_servers_of_one_owner_leave_threads_to_those_of_another() {
    let mut shop = Shop::open(shared_cluster(), "slow_owner");
    let slow = Receiver::answering(|_| Answer::Stall);
    // Two that could take all threads, and three hundred that get one callback each.
    shop.sql(&format!(
        "create role slow_owner superuser;
         set role slow_owner;
         do $$ begin
             for n in 1..302 loop
                 execute format($sql$create server slow%s foreign data wrapper postback options (
                     lead_url '{}?tid={{transaction_id}}&c={{click_id}}', allow_http 'true', timeout '2m',
                     max_in_flight '256')$sql$, n);
             end loop;
         end $$;
         select s2s.report_lead('slow' || n % 2 + 1, n::text, 'c') from generate_series(1, 200) n;
         select s2s.report_lead('slow' || n, n::text, 'c') from generate_series(3, 302) n;
         reset role",
        slow.url("/")
    ));
    slow.wait_for(16, PATIENCE);
    shop.insert(1..=50);
    wait_for(PATIENCE, "all of the other owner's are delivered", || {
        shop.receiver.count() == 50
    });
    assert_eq!(slow.count(), 16, "half of the threads");
    shop.sql("do $$ begin for n in 1..302 loop execute format('drop server slow%s', n); end loop; end $$; drop role slow_owner");
}

#[test]
fn large_callbacks_take_bounded_memory() {
    const MOST_KB: i64 = 48 << 10;
    let mut shop = Shop::open(shared_cluster(), "large_callbacks");
    shop.insert([0]);
    shop.wait_until_delivered();
    let pid = wait_for_some(PATIENCE, "a worker", || shop.worker_pid());
    let before = memory(pid.into(), "RssAnon");
    shop.sql(&format!(
        "do $$ begin
             for n in 1..15 loop
                 execute format($sql$create server large%s foreign data wrapper tradetracker options (
                     campaign_id '1', product_id '2', lead_url '{}', allow_http 'true',
                     requests_per_second '1', click_ids 'any')$sql$, n);
             end loop;
         end $$;
         insert into s2s.queue (server, action, transaction_id, click_id, parameters)
         select 'large' || n % 15 + 1, 'lead', n, 'c',
                jsonb_build_object('description_merchant', repeat('x', 60000))
         from generate_series(1, 7500) n;
         select s2s.wake()",
        shop.receiver.url("/large")
    ));
    let mut most = before;
    wait_for(PATIENCE, "the worker is at it", || {
        most = most.max(memory(pid.into(), "RssAnon"));
        shop.receiver.count() > 45
    });
    let grown = most - before;
    println!("{before} kB, {grown} kB more");
    assert!(
        grown < MOST_KB,
        "{grown} kB more for 7,500 callbacks of 60 kB"
    );
    shop.sql("truncate s2s.queue");
}
