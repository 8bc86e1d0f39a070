//! SQL functions that write and read LinkTrust's tab-delimited files.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{PgMemoryContexts, pg_sys, spi};

use super::error::{self, PgResult, report_in};
use super::queue::{self, Entry};
use super::rows::Rows;
use super::server;
use super::worker::sql;
use crate::callback::{Action, Edit, Invalid, Parameters, Reason};
use crate::delivery::Callback;
use crate::network::linktrust::Account;
use crate::network::linktrust::bulk_file::{ColumnSet, Line, Reasons, Writer, read};
use crate::network::{NoPassword, Server};
use crate::problem::Problem;

/// The server's queued edits as a file, in the order of queueing. They stay queued.
///
/// Those that wait, that are retried and that the network refused are all in it: a person who
/// takes the file means to hand them in. Those that cannot be sent, because their values are
/// invalid, cannot be written either; a warning counts them. With an `identification` the others
/// are left out.
///
/// The file holds the password, so it is for the server's owner, who needs no right to the queue
/// for it.
#[pg_extern(schema = "s2s", stable, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn linktrust_file(
    server: Option<&str>,
    identification: default!(Option<&str>, "NULL"),
) -> PgResult<String> {
    let chosen = identification.map(ColumnSet::from_parameter).transpose()?;
    let server = server::find_own(server)?;
    let account = server::linktrust_account(&server)?;
    let password = server::password(&server.name).ok_or_else(|| NoPassword {
        server: server.name.clone(),
    })?;

    let callbacks = queued_edits(&server.name).map_err(error::spi)?;
    let said: Vec<(i64, Parameters)> = callbacks
        .iter()
        .map(|callback| (callback.id, callback.parameters()))
        .collect();
    let (edits, invalid) = edits(account, &said);
    if let Some((id, problem)) = invalid.first() {
        warn_of_invalid(invalid.len(), *id, problem);
    }
    let is_chosen = |edit: &Edit| chosen.is_none_or(|columns| columns == ColumnSet::of(edit));
    let edits: Vec<&(i64, Edit)> = edits.iter().filter(|(_, edit)| is_chosen(edit)).collect();

    let columns = match (chosen, edits.first()) {
        (Some(columns), _) => columns,
        (None, Some((_, edit))) => ColumnSet::of(edit),
        (None, None) => ColumnSet::TransactionId,
    };
    let reasons = match edits.iter().any(|(_, edit)| !edit.reason.is_empty()) {
        true => Reasons::Written,
        false => Reasons::None,
    };
    let mut writer = Writer::new(columns, reasons, &password)?;
    for (id, edit) in edits {
        writer
            .write(edit)
            .map_err(|problem| report_in(Some(&format!("callback {id}")), &problem))?;
    }
    Ok(writer.finish()?)
}

/// Values, each with the id of its callback.
type ById<T> = Vec<(i64, T)>;

/// The valid edits, and what is wrong with the others.
fn edits<'a>(
    account: &Account,
    said: &'a [(i64, Parameters<'a>)],
) -> (ById<Edit<'a>>, ById<Invalid>) {
    let mut edits = Vec::with_capacity(said.len());
    let mut invalid = Vec::new();
    for (id, said) in said {
        match Edit::parse(said, account.campaign_id) {
            Ok(edit) => edits.push((*id, edit)),
            Err(problem) => invalid.push((*id, problem)),
        }
    }
    (edits, invalid)
}

fn warn_of_invalid(count: usize, id: i64, problem: &Invalid) {
    let message = match count {
        1 => "one queued edit is invalid and not in the file".to_owned(),
        count => format!("{count} queued edits are invalid and not in the file"),
    };
    ErrorReport::new(PgSqlErrorCode::ERRCODE_WARNING, message, "s2s")
        .set_detail(format!(
            "The first is callback {id}: {}.",
            problem.one_line().trim_end_matches('.')
        ))
        .set_hint("s2s.queue holds them; s2s.cancel(id) drops one.")
        .report(PgLogLevel::WARNING);
}

/// Reads them with the rights of the queue's owner: the server's may have none of their own.
fn queued_edits(server: &str) -> spi::Result<Vec<Callback>> {
    queue::as_owner(|| {
        Spi::connect(|client| {
            let rows = client.select(queue::EDITS, None, &[server.into()])?;
            rows.map(|row| sql::read_callback(&row)).collect()
        })
    })
}

/// Queues one edit a line; a row a line says which callback it became, or why none.
#[pg_extern(sql = "
create function s2s.linktrust_load(server text, file text)
    returns table (line integer, callback_id bigint, problem text)
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'linktrust_load_wrapper';
")]
#[allow(unsafe_code)]
fn linktrust_load(
    server: Option<&str>,
    file: Option<&str>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> PgResult<()> {
    let server = server::find(server)?;
    server::linktrust_account(&server)?;
    let file = file.ok_or_else(|| Invalid::new("file", "", Reason::Missing))?;
    let lines = read(file)?;
    // SAFETY: this is the call, of a function that returns a table.
    let mut rows = unsafe { Rows::of_call(fcinfo)? };
    // What a line leaves behind is freed before the next.
    let mut memory = PgMemoryContexts::new("s2s.linktrust_load line");
    for line in lines {
        pg_sys::check_for_interrupts!();
        // SAFETY: the row is of the function's columns. Nothing that was made in the memory of a
        // line outlives it: the queue and the rows copy what they keep.
        unsafe {
            memory.switch_to(|_| {
                let number = i32::try_from(line.number).unwrap_or(i32::MAX);
                let (id, problem) = match queue_line(&server, &line) {
                    Ok(id) => (Some(id), None),
                    Err(problem) => (None, Some(problem)),
                };
                rows.push([number.into_datum(), id.into_datum(), problem.into_datum()]);
            });
            memory.reset();
        }
    }
    Ok(())
}

/// Queues a line's edit if it is valid.
fn queue_line(server: &Server, line: &Line) -> Result<i64, String> {
    let said = line.edit.as_ref().map_err(Problem::one_line)?;
    server
        .url(Action::Edit, said)
        .map_err(|problem| problem.one_line())?;
    Ok(queue::enqueue(&Entry {
        server: &server.name,
        action: Action::Edit,
        said,
        problem: None,
    }))
}
