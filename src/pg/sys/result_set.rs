//! The rows of a function that returns a table, kept by PostgreSQL: in memory up to `work_mem`,
//! then on disk.
//!
//! A function that acts uses it so that it has done all of its work when it returns. One that
//! hands out a row a call stops working where its caller stops reading: `select f() limit 1`.

use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// A result under construction.
pub struct Rows {
    store: *mut pg_sys::Tuplestorestate,
    descriptor: pg_sys::TupleDesc,
}

impl Rows {
    /// Makes an empty set the result of the current call.
    ///
    /// # Safety
    ///
    /// `fcinfo` is that of the current call, of a function that returns a table.
    #[allow(unsafe_code)]
    pub unsafe fn of_call(fcinfo: pg_sys::FunctionCallInfo) -> Result<Rows, ErrorReport> {
        // SAFETY: `resultinfo` is looked at only if it is a ReturnSetInfo. The store and the
        // descriptor live as long as the query, which reads them after the call.
        unsafe {
            let info = (*fcinfo).resultinfo.cast::<pg_sys::ReturnSetInfo>();
            if info.is_null() || (*info).type_ != pg_sys::NodeTag::T_ReturnSetInfo {
                return Err(not_supported());
            }
            let modes = (*info).allowedModes as u32;
            if modes & pg_sys::SetFunctionReturnMode::SFRM_Materialize == 0 {
                return Err(not_supported());
            }
            let memory = (*(*info).econtext).ecxt_per_query_memory;
            let before = pg_sys::MemoryContextSwitchTo(memory);
            let mut descriptor = std::ptr::null_mut();
            let class = pg_sys::get_call_result_type(fcinfo, std::ptr::null_mut(), &mut descriptor);
            let rows = (class == pg_sys::TypeFuncClass::TYPEFUNC_COMPOSITE).then(|| Rows {
                store: pg_sys::tuplestore_begin_heap(
                    modes & pg_sys::SetFunctionReturnMode::SFRM_Materialize_Random != 0,
                    false,
                    pg_sys::work_mem,
                ),
                descriptor,
            });
            pg_sys::MemoryContextSwitchTo(before);
            let rows = rows.ok_or_else(not_supported)?;
            (*info).returnMode = pg_sys::SetFunctionReturnMode::SFRM_Materialize;
            (*info).setResult = rows.store;
            (*info).setDesc = rows.descriptor;
            Ok(rows)
        }
    }

    /// Appends a row.
    ///
    /// # Safety
    ///
    /// The values are those of the function's columns, in their order and of their types.
    #[allow(unsafe_code)]
    pub unsafe fn push<const COLUMNS: usize>(&mut self, row: [Option<pg_sys::Datum>; COLUMNS]) {
        let mut values = row.map(|value| value.unwrap_or(pg_sys::Datum::null()));
        let mut nulls = row.map(|value| value.is_none());
        // SAFETY: as the caller says; the store copies what the values point to.
        unsafe {
            pg_sys::tuplestore_putvalues(
                self.store,
                self.descriptor,
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
            );
        }
    }
}

fn not_supported() -> ErrorReport {
    ErrorReport::new(
        PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
        "set-valued function called in context that cannot accept a set",
        "s2s",
    )
}
