//! `make soak`: many rounds of every fault of the ledger test, and what came of them as the table
//! that stands in the manual.
//!
//! `ROUNDS` of each fault (10), from `SEED` on (chance), those whose name contains `ONLY`.

#[path = "../cluster"]
mod cluster {
    pub mod ledger;
}
#[path = "../support/mod.rs"]
mod support;

fn main() {}
