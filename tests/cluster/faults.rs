//! Crashes, stops, locks and bad answers: nothing is lost, nothing invented.

mod crashes;
pub mod ledger;
mod locks;
mod stops;
mod trust;
