//! The SQL type `s2s.click_id`: stored like `text`, validated where it comes in.
//!
//! `sql/click_id.sql` declares the type; comparing, hashing and output are PostgreSQL's own
//! functions for `bytea` and `text`, since the bytes are the same.

use std::borrow::Cow;
use std::ffi::CStr;

use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::datum::Datum;
use pgrx::nullable::Nullable;
use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::click_id::{ClickId, Form, TradeTrackerId, network_of};
use crate::pg::error::PgResult;
use crate::pg::sys::text::Text;
use crate::problem::Problem;
use crate::url::query_parameter;

/// A value of the SQL type `s2s.click_id`.
pub struct StoredClickId<'a>(Cow<'a, str>);

impl StoredClickId<'_> {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn tradetracker(&self) -> Option<TradeTrackerId<'_>> {
        TradeTrackerId::parse(&self.0)
    }
}

impl<'a> From<ClickId<'a>> for StoredClickId<'a> {
    fn from(id: ClickId<'a>) -> StoredClickId<'a> {
        StoredClickId(id.into_text())
    }
}

impl<'a> From<StoredClickId<'a>> for ClickId<'a> {
    fn from(id: StoredClickId<'a>) -> ClickId<'a> {
        ClickId::from_stored(id.0)
    }
}

pgrx::impl_sql_translatable!(StoredClickId<'_>, "s2s.click_id");

// SAFETY: a click_id is a varlena whose bytes are UTF-8 text, as those of `text` are.
#[allow(unsafe_code)]
unsafe impl<'fcx> ArgAbi<'fcx> for StoredClickId<'fcx> {
    #[inline]
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: the caller says that the argument is there; it is as `Text` expects it.
        StoredClickId(Cow::Borrowed(unsafe { Text::unbox_arg_unchecked(arg) }.0))
    }

    #[inline]
    unsafe fn unbox_nullable_arg(arg: Arg<'_, 'fcx>) -> Nullable<Self> {
        // SAFETY: as above, and NULL is allowed.
        match unsafe { Text::unbox_nullable_arg(arg) } {
            Nullable::Valid(Text(text)) => Nullable::Valid(StoredClickId(Cow::Borrowed(text))),
            Nullable::Null => Nullable::Null,
        }
    }
}

// SAFETY: the Datum made is that of a `text`, which has the form of a click_id.
#[allow(unsafe_code)]
unsafe impl BoxRet for StoredClickId<'_> {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        // SAFETY: the caller returns the Datum.
        unsafe { self.0.as_ref().box_into(fcinfo) }
    }
}

/// A type modifier: -1 or the number of a [`Form`], from 1.
fn form_of(typmod: i32) -> Option<Form> {
    let place = usize::try_from(typmod).ok()?.checked_sub(1)?;
    Form::ALL.get(place).copied()
}

fn parse(text: &str, typmod: i32) -> Result<ClickId<'_>, Problem> {
    match form_of(typmod) {
        Some(form) => ClickId::parse_as(text, form),
        None => ClickId::parse(text),
    }
}

#[pg_extern(sql = false)]
fn click_id_in<'a>(
    text: &'a CStr,
    _element: pg_sys::Oid,
    typmod: i32,
) -> PgResult<StoredClickId<'a>> {
    let text = text
        .to_str()
        .map_err(|_| ClickId::not_utf8(text.to_bytes()))?;
    Ok(parse(text, typmod)?.into())
}

