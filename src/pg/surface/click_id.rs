//! Click ids: what the type `s2s.click_id` consists of, and what a click id says. Comparison, hashing
//! and output are PostgreSQL's own functions for `bytea` and `text`, since the bytes are the same.

use std::ffi::{CStr, CString};

use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::click_id::{ClickId, Form, TradeTrackerId, network_of};
use crate::pg::error::PgResult;
use crate::pg::sys::click_id::{Received, StoredClickId};

#[pg_extern(sql = false)]
fn click_id_in<'a>(
    text: &'a CStr,
    _element: pg_sys::Oid,
    typmod: i32,
) -> PgResult<StoredClickId<'a>> {
    parse(text, typmod)
}

#[pg_extern(sql = false)]
fn click_id_recv<'a>(
    message: Received<'a>,
    _element: pg_sys::Oid,
    typmod: i32,
) -> PgResult<StoredClickId<'a>> {
    parse(message.0, typmod)
}

fn parse(text: &CStr, typmod: i32) -> PgResult<StoredClickId<'_>> {
    let text = text
        .to_str()
        .map_err(|_| ClickId::not_utf8(text.to_bytes()))?;
    let id = match form_of(typmod) {
        Some(form) => ClickId::parse_as(text, form),
        None => ClickId::parse(text),
    };
    Ok(id?.into())
}

/// The form that a type modifier asks for: its number in [`Form::ALL`], from 1. -1 asks for none.
fn form_of(typmod: i32) -> Option<Form> {
    let index = usize::try_from(typmod).ok()?.checked_sub(1)?;
    Form::ALL.get(index).copied()
}

#[pg_extern(sql = false)]
fn click_id_typmod_in(modifiers: Array<&CStr>) -> PgResult<i32> {
    let names: Vec<_> = modifiers
        .iter()
        .flatten()
        .map(CStr::to_string_lossy)
        .collect();
    let form = Form::from_name(&names.join(","))?;
    let index = Form::ALL.iter().position(|known| *known == form);
    Ok(index.unwrap_or_default() as i32 + 1)
}

#[pg_extern(sql = false)]
fn click_id_typmod_out(typmod: i32) -> CString {
    let text = form_of(typmod).map(|form| format!("({})", form.name()));
    CString::new(text.unwrap_or_default()).unwrap_or_default()
}

/// The cast that PostgreSQL applies when a column has a type modifier.
#[pg_extern(sql = false)]
fn click_id_check_form<'a>(
    id: StoredClickId<'a>,
    typmod: i32,
    _explicit: bool,
) -> PgResult<StoredClickId<'a>> {
    if let Some(form) = form_of(typmod) {
        ClickId::from_stored(id.as_str().into()).check_form(form)?;
    }
    Ok(id)
}

#[pg_extern(sql = false)]
fn network(id: StoredClickId) -> Option<&'static str> {
    network_of(id.as_str()).map(Form::name)
}

#[pg_extern(sql = false)]
fn material_id(id: StoredClickId) -> Option<i64> {
    Some(tradetracker(&id)?.material_id)
}

#[pg_extern(sql = false)]
fn affiliate_id(id: StoredClickId) -> Option<i64> {
    Some(tradetracker(&id)?.affiliate_id)
}

#[pg_extern(sql = false)]
fn reference(id: StoredClickId) -> Option<String> {
    Some(tradetracker(&id)?.reference.to_owned())
}

#[pg_extern(sql = false)]
fn checksum(id: StoredClickId) -> Option<String> {
    Some(tradetracker(&id)?.checksum.to_owned())
}

#[pg_extern(sql = false)]
fn clicked_at(id: StoredClickId) -> Option<TimestampWithTimeZone> {
    const FROM_1970_TO_2000: i64 = 946_684_800;
    let seconds = tradetracker(&id)?.clicked_at - FROM_1970_TO_2000;
    TimestampWithTimeZone::try_from(seconds * 1_000_000).ok()
}

#[pg_extern(sql = false)]
fn checksum_ok(id: StoredClickId, campaign_id: i64) -> Option<bool> {
    tradetracker(&id)?.checksum_ok(campaign_id)
}

fn tradetracker<'a>(id: &'a StoredClickId) -> Option<TradeTrackerId<'a>> {
    TradeTrackerId::parse(id.as_str())
}

#[pg_extern(sql = false)]
fn try_click_id(text: &str) -> Option<StoredClickId<'_>> {
    ClickId::parse(text).ok().map(Into::into)
}

#[pg_extern(sql = false)]
fn try_click_id_of<'a>(text: &'a str, network: &str) -> Option<StoredClickId<'a>> {
    let form = Form::from_name(network).ok()?;
    ClickId::parse_as(text, form).ok().map(Into::into)
}

#[pg_extern(sql = false)]
fn is_click_id(text: &str) -> bool {
    try_click_id(text).is_some()
}

#[pg_extern(sql = false)]
fn is_click_id_of(text: &str, network: &str) -> bool {
    try_click_id_of(text, network).is_some()
}

#[pg_extern(sql = false)]
fn click_id_from_url(url: &str, parameter: &str) -> Option<StoredClickId<'static>> {
    ClickId::in_url(url, parameter).map(Into::into)
}
