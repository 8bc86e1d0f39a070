//! What the Rust programs share: the click ids of `shop.sql`, and how a case is reported.

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};

pub const A: &str = "0::12345::a::::1405418672";
pub const B: &str = "0::12345::b::::1405418672";

/// How one try of a case went.
pub type Outcome = Result<(), Box<dyn Error>>;

/// A click id that is in no table yet.
pub fn fresh() -> String {
    static NUMBER: AtomicUsize = AtomicUsize::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("0::12345::fresh{number}::::1405418672")
}

/// An error unless what was found is what was expected.
pub fn same<T: PartialEq + std::fmt::Debug>(found: T, expected: T) -> Outcome {
    if found == expected {
        return Ok(());
    }
    Err(format!("{found:?} is not {expected:?}").into())
}

/// The version of a package in `Cargo.lock`, which cargo has compiled.
pub fn version_of(package: &str) -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let name = format!("name = \"{package}\"\nversion = \"");
    let (_, rest) = lock.split_once(&name).expect("a package of Cargo.lock");
    rest.split('"').next().expect("a version")
}

/// Prints the line of a case. What was tried comes with what it needed, nothing if it was as it is.
pub fn report(case: &str, tries: &[(&str, Outcome)]) {
    for (need, outcome) in tries {
        match outcome {
            Ok(()) if need.is_empty() => return println!("{case}\tok"),
            Ok(()) => return println!("{case}\tneeds {need}"),
            Err(error) if need.is_empty() => eprintln!("{case}, as it is: {error:?}"),
            Err(error) => eprintln!("{case}, {need}: {error:?}"),
        }
    }
    let nothing_to_try = tries.is_empty();
    println!("{case}\t{}", if nothing_to_try { "none" } else { "fails" });
}
