//! What a server's network is told: as a URL, or queued as a callback without a trigger.
// The SQL surface sets the number of arguments.
#![allow(clippy::too_many_arguments)]

use pgrx::datum::JsonB;
use pgrx::prelude::*;

use super::parameters::{parameters, with_further};
use crate::callback::{Action, Parameters, is_organic};
use crate::network::Server;
use crate::pg::error::PgResult;
use crate::pg::queue::{self, NewCallback};
use crate::pg::server;
use crate::pg::sys::click_id::StoredClickId;
use crate::pg::sys::numeric::NumericText;
use crate::pg::sys::text::Text;

/// Two functions with the same arguments: `$url` returns the URL at the server, `$report` queues the
/// callback and returns its id. `$further` is a JSON object of further parameters.
macro_rules! url_and_report {
    ($action:ident: $url:ident, $report:ident($($name:ident: $type:ty),+) $(, $further:ident)?) => {
        #[pg_extern(sql = false)]
        fn $url(
            server: Option<&str>,
            $($name: Option<$type>,)+
            $($further: Option<JsonB>,)?
        ) -> PgResult<String> {
            let server = server::find(server)?;
            let parameters = parameters!($($name),+);
            $(let parameters = with_further(parameters, &server, Action::$action, &$further)?;)?
            Ok(server.url(Action::$action, &parameters)?)
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

/// Queues what is valid; `None` if a conversion has neither click id nor voucher code.
fn enqueue(server: &Server, action: Action, parameters: &Parameters) -> PgResult<Option<i64>> {
    if action != Action::Edit && is_organic(parameters) {
        return Ok(None);
    }
    server.check_parameters(action, parameters)?;
    Ok(Some(queue::enqueue(&NewCallback {
        server: &server.name,
        is_server_gone: false,
        action,
        parameters,
        problem: None,
    })))
}
