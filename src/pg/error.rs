//! Problems as PostgreSQL reports them: SQLSTATE, message, DETAIL, HINT.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::callback::Invalid;
use crate::click_id::{ClickIdError, UnknownForm};
use crate::mapping::MappingError;
use crate::network::linktrust::answer::Unreadable;
use crate::network::linktrust::bulk_file::{BadHeader, UnknownIdentification, Unwritable};
use crate::network::options::OptionError;
use crate::network::postback::template::{TemplateError, Unfilled};
use crate::network::{NoPassword, NoSuchAction, Unsendable};
use crate::problem::{Class, Problem};
use crate::url::{BaseUrlError, DecodeError};

/// What `#[pg_extern]` functions return.
pub type PgResult<T> = Result<T, ErrorReport>;

/// The report of a problem.
pub fn report(problem: &dyn Problem) -> ErrorReport {
    with_message(problem.to_string(), problem)
}

/// The report of a problem in something that has a name: `trigger "x": unknown parameter …`.
pub fn report_in(place: &str, problem: &dyn Problem) -> ErrorReport {
    with_message(format!("{place}: {problem}"), problem)
}

fn with_message(message: String, problem: &dyn Problem) -> ErrorReport {
    let mut report = ErrorReport::new(sqlstate(problem.class()), message, "s2s");
    if let Some(detail) = problem.detail() {
        report = report.set_detail(detail);
    }
    if let Some(hint) = problem.hint() {
        report = report.set_hint(hint);
    }
    report
}

fn sqlstate(class: Class) -> PgSqlErrorCode {
    match class {
        Class::InvalidText => PgSqlErrorCode::ERRCODE_INVALID_TEXT_REPRESENTATION,
        Class::InvalidParameter => PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
        Class::InvalidOptionName => PgSqlErrorCode::ERRCODE_FDW_INVALID_OPTION_NAME,
        Class::UndefinedColumn => PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN,
        Class::UndefinedObject => PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
        Class::InsufficientPrivilege => PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        Class::InvalidDefinition => PgSqlErrorCode::ERRCODE_INVALID_OBJECT_DEFINITION,
    }
}

macro_rules! report_problems {
    ($($problem:ty),+ $(,)?) => {
        $(impl From<$problem> for ErrorReport {
            fn from(problem: $problem) -> ErrorReport {
                report(&problem)
            }
        })+
    };
}

report_problems!(
    BadHeader,
    BaseUrlError,
    ClickIdError,
    DecodeError,
    Invalid,
    MappingError,
    NoPassword,
    NoSuchAction,
    OptionError,
    TemplateError,
    Unfilled,
    UnknownForm,
    UnknownIdentification,
    Unreadable,
    Unsendable,
    Unwritable,
);

/// A failure of the SPI, which only a defect of ours can cause.
pub fn spi(error: pgrx::spi::Error) -> ErrorReport {
    ErrorReport::new(
        PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
        error.to_string(),
        "s2s",
    )
}
