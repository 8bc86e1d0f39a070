//! SQL functions that build callback URLs and those that queue callbacks without a trigger.
//!
//! The first kind takes everything as arguments and is immutable; the second takes a server's
//! name. Both say the same parameters to the same pure code.
// The SQL surface sets the number of arguments.
#![allow(clippy::too_many_arguments)]

use pgrx::datum::JsonB;
use pgrx::prelude::*;

use crate::callback::{Action, Fields, Lead, Parameters, PositiveId, Sale, is_organic, missing};
use crate::mapping::unknown_parameter;
use crate::network::{Server, tradetracker};
use crate::pg::error::PgResult;
use crate::pg::queue::{self, NewCallback};
use crate::pg::server;
use crate::pg::surface::click_id::StoredClickId;
use crate::pg::sys::numeric::NumericText;
use crate::pg::sys::text::{Text, or_empty};
use crate::problem::{Class, Problem, Quoted};
use crate::url::{self, BaseUrl};

#[pg_extern(schema = "s2s", immutable, strict, parallel_safe)]
fn url_encode(text: &str) -> String {
    url::encode(text).into_owned()
}

#[pg_extern(schema = "s2s", immutable, strict, parallel_safe)]
fn url_decode(text: &str) -> PgResult<String> {
    Ok(url::decode(text)?.into_owned())
}

