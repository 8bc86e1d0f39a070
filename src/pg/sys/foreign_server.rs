//! Foreign servers and user mappings in the catalogs, and the rights on them.
//!
//! All of it is called within a database transaction.

use std::ffi::{CStr, CString};

use pgrx::callconv::{Arg, ArgAbi};
use pgrx::list::old_list::PgList;
use pgrx::pg_sys;

/// Names and values of options.
pub type Options = Vec<(String, String)>;

/// A foreign server.
pub struct ForeignServer {
    /// Its OID.
    pub oid: pg_sys::Oid,
    /// The name of its foreign-data wrapper.
    pub wrapper: String,
    /// Its options.
    pub options: Options,
    owner: pg_sys::Oid,
}

impl ForeignServer {
    /// The server of a name, if there is one.
    #[allow(unsafe_code)]
    pub fn find(name: &str) -> Option<ForeignServer> {
        let name = CString::new(name).ok()?;
        // SAFETY: the name is NUL-terminated. What the look-ups return is palloc'ed in the current
        // context, and nothing resets that before it is copied; its strings are NUL-terminated.
        unsafe {
            let server = pg_sys::GetForeignServerByName(name.as_ptr(), true).as_ref()?;
            let wrapper = pg_sys::GetForeignDataWrapper(server.fdwid);
            Some(ForeignServer {
                oid: server.serverid,
                wrapper: text((*wrapper).fdwname),
                options: read_options(server.options),
                owner: server.owner,
            })
        }
    }

    /// The options of its owner's user mapping, else of PUBLIC's. No privilege is checked.
    #[allow(unsafe_code)]
    pub fn user_mapping(&self) -> Option<Options> {
        // SAFETY: catalog look-ups; what they return is palloc'ed in the current context. A mapping
        // that does not exist would be an error, so it is looked for first.
        unsafe {
            let is_mapped = |user: pg_sys::Oid| {
                pg_sys::SearchSysCacheExists(
                    pg_sys::SysCacheIdentifier::USERMAPPINGUSERSERVER as i32,
                    pg_sys::Datum::from(user),
                    pg_sys::Datum::from(self.oid),
                    pg_sys::Datum::null(),
                    pg_sys::Datum::null(),
                )
            };
            if !is_mapped(self.owner) && !is_mapped(pg_sys::InvalidOid) {
                return None;
            }
            let mapping = pg_sys::GetUserMapping(self.owner, self.oid);
            Some(read_options((*mapping).options))
        }
    }
}

/// Holds the server of a name, if there is one, until the database transaction ends, or the
/// subtransaction is rolled back: till then the server is neither dropped nor renamed, and no other gets
/// its name. Invalidation messages are processed.
#[allow(unsafe_code)]
pub fn hold(name: &str) -> Option<pg_sys::Oid> {
    let name = CString::new(name).ok()?;
    loop {
        // SAFETY: a catalog look-up; the name is NUL-terminated. Any OID can be locked, within a
        // database transaction.
        unsafe {
            let server = pg_sys::get_foreign_server_oid(name.as_ptr(), true);
            if server == pg_sys::InvalidOid {
                return None;
            }
            if is_held(server) {
                return Some(server);
            }
            lock(server, pg_sys::AccessShareLock);
        }
    }
}

/// Whether [`hold`] holds the server.
#[allow(unsafe_code)]
pub fn is_held(server: pg_sys::Oid) -> bool {
    // SAFETY: a look-up among the locks of this process; the tag is that of `LockDatabaseObject`.
    unsafe {
        let tag = pg_sys::LOCKTAG {
            locktag_field1: pg_sys::MyDatabaseId.to_u32(),
            locktag_field2: pg_sys::ForeignServerRelationId.to_u32(),
            locktag_field3: server.to_u32(),
            locktag_field4: 0,
            locktag_type: pg_sys::LockTagType::LOCKTAG_OBJECT as u8,
            locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
        };
        pg_sys::LockHeldByMe(
            &tag,
            pg_sys::AccessShareLock as pg_sys::LOCKMODE,
            #[cfg(any(feature = "pg17", feature = "pg18"))]
            false,
        )
    }
}

