//! The rows of a function that returns a table, in a tuplestore: in memory up to `work_mem`, then
//! on disk.
//!
//! They are stored while the function runs, so a caller's LIMIT cannot stop it half-way, and memory is
//! bounded.

use pgrx::PgTupleDesc;
use pgrx::callconv::{Arg, ArgAbi};
use pgrx::pg_sys;
use pgrx::pg_sys::panic::{ErrorReport, ErrorReportable};
use pgrx::prelude::*;

/// The result of a call.
pub struct ResultSet {
    store: *mut pg_sys::Tuplestorestate,
    descriptor: pg_sys::TupleDesc,
    /// The types of the columns.
    types: Vec<pg_sys::Oid>,
}

impl ResultSet {
    /// Makes an empty set the result of the current call.
    ///
    /// # Safety
    ///
    /// `fcinfo` is that of the current call, of a function that returns a table. The result set is
    /// not used after the call.
    #[allow(unsafe_code)]
    pub unsafe fn of_call(fcinfo: pg_sys::FunctionCallInfo) -> Result<ResultSet, ErrorReport> {
        // SAFETY: PostgreSQL passes null or a node as `resultinfo`; its tag is checked. The tuplestore
        // and the descriptor are in the query's memory context, since PostgreSQL reads them after
        // the call.
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
            let previous = pg_sys::MemoryContextSwitchTo(memory);
            let mut descriptor = std::ptr::null_mut();
            let class = pg_sys::get_call_result_type(fcinfo, std::ptr::null_mut(), &mut descriptor);
            let result = (class == pg_sys::TypeFuncClass::TYPEFUNC_COMPOSITE).then(|| ResultSet {
                store: pg_sys::tuplestore_begin_heap(
                    modes & pg_sys::SetFunctionReturnMode::SFRM_Materialize_Random != 0,
                    false,
                    pg_sys::work_mem,
                ),
                types: PgTupleDesc::from_pg_copy(descriptor)
                    .iter()
                    .map(|column| column.atttypid)
                    .collect(),
                descriptor,
            });
            pg_sys::MemoryContextSwitchTo(previous);
            let result = result.ok_or_else(not_supported)?;
            (*info).returnMode = pg_sys::SetFunctionReturnMode::SFRM_Materialize;
            (*info).setResult = result.store;
            (*info).setDesc = result.descriptor;
            Ok(result)
        }
    }

    /// Appends a row of three columns; an error if they are not of the types of the function's columns.
    #[allow(unsafe_code)]
    pub fn append<A: IntoDatum, B: IntoDatum, C: IntoDatum>(&mut self, row: (A, B, C)) {
        if self.types != [A::type_oid(), B::type_oid(), C::type_oid()] {
            not_supported().report(PgLogLevel::ERROR);
        }
        let (a, b, c) = row;
        // SAFETY: the types are those of the columns.
        unsafe { self.push([a.into_datum(), b.into_datum(), c.into_datum()]) }
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
        // SAFETY: the arrays have as many elements as the function has columns, as the caller says;
        // the tuplestore copies what the values point to.
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

pgrx::impl_sql_translatable!(ResultSet, "internal");

/// The result of the call as an argument that SQL does not see.
// SAFETY: nothing is taken from the arguments. pgrx passes the `fcinfo` of the current call, and the
// function cannot keep its argument beyond it, since it owns no memory of PostgreSQL's.
#[allow(unsafe_code)]
unsafe impl<'fcx> ArgAbi<'fcx> for ResultSet {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: as above; a function with this argument returns a table.
        unsafe { ResultSet::of_call(arg.unbox_unchecked()) }.unwrap_or_report()
    }

    fn is_virtual_arg() -> bool {
        true
    }
}

fn not_supported() -> ErrorReport {
    ErrorReport::new(
        PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
        "set-valued function called in context that cannot accept a set",
        "s2s",
    )
}