#[pg_extern(sql = false)]
#[allow(unsafe_code)]
fn click_id_recv(
    mut message: pgrx::datum::Internal,
    _element: pg_sys::Oid,
    typmod: i32,
) -> PgResult<StoredClickId<'static>> {
    // SAFETY: PostgreSQL calls a receive function with a StringInfo as its `internal` argument;
    // pq_getmsgtext returns a palloc'ed C string and checks the bytes against the encoding.
    let text = unsafe {
        let buffer = message
            .get_mut::<pg_sys::StringInfoData>()
            .ok_or_else(|| ClickId::not_utf8(&[]))?;
        let mut length = 0;
        let text = pg_sys::pq_getmsgtext(buffer, buffer.len - buffer.cursor, &mut length);
        CStr::from_ptr(text)
    };
    let text = text
        .to_str()
        .map_err(|_| ClickId::not_utf8(text.to_bytes()))?;
    Ok(StoredClickId(Cow::Owned(
        parse(text, typmod)?.into_text().into_owned(),
    )))
}

#[pg_extern(sql = false)]
fn click_id_typmod_in(modifiers: Array<&CStr>) -> PgResult<i32> {
    let names: Vec<_> = modifiers
        .iter()
        .flatten()
        .map(CStr::to_string_lossy)
        .collect();
    let form = Form::from_name(&names.join(","))?;
    let place = Form::ALL
        .iter()
        .position(|known| *known == form)
        .unwrap_or_default();
    Ok(place as i32 + 1)
}

#[pg_extern(sql = false)]
fn click_id_typmod_out(typmod: i32) -> std::ffi::CString {
    let text = form_of(typmod)
        .map(|form| format!("({})", form.name()))
        .unwrap_or_default();
    std::ffi::CString::new(text).unwrap_or_default()
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

#[pg_extern(schema = "s2s", immutable, strict, parallel_safe)]
fn network(id: StoredClickId) -> Option<&'static str> {
    network_of(id.as_str()).map(Form::name)
}

#[pg_extern(schema = "s2s", immutable, strict, parallel_safe)]
fn material_id(id: StoredClickId) -> Option<i64> {
    Some(id.tradetracker()?.material_id)
}

#[pg_extern(schema = "s2s", immutable, strict, parallel_safe)]
fn affiliate_id(id: StoredClickId) -> Option<i64> {
    Some(id.tradetracker()?.affiliate_id)
}

#[pg_extern(schema = "s2s", immutable, strict, parallel_safe)]
fn reference(id: StoredClickId) -> Option<String> {
    Some(id.tradetracker()?.reference.to_owned())
}

#[pg_extern(schema = "s2s", immutable, strict, parallel_safe)]
fn checksum(id: StoredClickId) -> Option<String> {
    Some(id.tradetracker()?.checksum.to_owned())
}

#[pg_extern(schema = "s2s", immutable, strict, parallel_safe)]
fn clicked_at(id: StoredClickId) -> Option<TimestampWithTimeZone> {
    const FROM_1970_TO_2000: i64 = 946_684_800;
    let seconds = id.tradetracker()?.clicked_at - FROM_1970_TO_2000;
    TimestampWithTimeZone::try_from(seconds * 1_000_000).ok()
}

#[pg_extern(schema = "s2s", immutable, strict, parallel_safe)]
fn checksum_ok(id: StoredClickId, campaign_id: i64) -> Option<bool> {
    id.tradetracker()?.checksum_ok(campaign_id)
}

#[pg_extern(schema = "s2s", immutable, strict, parallel_safe)]
fn is_click_id(text: &str) -> bool {
    ClickId::parse(text).is_ok()
}

#[pg_extern(schema = "s2s", name = "is_click_id", immutable, strict, parallel_safe)]
fn is_click_id_of(text: &str, network: &str) -> bool {
    Form::from_name(network).is_ok_and(|form| ClickId::parse_as(text, form).is_ok())
}

#[pg_extern(schema = "s2s", immutable, strict, parallel_safe)]
fn click_id_from_url(url: &str, parameter: &str) -> PgResult<Option<StoredClickId<'static>>> {
    match query_parameter(url, parameter)? {
        Some(value) if !value.is_empty() => {
            let id = ClickId::parse(&value)?;
            Ok(Some(StoredClickId(Cow::Owned(id.as_str().to_owned()))))
        }
        _ => Ok(None),
    }
}