/// Waits until no other session holds the server, and keeps others from it until the database
/// transaction ends. A server gets a name only under this lock; DROP SERVER takes it by itself.
pub fn lock_name(server: pg_sys::Oid) {
    lock(server, pg_sys::AccessExclusiveLock);
}

#[allow(unsafe_code)]
fn lock(server: pg_sys::Oid, mode: u32) {
    let mode = mode as pg_sys::LOCKMODE;
    // SAFETY: any OID can be locked, within a database transaction.
    unsafe { pg_sys::LockDatabaseObject(pg_sys::ForeignServerRelationId, server, 0, mode) };
}

/// Whether the current user has USAGE on a server.
#[allow(unsafe_code)]
pub fn may_use(server: pg_sys::Oid) -> bool {
    // SAFETY: reads a variable of the session.
    is_usable_by(server, unsafe { pg_sys::GetUserId() })
}

/// Whether a role has USAGE on a server.
#[allow(unsafe_code)]
pub fn is_usable_by(server: pg_sys::Oid, user: pg_sys::Oid) -> bool {
    let usage = pg_sys::ACL_USAGE as pg_sys::AclMode;
    // SAFETY: catalog look-ups; a server that does not exist is an error of PostgreSQL's.
    unsafe {
        #[cfg(feature = "pg15")]
        let result = pg_sys::pg_foreign_server_aclcheck(server, user, usage);
        #[cfg(not(feature = "pg15"))]
        let result = pg_sys::object_aclcheck(pg_sys::ForeignServerRelationId, server, user, usage);
        result == pg_sys::AclResult::ACLCHECK_OK
    }
}

/// Whether the current user is a server's owner: a member of its role, or a superuser.
#[allow(unsafe_code)]
pub fn is_owner(server: pg_sys::Oid) -> bool {
    // SAFETY: as in `may_use`.
    unsafe {
        let user = pg_sys::GetUserId();
        #[cfg(feature = "pg15")]
        let result = pg_sys::pg_foreign_server_ownercheck(server, user);
        #[cfg(not(feature = "pg15"))]
        let result = pg_sys::object_ownercheck(pg_sys::ForeignServerRelationId, server, user);
        result
    }
}

/// Whether the current user is a superuser.
#[allow(unsafe_code)]
pub fn is_superuser() -> bool {
    // SAFETY: a catalog look-up.
    unsafe { pg_sys::superuser() }
}

/// The name of the SQL function that is being called: an argument that SQL does not see.
pub struct CalledAs(pub String);

pgrx::impl_sql_translatable!(CalledAs, "internal");

// SAFETY: nothing is taken from the arguments.
#[allow(unsafe_code)]
unsafe impl<'fcx> ArgAbi<'fcx> for CalledAs {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: a function that the function manager calls has its FmgrInfo, with its OID; the
        // name is NUL-terminated, or null for a function that does not exist.
        unsafe {
            let call: pg_sys::FunctionCallInfo = arg.unbox_unchecked();
            let name = pg_sys::get_func_name((*(*call).flinfo).fn_oid);
            CalledAs(match name.is_null() {
                true => String::new(),
                false => text(name),
            })
        }
    }

    fn is_virtual_arg() -> bool {
        true
    }
}

/// Names and values of a list of `DefElem`.
///
/// # Safety
///
/// `options` is such a list, or null.
#[allow(unsafe_code)]
unsafe fn read_options(options: *mut pg_sys::List) -> Options {
    // SAFETY: as the caller says; options of foreign objects are strings.
    unsafe {
        PgList::<pg_sys::DefElem>::from_pg(options)
            .iter_ptr()
            .map(|option| (text((*option).defname), text(pg_sys::defGetString(option))))
            .collect()
    }
}

/// # Safety
///
/// `c_string` is NUL-terminated.
#[allow(unsafe_code)]
unsafe fn text(c_string: *const std::ffi::c_char) -> String {
    // SAFETY: as the caller says.
    unsafe { CStr::from_ptr(c_string) }
        .to_string_lossy()
        .into_owned()
}