#[pg_extern(schema = "s2s", immutable, parallel_safe)]
fn tradetracker_lead_url(
    campaign_id: Option<i64>,
    product_id: Option<i64>,
    transaction_id: Option<Text<'_>>,
    click_id: Option<StoredClickId<'_>>,
    description_merchant: default!(Option<Text<'_>>, "NULL"),
    description_affiliate: default!(Option<Text<'_>>, "NULL"),
    voucher_code: default!(Option<Text<'_>>, "NULL"),
    tracking_group_id: default!(Option<Text<'_>>, "NULL"),
    base_url: default!(Option<&str>, "NULL"),
) -> PgResult<String> {
    let account = tradetracker_account(campaign_id, product_id, base_url)?;
    let fields = conversion(
        transaction_id,
        click_id,
        description_merchant,
        description_affiliate,
        voucher_code,
        tracking_group_id,
    );
    Ok(account.lead_url(&Lead::new(fields)?))
}

#[pg_extern(schema = "s2s", immutable, parallel_safe)]
fn tradetracker_sale_url(
    campaign_id: Option<i64>,
    product_id: Option<i64>,
    transaction_id: Option<Text<'_>>,
    amount: Option<NumericText<'_>>,
    currency: Option<Text<'_>>,
    click_id: Option<StoredClickId<'_>>,
    description_merchant: default!(Option<Text<'_>>, "NULL"),
    description_affiliate: default!(Option<Text<'_>>, "NULL"),
    voucher_code: default!(Option<Text<'_>>, "NULL"),
    tracking_group_id: default!(Option<Text<'_>>, "NULL"),
    base_url: default!(Option<&str>, "NULL"),
) -> PgResult<String> {
    let account = tradetracker_account(campaign_id, product_id, base_url)?;
    let mut fields = conversion(
        transaction_id,
        click_id,
        description_merchant,
        description_affiliate,
        voucher_code,
        tracking_group_id,
    );
    set_price(&mut fields, amount, currency);
    Ok(account.sale_url(&Sale::new(fields)?))
}

/// An account made of arguments; `base_url` serves the action that is asked for.
fn tradetracker_account(
    campaign_id: Option<i64>,
    product_id: Option<i64>,
    base_url: Option<&str>,
) -> PgResult<tradetracker::Campaign> {
    let id = |parameter, number: Option<i64>| match number {
        Some(number) => PositiveId::new(parameter, number),
        None => Err(missing(parameter)),
    };
    let base = base_url
        .map(|text| BaseUrl::parse("base_url", text))
        .transpose()?;
    Ok(tradetracker::Campaign {
        campaign_id: id("campaign_id", campaign_id)?,
        product_id: id("product_id", product_id)?,
        tracking_group_id: String::new(),
        lead_url: base.clone().unwrap_or(tradetracker::LEAD_URL),
        sale_url: base.unwrap_or(tradetracker::SALE_URL),
    })
}

#[pg_extern(schema = "s2s", stable, parallel_safe)]
fn lead_url(
    server: Option<&str>,
    transaction_id: Option<Text<'_>>,
    click_id: default!(Option<StoredClickId<'_>>, "NULL"),
    description_merchant: default!(Option<Text<'_>>, "NULL"),
    description_affiliate: default!(Option<Text<'_>>, "NULL"),
    voucher_code: default!(Option<Text<'_>>, "NULL"),
    product_id: default!(Option<i64>, "NULL"),
    tracking_group_id: default!(Option<Text<'_>>, "NULL"),
    parameters: default!(Option<JsonB>, "NULL"),
) -> PgResult<String> {
    let server = server::find(server)?;
    let fields = conversion(
        transaction_id,
        click_id,
        description_merchant,
        description_affiliate,
        voucher_code,
        tracking_group_id,
    );
    let mut said = Parameters::from(fields);
    set_further(&mut said, &server, Action::Lead, product_id, &parameters)?;
    Ok(server.url(Action::Lead, &said)?)
}

#[pg_extern(schema = "s2s", stable, parallel_safe)]
fn sale_url(
    server: Option<&str>,
    transaction_id: Option<Text<'_>>,
    amount: Option<NumericText<'_>>,
    currency: Option<Text<'_>>,
    click_id: default!(Option<StoredClickId<'_>>, "NULL"),
    description_merchant: default!(Option<Text<'_>>, "NULL"),
    description_affiliate: default!(Option<Text<'_>>, "NULL"),
    voucher_code: default!(Option<Text<'_>>, "NULL"),
    product_id: default!(Option<i64>, "NULL"),
    tracking_group_id: default!(Option<Text<'_>>, "NULL"),
    parameters: default!(Option<JsonB>, "NULL"),
) -> PgResult<String> {
    let server = server::find(server)?;
    let mut fields = conversion(
        transaction_id,
        click_id,
        description_merchant,
        description_affiliate,
        voucher_code,
        tracking_group_id,
    );
    set_price(&mut fields, amount, currency);
    let mut said = Parameters::from(fields);
    set_further(&mut said, &server, Action::Sale, product_id, &parameters)?;
    Ok(server.url(Action::Sale, &said)?)
}

#[pg_extern(schema = "s2s", volatile, parallel_unsafe)]
fn report_lead(
    server: Option<&str>,
    transaction_id: Option<Text<'_>>,
    click_id: default!(Option<StoredClickId<'_>>, "NULL"),
    description_merchant: default!(Option<Text<'_>>, "NULL"),
    description_affiliate: default!(Option<Text<'_>>, "NULL"),
    voucher_code: default!(Option<Text<'_>>, "NULL"),
    product_id: default!(Option<i64>, "NULL"),
    tracking_group_id: default!(Option<Text<'_>>, "NULL"),
    parameters: default!(Option<JsonB>, "NULL"),
) -> PgResult<Option<i64>> {
    let server = server::find(server)?;
    let fields = conversion(
        transaction_id,
        click_id,
        description_merchant,
        description_affiliate,
        voucher_code,
        tracking_group_id,
    );
    let mut said = Parameters::from(fields);
    set_further(&mut said, &server, Action::Lead, product_id, &parameters)?;
    queue_one(&server, Action::Lead, &said)
}

#[pg_extern(schema = "s2s", volatile, parallel_unsafe)]
fn report_sale(
    server: Option<&str>,
    transaction_id: Option<Text<'_>>,
    amount: Option<NumericText<'_>>,
    currency: Option<Text<'_>>,
    click_id: default!(Option<StoredClickId<'_>>, "NULL"),
    description_merchant: default!(Option<Text<'_>>, "NULL"),
    description_affiliate: default!(Option<Text<'_>>, "NULL"),
    voucher_code: default!(Option<Text<'_>>, "NULL"),
    product_id: default!(Option<i64>, "NULL"),
    tracking_group_id: default!(Option<Text<'_>>, "NULL"),
    parameters: default!(Option<JsonB>, "NULL"),
) -> PgResult<Option<i64>> {
    let server = server::find(server)?;
    let mut fields = conversion(
        transaction_id,
        click_id,
        description_merchant,
        description_affiliate,
        voucher_code,
        tracking_group_id,
    );
    set_price(&mut fields, amount, currency);
    let mut said = Parameters::from(fields);
    set_further(&mut said, &server, Action::Sale, product_id, &parameters)?;
    queue_one(&server, Action::Sale, &said)
}

/// Queues what is valid; returns the callback's id, or `None` if there is nobody to credit.
pub fn queue_one(server: &Server, action: Action, said: &Parameters) -> PgResult<Option<i64>> {
    if action != Action::Edit && is_organic(said) {
        return Ok(None);
    }
    server.check_parameters(action, said)?;
    Ok(Some(queue::enqueue(&NewCallback {
        server: &server.name,
        action,
        parameters: said,
        problem: None,
    })))
}

fn conversion<'a>(
    transaction_id: Option<Text<'a>>,
    click_id: Option<StoredClickId<'a>>,
    description_merchant: Option<Text<'a>>,
    description_affiliate: Option<Text<'a>>,
    voucher_code: Option<Text<'a>>,
    tracking_group_id: Option<Text<'a>>,
) -> Fields<'a> {
    Fields {
        transaction_id: or_empty(transaction_id),
        click_id: click_id.map(Into::into),
        description_merchant: or_empty(description_merchant),
        description_affiliate: or_empty(description_affiliate),
        voucher_code: or_empty(voucher_code),
        tracking_group_id: or_empty(tracking_group_id),
        ..Fields::default()
    }
}

fn set_price<'a>(
    fields: &mut Fields<'a>,
    amount: Option<NumericText<'a>>,
    currency: Option<Text<'a>>,
) {
    fields.amount = amount.map_or("", |NumericText(text)| text);
    fields.currency = or_empty(currency);
}

/// Sets the product and what `parameters` holds, if the network knows the names.
fn set_further<'a>(
    said: &mut Parameters<'a>,
    server: &Server,
    action: Action,
    product_id: Option<i64>,
    parameters: &'a Option<JsonB>,
) -> PgResult<()> {
    let names = server.parameter_names(action)?;
    if let Some(number) = product_id {
        said.set("product_id", number.to_string());
    }
    let Some(JsonB(json)) = parameters else {
        return Ok(());
    };
    for (name, text) in texts(json)? {
        if !names.open && !names.known.contains(&name) {
            return Err(unknown_parameter(name, names).into());
        }
        if !said.get(name).is_empty() {
            let message = format!("parameter {} is given twice", Quoted(name));
            return Err(Problem::new(Class::InvalidParameter, message).into());
        }
        said.set(name, text);
    }
    Ok(())
}

/// Names and texts of a JSON object; null is no text.
pub fn texts(json: &serde_json::Value) -> PgResult<Vec<(&str, String)>> {
    let Some(object) = json.as_object() else {
        let message = "parameters is not a JSON object";
        return Err(Problem::new(Class::InvalidParameter, message).into());
    };
    let mut texts = Vec::with_capacity(object.len());
    for (name, value) in object {
        let text = match value {
            serde_json::Value::Null => String::new(),
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Number(number) => number.to_string(),
            serde_json::Value::Bool(boolean) => boolean.to_string(),
            _ => {
                let message = format!("parameter {} is not a text", Quoted(name));
                return Err(Problem::new(Class::InvalidParameter, message).into());
            }
        };
        texts.push((name.as_str(), text));
    }
    Ok(texts)
}
