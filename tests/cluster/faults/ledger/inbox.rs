//! The receiver's side of the ledger: every request, and how it is answered.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use oorandom::Rand64;

use super::book::Report;
use crate::support::{Answer, Request};

/// How long the receiver takes to answer, at most.
const ANSWER_MILLIS: u64 = 20;

/// One of so many requests is faulted: few enough that the server is not thought to be broken.
const FAULTED_ONE_IN: u64 = 8;

/// What was received.
pub struct Inbox {
    received: Mutex<Vec<Report>>,
    /// How some requests are answered instead of well.
    fault: Option<fn() -> Answer>,
    faults_some: AtomicBool,
    /// How many requests were answered so.
    faulted: AtomicUsize,
    random: Mutex<Rand64>,
}

impl Inbox {
    /// An empty one, whose receiver can fault requests in this way.
    pub fn new(fault: Option<fn() -> Answer>, seed: u64) -> Inbox {
        Inbox {
            received: Mutex::default(),
            fault,
            faults_some: AtomicBool::new(false),
            faulted: AtomicUsize::new(0),
            random: Mutex::new(Rand64::new(u128::from(seed))),
        }
    }

    /// Keeps a request and says how it is answered.
    pub fn take(&self, request: &Request) -> Answer {
        let number = |name| {
            let value = request.parameter(name).and_then(|text| text.parse().ok());
            value.unwrap_or_else(|| panic!("{name} in {}", request.target))
        };
        let report = Report {
            order: number("tid"),
            step: number("descrMerchant") as i32,
        };
        self.received.lock().expect("the inbox").push(report);
        let mut random = self.random.lock().expect("the receiver's chance");
        match self.fault.filter(|_| self.faults_some.load(SeqCst)) {
            Some(fault) if random.rand_range(0..FAULTED_ONE_IN) == 0 => {
                self.faulted.fetch_add(1, SeqCst);
                fault()
            }
            _ => {
                let time = random.rand_range(0..ANSWER_MILLIS);
                Answer::ok().after(Duration::from_millis(time))
            }
        }
    }

    /// From now on some requests are faulted, or none.
    pub fn fault_some(&self, is_on: bool) {
        self.faults_some.store(is_on, SeqCst);
    }

    /// How many requests were faulted.
    pub fn faulted(&self) -> usize {
        self.faulted.load(SeqCst)
    }

    /// How many requests came.
    pub fn count(&self) -> usize {
        self.received.lock().expect("the inbox").len()
    }

    /// All requests in the order in which they came. Panics if a later step of an order came before
    /// an earlier one's last request.
    pub fn received(&self) -> Vec<Report> {
        let received = self.received.lock().expect("the inbox").clone();
        let mut last_steps = HashMap::new();
        for report in &received {
            let last = last_steps.insert(report.order, report.step);
            assert!(
                last.is_none_or(|last| last <= report.step),
                "{report:?} came after step {last:?}"
            );
        }
        received
    }
}
