//! SQL functions for edits of transactions, LinkTrust's answers, and postback templates.
// The SQL surface sets the number of arguments.
#![allow(clippy::too_many_arguments)]

use pgrx::datum::JsonB;
use pgrx::prelude::*;

use crate::callback::edit::Edit;
use crate::callback::{Action, Parameters, missing};
use crate::network::linktrust::EditPage;
use crate::network::linktrust::answer::TransactionAnswer;
use crate::network::postback::template::Template;
use crate::network::secret::Secret;
use crate::pg::error::PgResult;
use crate::pg::server;
use crate::pg::surface::click_id::StoredClickId;
use crate::pg::surface::report::queue_one;
use crate::pg::sys::numeric::NumericText;
use crate::url::BaseUrl;

#[pg_extern(schema = "s2s", immutable, parallel_safe)]
fn linktrust_edit_url(
    tracking_url: Option<&str>,
    password: Option<&str>,
    transaction_id: default!(Option<&str>, "NULL"),
    click_id: default!(Option<StoredClickId<'_>>, "NULL"),
    merchant_reference_id: default!(Option<&str>, "NULL"),
    campaign_id: default!(Option<&str>, "NULL"),
    approved: default!(Option<bool>, "NULL"),
    affiliate_payout: default!(Option<NumericText<'_>>, "NULL"),
    merchant_payout: default!(Option<NumericText<'_>>, "NULL"),
    execute_affiliate_pixel: default!(Option<bool>, "NULL"),
    reason: default!(Option<&str>, "NULL"),
) -> PgResult<String> {
    let url = tracking_url.ok_or_else(|| missing("tracking_url"))?;
    let password = password
        .and_then(Secret::new)
        .ok_or_else(|| missing("password"))?;
    let account = EditPage::new(BaseUrl::parse("tracking_url", url)?, None);
    let said = edit(
        transaction_id,
        &click_id,
        merchant_reference_id,
        campaign_id,
        approved,
        affiliate_payout,
        merchant_payout,
        execute_affiliate_pixel,
        reason,
    );
    let url = account.edit_url(&Edit::parse(&said, None)?);
    Ok(EditPage::url_as_sent(&url, &password))
}

#[pg_extern(schema = "s2s", stable, parallel_safe)]
fn edit_url(
    server: Option<&str>,
    transaction_id: default!(Option<&str>, "NULL"),
    click_id: default!(Option<StoredClickId<'_>>, "NULL"),
    merchant_reference_id: default!(Option<&str>, "NULL"),
    campaign_id: default!(Option<&str>, "NULL"),
    approved: default!(Option<bool>, "NULL"),
    affiliate_payout: default!(Option<NumericText<'_>>, "NULL"),
    merchant_payout: default!(Option<NumericText<'_>>, "NULL"),
    execute_affiliate_pixel: default!(Option<bool>, "NULL"),
    reason: default!(Option<&str>, "NULL"),
) -> PgResult<String> {
    let server = server::find(server)?;
    let said = edit(
        transaction_id,
        &click_id,
        merchant_reference_id,
        campaign_id,
        approved,
        affiliate_payout,
        merchant_payout,
        execute_affiliate_pixel,
        reason,
    );
    Ok(server.url(Action::Edit, &said)?)
}

#[pg_extern(schema = "s2s", volatile, parallel_unsafe)]
fn edit_transaction(
    server: Option<&str>,
    transaction_id: default!(Option<&str>, "NULL"),
    click_id: default!(Option<StoredClickId<'_>>, "NULL"),
    merchant_reference_id: default!(Option<&str>, "NULL"),
    campaign_id: default!(Option<&str>, "NULL"),
    approved: default!(Option<bool>, "NULL"),
    affiliate_payout: default!(Option<NumericText<'_>>, "NULL"),
    merchant_payout: default!(Option<NumericText<'_>>, "NULL"),
    execute_affiliate_pixel: default!(Option<bool>, "NULL"),
    reason: default!(Option<&str>, "NULL"),
) -> PgResult<Option<i64>> {
    let server = server::find(server)?;
    let said = edit(
        transaction_id,
        &click_id,
        merchant_reference_id,
        campaign_id,
        approved,
        affiliate_payout,
        merchant_payout,
        execute_affiliate_pixel,
        reason,
    );
    queue_one(&server, Action::Edit, &said)
}

fn edit<'a>(
    transaction_id: Option<&'a str>,
    click_id: &'a Option<StoredClickId<'_>>,
    merchant_reference_id: Option<&'a str>,
    campaign_id: Option<&'a str>,
    approved: Option<bool>,
    affiliate_payout: Option<NumericText<'a>>,
    merchant_payout: Option<NumericText<'a>>,
    execute_affiliate_pixel: Option<bool>,
    reason: Option<&'a str>,
) -> Parameters<'a> {
    let mut said: Parameters = [
        ("transaction_id", transaction_id),
        ("click_id", click_id.as_ref().map(StoredClickId::as_str)),
        ("merchant_reference_id", merchant_reference_id),
        ("campaign_id", campaign_id),
        ("reason", reason),
    ]
    .into_iter()
    .map(|(name, text)| (name, text.unwrap_or_default()))
    .collect();
    let booleans = [
        ("approved", approved),
        ("execute_affiliate_pixel", execute_affiliate_pixel),
    ];
    for (name, value) in booleans {
        if let Some(value) = value {
            said.set(name, if value { "yes" } else { "no" });
        }
    }
    for (name, amount) in [
        ("affiliate_payout", affiliate_payout),
        ("merchant_payout", merchant_payout),
    ] {
        if let Some(NumericText(amount)) = amount {
            said.set(name, amount);
        }
    }
    said
}

#[pg_extern(schema = "s2s", immutable, strict, parallel_safe)]
#[allow(clippy::type_complexity)]
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
    pgrx::pg_sys::panic::ErrorReport,
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

#[pg_extern(schema = "s2s", immutable, strict, parallel_safe)]
fn postback_url(template: &str, parameters: JsonB) -> PgResult<String> {
    let object = crate::pg::surface::report::texts(&parameters.0)?;
    Ok(Template::parse("template", template)?.fill(&object)?)
}
