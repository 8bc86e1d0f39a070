//! SQL functions that write and read LinkTrust's tab-delimited files.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{pg_sys, spi};

use crate::callback::{Action, Edit, Invalid, Parameters, Reason};
use crate::delivery::Callback;
use crate::network::linktrust::bulk_file::{ColumnSet, Line, Writer, read};
use crate::network::{NoPassword, Server};
use crate::pg::error::{self, PgResult, report_in};
use crate::pg::queue::{self, Bulk, Entry};
use crate::pg::server;
use crate::pg::sys::result_set::Rows;
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

    let mut writer = chosen
        .map(|columns| Writer::new(columns, &password))
        .transpose()?;
    let mut left_out = LeftOut::default();
    for_each_edit(&server.name, |id, said| {
        let edit = match Edit::parse(said, account.campaign_id) {
            Ok(edit) => edit,
            Err(problem) => {
                left_out.add(id, problem);
                return Ok(());
            }
        };
        let columns = ColumnSet::of(&edit);
        if chosen.is_some_and(|chosen| chosen != columns) {
            return Ok(());
        }
        let writer = match &mut writer {
            Some(writer) => writer,
            None => writer.insert(Writer::new(columns, &password)?),
        };
        let written = writer.write(&edit);
        written.map_err(|problem| report_in(&format!("callback {id}"), &problem))
    })?;
    left_out.warn();
    let writer = match writer {
        Some(writer) => writer,
        None => Writer::new(ColumnSet::TransactionId, &password)?,
    };
    Ok(writer.finish())
}

/// Edits that cannot be written since they cannot be sent.
#[derive(Default)]
struct LeftOut {
    count: u64,
    first: Option<(i64, Invalid)>,
}

impl LeftOut {
    fn add(&mut self, id: i64, problem: Invalid) {
        self.count += 1;
        self.first.get_or_insert((id, problem));
    }

    fn warn(&self) {
        let Some((id, problem)) = &self.first else {
            return;
        };
        let message = match self.count {
            1 => "one queued edit is invalid and not in the file".to_owned(),
            count => format!("{count} queued edits are invalid and not in the file"),
        };
        let problem = problem.one_line();
        let problem = problem.trim_end_matches('.');
        ErrorReport::new(PgSqlErrorCode::ERRCODE_WARNING, message, "s2s")
            .set_detail(format!("The first is callback {id}: {problem}."))
            .set_hint("s2s.queue holds them; s2s.cancel(id) drops one.")
            .report(PgLogLevel::WARNING);
    }
}

/// So many edits are in memory at once.
const BATCH: std::ffi::c_long = 1000;

/// Hands out the id and the content of each edit that is queued for a server, in the order of
/// queueing. It reads with the rights of the queue's owner: the server's may have none of their
/// own.
fn for_each_edit(
    server: &str,
    mut take: impl FnMut(i64, &Parameters) -> PgResult<()>,
) -> PgResult<()> {
    let open = || -> spi::Result<String> {
        Spi::connect(|client| {
            let cursor = client.try_open_cursor(queue::EDITS, &[server.into()])?;
            Ok(cursor.detach_into_name())
        })
    };
    let cursor = queue::as_owner(open).map_err(error::spi)?;
    // What a batch takes is freed when its connection ends.
    let fetch = || -> spi::Result<Vec<Callback>> {
        Spi::connect(|client| {
            let mut cursor = client.find_cursor(&cursor)?;
            let callbacks = cursor
                .fetch(BATCH)?
                .map(|row| queue::read::callback(&row))
                .collect::<spi::Result<Vec<_>>>()?;
            if !callbacks.is_empty() {
                cursor.detach_into_name();
            }
            Ok(callbacks)
        })
    };
    loop {
        let callbacks = queue::as_owner(fetch).map_err(error::spi)?;
        if callbacks.is_empty() {
            return Ok(());
        }
        for callback in &callbacks {
            take(callback.id, &callback.parameters())?;
        }
    }
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
    let mut bulk = Bulk::default();
    for line in lines {
        pg_sys::check_for_interrupts!();
        bulk.row(|bulk| {
            let number = i32::try_from(line.number).unwrap_or(i32::MAX);
            let (id, problem) = match queue_line(bulk, &server, &line) {
                Ok(id) => (Some(id), None),
                Err(problem) => (None, Some(problem)),
            };
            // SAFETY: the row is of the function's columns; it is copied.
            unsafe { rows.push([number.into_datum(), id.into_datum(), problem.into_datum()]) }
        });
    }
    bulk.finish();
    Ok(())
}

/// Queues a line's edit if it is valid.
fn queue_line(bulk: &mut Bulk, server: &Server, line: &Line) -> Result<i64, String> {
    let said = line.edit.as_ref().map_err(Problem::one_line)?;
    server
        .check_parameters(Action::Edit, said)
        .map_err(|problem| problem.one_line())?;
    Ok(bulk.add(&Entry {
        server: &server.name,
        action: Action::Edit,
        said,
        problem: None,
    }))
}
