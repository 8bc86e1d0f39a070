//! LinkTrust's answers and its tab-delimited files of edits.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{pg_sys, spi};

use crate::callback::{Action, Edit, Parameters, missing};
use crate::delivery::Callback;
use crate::network::Server;
use crate::network::linktrust::answer::TransactionAnswer;
use crate::network::linktrust::bulk_file::{ColumnSet, Line, Writer, read};
use crate::network::linktrust::{EditPage, NETWORK};
use crate::pg::error::{self, PgResult, report_in};
use crate::pg::queue::{self, BulkInsert, NewCallback};
use crate::pg::server;
use crate::pg::sys::result_set::ResultSet;
use crate::pg::sys::transaction::check_may_write;
use crate::problem::{Class, Problem, Quoted};

const EDITS: &str = include_str!("../../../sql/runtime/edits.sql");

#[pg_extern(sql = false)]
fn linktrust_answer(
    xml: &str,
) -> Result<
    TableIterator<
        'static,
        (
            name!(succeeded, bool),
            name!(error_type, Option<String>),
            name!(message, Option<String>),
            name!(transaction_id, Option<String>),
            name!(click_id, Option<String>),
            name!(merchant_reference_id, Option<String>),
            name!(campaign_id, Option<String>),
            name!(affiliate_payout, Option<String>),
            name!(merchant_payout, Option<String>),
            name!(approved, Option<String>),
            name!(reason, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let TransactionAnswer {
        succeeded,
        error_type,
        message,
        supplied,
    } = TransactionAnswer::parse(xml)?;
    let text = |text: String| Some(text).filter(|text| !text.is_empty());
    Ok(TableIterator::once((
        succeeded,
        text(error_type),
        text(message),
        text(supplied.transaction_id),
        text(supplied.click_id),
        text(supplied.merchant_reference_id),
        text(supplied.campaign_id),
        text(supplied.affiliate_payout),
        text(supplied.merchant_payout),
        text(supplied.approved),
        text(supplied.reason),
    )))
}

/// The server's queued edits as a file, in the order of queueing. They stay queued.
///
/// Those that wait, that are retried and that the network refused are all in it: a person who
/// takes the file means to hand them in. Those that cannot be sent, because their values are
/// invalid, cannot be written either; a warning counts them. With an `identification` the others
/// are left out.
///
/// The file holds the password, so it is for the server's owner, who needs no right to the queue
/// for it.
#[pg_extern(sql = false)]
fn linktrust_file(server: Option<&str>, identification: Option<&str>) -> PgResult<String> {
    let chosen = identification.map(ColumnSet::from_parameter).transpose()?;
    let (oid, server, password) = server::find_own(server)?;
    let account = account(&server)?;
    let password = password.ok_or_else(|| server.no_password())?;

    let mut writer = chosen
        .map(|columns| Writer::new(columns, &password))
        .transpose()?;
    let mut left_out = LeftOut::default();
    for_each_edit(&server.name, oid, |id, parameters| {
        let edit = match Edit::parse(parameters, account.campaign_id) {
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
        written.map_err(|problem| report_in(&format!("callback {id}"), problem))
    })?;
    left_out.warn();
    let writer = match writer {
        Some(writer) => writer,
        None => Writer::new(ColumnSet::TransactionId, &password)?,
    };
    Ok(writer.finish())
}

/// The server's LinkTrust account; an error if it is of another network.
fn account(server: &Server) -> Result<&EditPage, Problem> {
    server.account().ok_or_else(|| {
        let (name, network) = (Quoted(&server.name), server.network().name);
        let message = format!("server {name} is of {network}, not of {}", NETWORK.name);
        Problem::new(Class::InvalidParameter, message)
    })
}

/// Invalid edits, which are left out of the file.
#[derive(Default)]
struct LeftOut {
    count: u64,
    first: Option<(i64, Problem)>,
}

impl LeftOut {
    fn add(&mut self, id: i64, problem: Problem) {
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

/// Edits fetched at a time, whatever their size.
const BATCH: std::ffi::c_long = 10;

/// Hands out the id and the content of each edit that is queued for a server, in the order of
/// queueing. It reads with the rights of the queue's owner: the server's may have none of their
/// own.
fn for_each_edit(
    server: &str,
    oid: pg_sys::Oid,
    mut take: impl FnMut(i64, &Parameters) -> PgResult<()>,
) -> PgResult<()> {
    let open = || -> spi::Result<String> {
        Spi::connect(|client| {
            let cursor = client.try_open_cursor(EDITS, &[server.into(), oid.into()])?;
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
                .filter_map(|row| queue::read::callback(&row).transpose())
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
#[pg_extern(sql = false)]
fn linktrust_load(server: Option<&str>, file: Option<&str>, mut rows: ResultSet) -> PgResult<()> {
    check_may_write("linktrust_load()");
    let server = server::find_held(server)?;
    account(&server)?;
    let file = file.ok_or_else(|| missing("file"))?;
    let mut bulk = BulkInsert::default();
    for line in read(file)? {
        pg_sys::check_for_interrupts!();
        let number = i32::try_from(line.number).unwrap_or(i32::MAX);
        bulk.row(|bulk| {
            rows.append(match queue_line(bulk, &server, &line) {
                Ok(id) => (number, Some(id), None),
                Err(problem) => (number, None, Some(problem)),
            });
        });
    }
    bulk.finish();
    Ok(())
}

/// Queues a line's edit if it is valid.
fn queue_line(bulk: &mut BulkInsert, server: &Server, line: &Line) -> Result<i64, String> {
    let parameters = line.edit.as_ref().map_err(Problem::one_line)?;
    server
        .check_parameters(Action::Edit, parameters)
        .map_err(|problem| problem.one_line())?;
    Ok(bulk.add(&NewCallback {
        server: &server.name,
        is_server_gone: false,
        action: Action::Edit,
        parameters,
        problem: None,
    }))
}
