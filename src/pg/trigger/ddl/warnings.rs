//! Warnings of a command, to the client that issues it.
#![forbid(unsafe_code)]

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::pg::error::report_in;
use crate::problem::Problem;

/// Others can have made any number of triggers.
const MOST: usize = 10;

/// The warnings of one command: the first [`MOST`], and how many more there are.
#[derive(Default)]
pub struct Warnings {
    count: usize,
}

impl Warnings {
    /// Warns of a problem with a trigger, which messages name by its description.
    pub fn warn(&mut self, description: &str, problem: Problem) {
        self.count += 1;
        if self.count <= MOST {
            report_in(description, problem).report(PgLogLevel::WARNING);
        }
    }

    /// Says how many there were besides.
    pub fn finish(self) {
        let message = match self.count.saturating_sub(MOST) {
            0 => return,
            1 => "1 more trigger is affected".to_owned(),
            more => format!("{more} more triggers are affected"),
        };
        ErrorReport::new(PgSqlErrorCode::ERRCODE_WARNING, message, "s2s")
            .report(PgLogLevel::WARNING);
    }
}
