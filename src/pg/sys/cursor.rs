//! A query that is read in batches, with other code running between them.
//!
//! pgrx's cursor keeps all batches until the end, and closes itself while an error unwinds, which
//! PostgreSQL does not allow then.

use std::ffi::CString;
use std::marker::PhantomData;

use pgrx::pg_sys;
use pgrx::spi::SpiClient;

/// Rows of a batch.
const BATCH_ROWS: i64 = 100;

/// A query that is being read. After an error PostgreSQL closes it with the database transaction or
/// subtransaction; otherwise [`Cursor::close`] does.
pub struct Cursor<'a> {
    portal: pg_sys::Portal,
    client: PhantomData<&'a SpiClient<'a>>,
}

impl Cursor<'_> {
    /// Starts a query with one argument, with the snapshot of the calling query.
    #[allow(unsafe_code)]
    pub fn open<'a>(
        _: &'a SpiClient<'a>,
        query: &str,
        argument_type: pg_sys::Oid,
        argument: Option<pg_sys::Datum>,
    ) -> Cursor<'a> {
        let query = CString::new(query).expect("SQL has no zero bytes");
        let mut types = [argument_type];
        let mut values = [argument.unwrap_or(pg_sys::Datum::null())];
        let nulls = [if argument.is_some() { b' ' } else { b'n' }];
        // SAFETY: the SPI is connected as long as the client lives; the arrays have one element,
        // for the one argument, and are copied. Code that runs between two batches can find the
        // portal by its name; pinned, it cannot close it.
        let portal = unsafe {
            let portal = pg_sys::SPI_cursor_open_with_args(
                std::ptr::null(),
                query.as_ptr(),
                1,
                types.as_mut_ptr(),
                values.as_mut_ptr(),
                nulls.as_ptr().cast(),
                true,
                pg_sys::CURSOR_OPT_NO_SCROLL as i32,
            );
            pg_sys::PinPortal(portal);
            portal
        };
        Cursor {
            portal,
            client: PhantomData,
        }
    }

    /// Calls `body` with the next rows and frees them; `None` if there are no more.
    #[allow(unsafe_code)]
    pub fn batch<R>(&mut self, body: impl FnOnce(&Batch) -> R) -> Option<R> {
        // SAFETY: the portal is open. SPI_tuptable is the result of this fetch and is freed once:
        // calls of the SPI in `body` have results of their own.
        unsafe {
            pg_sys::SPI_cursor_fetch(self.portal, true, BATCH_ROWS as _);
            let batch = Batch {
                table: pg_sys::SPI_tuptable,
                rows: pg_sys::SPI_processed as usize,
            };
            let result = (batch.rows > 0).then(|| body(&batch));
            pg_sys::SPI_freetuptable(batch.table);
            result
        }
    }

    /// Ends the query.
    #[allow(unsafe_code)]
    pub fn close(self) {
        // SAFETY: the portal is open, pinned once, by `open`, and not used after this.
        unsafe {
            pg_sys::UnpinPortal(self.portal);
            pg_sys::SPI_cursor_close(self.portal);
        }
    }
}

/// Some rows of a query, valid during the call of [`Cursor::batch`].
pub struct Batch {
    table: *mut pg_sys::SPITupleTable,
    rows: usize,
}

impl Batch {
    /// The number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// The value in a row, from 0, and a column, from 1; `None` for NULL. It lives as long as the
    /// batch.
    #[allow(unsafe_code)]
    pub fn value(&self, row: usize, column: usize) -> Option<pg_sys::Datum> {
        assert!(row < self.rows);
        let mut is_null = true;
        // SAFETY: the row exists. For a column that does not, SPI_getbinval returns NULL.
        let value = unsafe {
            let table = &*self.table;
            let tuple = *table.vals.add(row);
            pg_sys::SPI_getbinval(tuple, table.tupdesc, column as i32, &mut is_null)
        };
        (!is_null).then_some(value)
    }
}
