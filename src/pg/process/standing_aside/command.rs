//! The commands that need a database to themselves, and when PostgreSQL refuses them at once.
//!
//! | command | lock | who may give it | in a transaction block |
//! |---|---|---|---|
//! | `create database … template` | share | with CREATEDB: its owner; anybody if it is a template | no |
//! | `alter database … rename` | exclusive | its owner, with CREATEDB | yes |
//! | `alter database … set tablespace` | exclusive | its owner | no |
//! | `drop database` | exclusive | its owner | no |

use std::ffi::{CStr, c_char};

use pgrx::list::old_list::PgList;
use pgrx::pg_sys;

use crate::pg::sys::database;

/// What `create database` copies if it does not say.
const DEFAULT_TEMPLATE: &CStr = c"template1";

/// A database that a command needs to itself.
pub struct Need {
    pub name: *const c_char,
    pub change: Change,
}

impl Need {
    /// What a command needs; `None`: no database.
    ///
    /// # Safety
    ///
    /// It is a node of the parser's.
    #[allow(unsafe_code)]
    pub unsafe fn of(command: *mut pg_sys::Node) -> Option<Need> {
        use pg_sys::NodeTag::*;
        // SAFETY: a node has the form that its tag says.
        unsafe {
            let (name, change) = match (*command).type_ {
                T_CreatedbStmt => {
                    let options = (*command.cast::<pg_sys::CreatedbStmt>()).options;
                    // `template default` has no argument.
                    let template = find_option(options, c"template")
                        .filter(|template| !(**template).arg.is_null())
                        .map_or(DEFAULT_TEMPLATE.as_ptr(), |template| {
                            pg_sys::defGetString(template).cast_const()
                        });
                    (template, Change::Copy)
                }
                T_RenameStmt => {
                    let rename = &*command.cast::<pg_sys::RenameStmt>();
                    if rename.renameType != pg_sys::ObjectType::OBJECT_DATABASE {
                        return None;
                    }
                    (rename.subname.cast_const(), Change::Rename)
                }
                T_AlterDatabaseStmt => {
                    let alter = &*command.cast::<pg_sys::AlterDatabaseStmt>();
                    find_option(alter.options, c"tablespace")?;
                    (alter.dbname.cast_const(), Change::Move)
                }
                T_DropdbStmt => {
                    let drop = &*command.cast::<pg_sys::DropdbStmt>();
                    (drop.dbname.cast_const(), Change::Drop)
                }
                _ => return None,
            };
            Some(Need { name, change })
        }
    }
}

/// What becomes of it.
#[derive(Clone, Copy, PartialEq)]
pub enum Change {
    Copy,
    Rename,
    Move,
    Drop,
}

impl Change {
    /// What the command takes on the database.
    pub fn lock(self) -> pg_sys::LOCKMODE {
        (match self {
            Change::Copy => pg_sys::ShareLock,
            Change::Rename | Change::Move | Change::Drop => pg_sys::AccessExclusiveLock,
        }) as pg_sys::LOCKMODE
    }

    /// Whether PostgreSQL lets the current user, in this session, change a database so.
    #[allow(unsafe_code)]
    pub fn is_allowed(self, database: pg_sys::Oid) -> bool {
        let Some(row) = database::row_of(database) else {
            return false;
        };
        // SAFETY: variables, and looks into catalogs, within a transaction.
        let (is_own, is_owner) = unsafe {
            (
                database == pg_sys::MyDatabaseId,
                pg_sys::has_privs_of_role(pg_sys::GetUserId(), row.datdba),
            )
        };
        match self {
            // The session's own can be copied, and nothing else.
            Change::Copy => (is_owner || row.datistemplate) && has_createdb(),
            Change::Rename => is_owner && !is_own && has_createdb(),
            Change::Move => is_owner && !is_own,
            Change::Drop => is_owner && !is_own && !row.datistemplate,
        }
    }
}

/// # Safety
///
/// It is a list of the parser's options.
#[allow(unsafe_code)]
unsafe fn find_option(options: *mut pg_sys::List, name: &CStr) -> Option<*mut pg_sys::DefElem> {
    // SAFETY: elements and their names are the parser's.
    unsafe {
        PgList::<pg_sys::DefElem>::from_pg(options)
            .iter_ptr()
            .find(|option| CStr::from_ptr((**option).defname) == name)
    }
}

/// Whether the current user may create databases.
#[allow(unsafe_code)]
fn has_createdb() -> bool {
    // SAFETY: looks into a catalog, within a transaction; a tuple of pg_authid has its form.
    unsafe {
        if pg_sys::superuser() {
            return true;
        }
        let user = pg_sys::GetUserId();
        let cache = pg_sys::SysCacheIdentifier::AUTHOID as i32;
        let tuple = pg_sys::SearchSysCache1(cache, user.into());
        if tuple.is_null() {
            return false;
        }
        let role = pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_authid>();
        let has = (*role).rolcreatedb;
        pg_sys::ReleaseSysCache(tuple);
        has
    }
}
