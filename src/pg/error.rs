//! Problems as PostgreSQL reports them: SQLSTATE, message, DETAIL, HINT.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::pg::sys::session;
use crate::problem::{Class, Problem};

/// What `#[pg_extern]` functions return.
pub type PgResult<T> = Result<T, ErrorReport>;

impl From<Problem> for ErrorReport {
    fn from(problem: Problem) -> ErrorReport {
        let message = problem.to_string();
        let Problem {
            class,
            detail,
            hint,
            ..
        } = problem;
        let mut report = ErrorReport::new(sqlstate(class), message, "s2s");
        if let Some(detail) = detail {
            report = report.set_detail(detail);
        }
        if let Some(hint) = hint {
            report = report.set_hint(hint);
        }
        report
    }
}

/// The report of a problem in something that has a name: `trigger "x": unknown parameter …`.
pub fn report_in(name: &str, problem: Problem) -> ErrorReport {
    problem.within(name).into()
}

/// Refuses what an object of an earlier version may have and a new one may not. A dump of such an object
/// is restored, with a warning.
pub fn refuse_new(checked: Result<(), ErrorReport>) -> PgResult<()> {
    match checked {
        Err(report) if session::is_restore() => {
            report.report(PgLogLevel::WARNING);
            Ok(())
        }
        checked => checked,
    }
}

fn sqlstate(class: Class) -> PgSqlErrorCode {
    match class {
        Class::InvalidText => PgSqlErrorCode::ERRCODE_INVALID_TEXT_REPRESENTATION,
        Class::InvalidParameter => PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
        Class::InvalidOptionName => PgSqlErrorCode::ERRCODE_FDW_INVALID_OPTION_NAME,
        Class::UndefinedColumn => PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN,
        Class::DatatypeMismatch => PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH,
        Class::UndefinedObject => PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
        Class::InsufficientPrivilege => PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        Class::LimitExceeded => PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        Class::InvalidDefinition => PgSqlErrorCode::ERRCODE_INVALID_OBJECT_DEFINITION,
    }
}

/// A failure of the SPI, which only a defect of ours can cause.
pub fn spi(error: pgrx::spi::Error) -> ErrorReport {
    ErrorReport::new(
        PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
        error.to_string(),
        "s2s",
    )
}
