//! URLs built from arguments alone, and the percent-encoding in them.
// The SQL surface sets the number of arguments.
#![allow(clippy::too_many_arguments)]

use pgrx::datum::JsonB;
use pgrx::prelude::*;

use super::parameters::{parameters, texts};
use crate::callback::{Edit, Fields, Lead, PositiveId, Sale, missing};
use crate::network::linktrust;
use crate::network::postback::template::Template;
use crate::network::secret::Secret;
use crate::network::tradetracker;
use crate::pg::error::PgResult;
use crate::pg::sys::click_id::StoredClickId;
use crate::pg::sys::numeric::NumericText;
use crate::pg::sys::text::{Text, or_empty};
use crate::problem::Problem;
use crate::url::{self, BaseUrl};

#[pg_extern(sql = false)]
fn url_encode(text: &str) -> String {
    url::encode(text).into_owned()
}

#[pg_extern(sql = false)]
fn url_decode(text: &str) -> PgResult<String> {
    Ok(url::decode(text)?.into_owned())
}

#[pg_extern(sql = false)]
fn tradetracker_lead_url(
    campaign_id: Option<i64>,
    product_id: Option<i64>,
    transaction_id: Option<Text<'_>>,
    click_id: Option<StoredClickId<'_>>,
    description_merchant: Option<Text<'_>>,
    description_affiliate: Option<Text<'_>>,
    voucher_code: Option<Text<'_>>,
    tracking_group_id: Option<Text<'_>>,
    base_url: Option<&str>,
) -> PgResult<String> {
    let account = tradetracker_account(campaign_id, product_id, base_url)?;
    let fields = Fields {
        transaction_id: or_empty(transaction_id),
        click_id: click_id.map(Into::into),
        description_merchant: or_empty(description_merchant),
        description_affiliate: or_empty(description_affiliate),
        voucher_code: or_empty(voucher_code),
        tracking_group_id: or_empty(tracking_group_id),
        ..Fields::default()
    };
    Ok(account.lead_url(&Lead::new(fields)?))
}

#[pg_extern(sql = false)]
fn tradetracker_sale_url(
    campaign_id: Option<i64>,
    product_id: Option<i64>,
    transaction_id: Option<Text<'_>>,
    amount: Option<NumericText<'_>>,
    currency: Option<Text<'_>>,
    click_id: Option<StoredClickId<'_>>,
    description_merchant: Option<Text<'_>>,
    description_affiliate: Option<Text<'_>>,
    voucher_code: Option<Text<'_>>,
    tracking_group_id: Option<Text<'_>>,
    base_url: Option<&str>,
) -> PgResult<String> {
    let account = tradetracker_account(campaign_id, product_id, base_url)?;
    let fields = Fields {
        transaction_id: or_empty(transaction_id),
        click_id: click_id.map(Into::into),
        amount: amount.map_or("", |NumericText(text)| text),
        currency: or_empty(currency),
        description_merchant: or_empty(description_merchant),
        description_affiliate: or_empty(description_affiliate),
        voucher_code: or_empty(voucher_code),
        tracking_group_id: or_empty(tracking_group_id),
        product_id: "",
    };
    Ok(account.sale_url(&Sale::new(fields)?))
}

/// An account made of arguments; `base_url` replaces the host of the action asked for.
fn tradetracker_account(
    campaign_id: Option<i64>,
    product_id: Option<i64>,
    base_url: Option<&str>,
) -> PgResult<tradetracker::Campaign> {
    let id = |parameter, number: Option<i64>| match number {
        Some(number) => PositiveId::new(parameter, number),
        None => Err(missing(parameter)),
    };
    let base = base_url.map(|text| own_url("base_url", text)).transpose()?;
    Ok(tradetracker::Campaign {
        campaign_id: id("campaign_id", campaign_id)?,
        product_id: id("product_id", product_id)?,
        tracking_group_id: String::new(),
        lead_url: base.clone().unwrap_or(tradetracker::LEAD_URL),
        sale_url: base.unwrap_or(tradetracker::SALE_URL),
    })
}

fn own_url(parameter: &str, text: &str) -> Result<BaseUrl, Problem> {
    let url = BaseUrl::parse(parameter, text)?;
    url.check_new(parameter)?;
    Ok(url)
}

#[pg_extern(sql = false)]
fn linktrust_edit_url(
    tracking_url: Option<&str>,
    password: Option<&str>,
    transaction_id: Option<Text<'_>>,
    click_id: Option<StoredClickId<'_>>,
    merchant_reference_id: Option<Text<'_>>,
    campaign_id: Option<Text<'_>>,
    approved: Option<bool>,
    affiliate_payout: Option<NumericText<'_>>,
    merchant_payout: Option<NumericText<'_>>,
    execute_affiliate_pixel: Option<bool>,
    reason: Option<Text<'_>>,
) -> PgResult<String> {
    let url = tracking_url.ok_or_else(|| missing("tracking_url"))?;
    let password = password
        .and_then(Secret::new)
        .ok_or_else(|| missing("password"))?;
    let account = linktrust::EditPage::new(own_url("tracking_url", url)?, None);
    let parameters = parameters!(
        transaction_id,
        click_id,
        merchant_reference_id,
        campaign_id,
        approved,
        affiliate_payout,
        merchant_payout,
        execute_affiliate_pixel,
        reason,
    );
    let url = account.edit_url(&Edit::parse(&parameters, None)?);
    Ok(linktrust::EditPage::url_as_sent(&url, &password))
}

#[pg_extern(sql = false)]
fn postback_url(template: &str, parameters: JsonB) -> PgResult<String> {
    let texts = texts(&parameters.0)?;
    Ok(Template::parse("template", template)?.fill(&texts)?)
}
