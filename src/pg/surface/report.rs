//! What a server's network is told: as a URL, or queued as a callback without a trigger.
// The SQL surface sets the number of arguments.
#![allow(clippy::too_many_arguments)]

use pgrx::datum::JsonB;
use pgrx::prelude::*;

use super::parameters::{parameters, with_further};
use crate::callback::{Action, Parameters, is_organic};
use crate::network::Server;
use crate::pg::error::{PgResult, report_in};
use crate::pg::queue::{self, NewCallback};
use crate::pg::server;
use crate::pg::settings::{OnInvalidRow, on_invalid_call};
use crate::pg::sys::click_id::StoredClickId;
use crate::pg::sys::numeric::NumericText;
use crate::pg::sys::text::Text;
use crate::pg::sys::transaction::check_may_write;

/// Three functions with the same arguments: `$url` returns the URL at the server, `$try_url` the same
/// and NULL for values that have none, `$report` queues the callback and returns its id. `$further` is
/// a JSON object of further parameters.
macro_rules! url_and_report {
    ($action:ident: $url:ident, $try_url:ident, $report:ident($($name:ident: $type:ty),+) $(, $further:ident)?) => {
        #[pg_extern(sql = false)]
        fn $url(
            server: Option<&str>,
            $($name: Option<$type>,)+
            $($further: Option<JsonB>,)?
        ) -> PgResult<String> {
            let server = server::find(server)?;
            let parameters = parameters!($($name),+);
            $(let parameters = with_further(parameters, &server, Action::$action, &$further)?;)?
            let url = server.url(Action::$action, &parameters);
            url.map_err(|problem| report_in(&server.place(&parameters), problem))
        }

        #[pg_extern(sql = false)]
        fn $try_url(
            server: Option<&str>,
            $($name: Option<$type>,)+
            $($further: Option<JsonB>,)?
        ) -> PgResult<Option<String>> {
            let server = server::find(server)?;
            // What the server does not do is no matter of the values.
            server.parameter_names(Action::$action)?;
            let parameters = parameters!($($name),+);
            $(let Ok(parameters) = with_further(parameters, &server, Action::$action, &$further) else {
                return Ok(None);
            };)?
            Ok(server.url(Action::$action, &parameters).ok())
        }

        #[pg_extern(sql = false)]
        fn $report(
            server: Option<&str>,
            $($name: Option<$type>,)+
            $($further: Option<JsonB>,)?
        ) -> PgResult<Option<i64>> {
            let server = server::find_held(server)?;
            let parameters = parameters!($($name),+);
            $(let parameters = with_further(parameters, &server, Action::$action, &$further)?;)?
            enqueue(&server, Action::$action, &parameters)
        }
    };
}

url_and_report!(
    Lead: lead_url,
    try_lead_url,
    report_lead(
        transaction_id: Text<'_>,
        click_id: StoredClickId<'_>,
        description_merchant: Text<'_>,
        description_affiliate: Text<'_>,
        voucher_code: Text<'_>,
        product_id: i64,
        tracking_group_id: Text<'_>
    ),
    further
);

url_and_report!(
    Sale: sale_url,
    try_sale_url,
    report_sale(
        transaction_id: Text<'_>,
        amount: NumericText<'_>,
        currency: Text<'_>,
        click_id: StoredClickId<'_>,
        description_merchant: Text<'_>,
        description_affiliate: Text<'_>,
        voucher_code: Text<'_>,
        product_id: i64,
        tracking_group_id: Text<'_>
    ),
    further
);

url_and_report!(
    Edit: edit_url,
    try_edit_url,
    edit_transaction(
        transaction_id: Text<'_>,
        click_id: StoredClickId<'_>,
        merchant_reference_id: Text<'_>,
        campaign_id: Text<'_>,
        approved: bool,
        affiliate_payout: NumericText<'_>,
        merchant_payout: NumericText<'_>,
        execute_affiliate_pixel: bool,
        reason: Text<'_>
    )
);

/// Queues what is valid; `None` if a conversion has neither click id nor voucher code. What is
/// invalid is an error, or parked if `s2s.on_invalid_row` was set to that.
fn enqueue(server: &Server, action: Action, parameters: &Parameters) -> PgResult<Option<i64>> {
    let name = format!("{}()", action.function());
    check_may_write(&name);
    if action != Action::Edit && is_organic(parameters) {
        return Ok(None);
    }
    let callback = NewCallback {
        server: &server.name,
        is_server_gone: false,
        action,
        parameters,
        problem: None,
    };
    let in_place = |problem| report_in(&server.place(parameters), problem);
    server.parameter_names(action)?;
    let id = match server.check_parameters(action, parameters) {
        Ok(()) => queue::enqueue(&callback),
        Err(problem) if on_invalid_call() == OnInvalidRow::Park => {
            queue::park(&name, &callback, problem, queue::enqueue)
        }
        Err(problem) => return Err(in_place(problem)),
    };
    Ok(Some(id))
}
