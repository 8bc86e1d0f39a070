//! The writers' side of the ledger: what they changed, and what they know became of it.

use std::collections::{BTreeMap, HashMap};

/// Something that is reported: a step of an order. Inserting the order is step 1, each update is
/// the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Report {
    /// The order's number, unique in a round: the transaction id.
    pub order: i64,
    /// Its step: the description.
    pub step: i32,
}

/// What a writer knows became of what it wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The server said so.
    Committed,
    /// The server said so, or was never asked to commit.
    RolledBack,
    /// The fault swallowed the answer.
    Unknown,
}

/// What all writers of a round wrote.
#[derive(Debug, Default)]
pub struct Book {
    fates: BTreeMap<Report, Fate>,
    /// What was written in transactions that were prepared and may still be, by their names.
    prepared: HashMap<String, Vec<Report>>,
}

impl Book {
    /// Notes what became of reports, or what it turned out to be.
    pub fn note(&mut self, reports: &[Report], fate: Fate) {
        self.fates
            .extend(reports.iter().map(|report| (*report, fate)));
    }

    /// Notes reports whose transaction may be left prepared.
    pub fn note_prepared(&mut self, name: String, reports: &[Report]) {
        self.note(reports, Fate::Unknown);
        self.prepared.insert(name, reports.to_vec());
    }

    /// Notes what became of a transaction that was left prepared.
    pub fn resolve(&mut self, name: &str, fate: Fate) {
        let reports = self.prepared.remove(name).unwrap_or_default();
        assert!(
            !reports.is_empty(),
            "nobody is known to have prepared {name}"
        );
        self.note(&reports, fate);
    }

    /// All reports that are in the table for good, which has orders with their last steps.
    /// Panics if the table differs from what the writers know.
    pub fn committed(&self, table: &HashMap<i64, i32>) -> Vec<Report> {
        let is_there = |report: &Report| {
            table
                .get(&report.order)
                .is_some_and(|step| report.step <= *step)
        };
        for (report, fate) in &self.fates {
            match fate {
                Fate::Committed => assert!(is_there(report), "{report:?} is not in the table"),
                Fate::RolledBack => assert!(!is_there(report), "{report:?} is in the table"),
                Fate::Unknown => {}
            }
        }
        self.fates.keys().copied().filter(is_there).collect()
    }
}
