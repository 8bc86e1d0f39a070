//! A slot that holds one row of a table at a time, and `to_jsonb` of it.

use pgrx::pg_sys;

use crate::pg::sys::cursor::Batch;
use crate::pg::trigger::column::Column;
use crate::pg::trigger::relation::Table;

/// Made in the current memory context, which it must not outlive.
pub struct TableSlot {
    slot: *mut pg_sys::TupleTableSlot,
    table: pg_sys::Oid,
    columns: Vec<Column>,
    to_jsonb: pg_sys::FmgrInfo,
}

#[allow(unsafe_code)]
impl TableSlot {
    pub fn new(table: &Table) -> TableSlot {
        let slot = table.new_slot();
        let mut to_jsonb = pg_sys::FmgrInfo::default();
        let function = pg_sys::Oid::from(pg_sys::F_TO_JSONB);
        // SAFETY: a slot has a descriptor. `to_jsonb` takes any type, and finds it by the argument of
        // the expression that calls it: a NULL of the table's row type.
        unsafe {
            let row_type = (*(*slot).tts_tupleDescriptor).tdtypeid;
            let row = pg_sys::makeNullConst(row_type, -1, pg_sys::InvalidOid);
            let call = pg_sys::makeFuncExpr(
                function,
                pg_sys::JSONBOID,
                pg_sys::lappend(std::ptr::null_mut(), row.cast()),
                pg_sys::InvalidOid,
                pg_sys::InvalidOid,
                pg_sys::CoercionForm::COERCE_EXPLICIT_CALL,
            );
            pg_sys::fmgr_info(function, &mut to_jsonb);
            to_jsonb.fn_expr = call.cast();
        }
        TableSlot {
            slot,
            table: table.oid(),
            columns: table.columns(),
            to_jsonb,
        }
    }

    pub fn as_ptr(&self) -> *mut pg_sys::TupleTableSlot {
        self.slot
    }

    /// Stores a row of a batch, whose values it refers to.
    ///
    /// # Safety
    ///
    /// The columns of the batch are the OID of the row's table, or NULL for this one, and its columns in their
    /// order without dropped ones.
    pub unsafe fn store(&mut self, batch: &Batch, row: usize) {
        // SAFETY: the slot's arrays have an element for each column of the table.
        unsafe {
            pg_sys::ExecStoreAllNullTuple(self.slot);
            for (number, column) in (2..).zip(&self.columns) {
                if let Some(value) = batch.value(row, number) {
                    *(*self.slot).tts_values.add(column.index) = value;
                    *(*self.slot).tts_isnull.add(column.index) = false;
                }
            }
            let table = batch.value(row, 1);
            let table = table.map(|oid| pg_sys::Oid::from(oid.value() as u32));
            (*self.slot).tts_tableOid = table.unwrap_or(self.table);
        }
    }

    /// The row as JSON, in the current memory context.
    ///
    /// # Safety
    ///
    /// It holds a row of a batch that is still valid.
    pub unsafe fn jsonb(&mut self) -> pg_sys::Datum {
        // SAFETY: the slot holds a row of the row type that `to_jsonb` was looked up for.
        unsafe {
            let row = pg_sys::ExecFetchSlotHeapTupleDatum(self.slot);
            pg_sys::FunctionCall1Coll(&mut self.to_jsonb, pg_sys::InvalidOid, row)
        }
    }
}
