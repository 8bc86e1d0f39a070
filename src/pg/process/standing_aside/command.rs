//! The commands that need a database to themselves, and whom PostgreSQL lets issue them.
//!
//! | command | lock | who may issue it | in a transaction block |
//! |---|---|---|---|
//! | `create database … template` | share | with CREATEDB: its owner; anybody if it is a template | no |
//! | `alter database … rename` | exclusive | its owner, with CREATEDB | yes |
//! | `alter database … set tablespace` | exclusive | its owner | no |
//! | `drop database` | exclusive | its owner | no |

use std::ffi::CStr;

use pgrx::list::old_list::PgList;
use pgrx::pg_sys;

use crate::pg::sys::{database, user};

/// What `create database` copies by default.
const DEFAULT_TEMPLATE: &CStr = c"template1";

/// A command, with the database that it needs to itself.
pub struct DatabaseCommand<'a> {
    pub database: &'a CStr,
    pub kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Copy,
    Rename,
    Move,
    Drop,
}

#[allow(unsafe_code)]
impl DatabaseCommand<'_> {
    /// `None` if the command needs no database to itself.
    ///
    /// # Safety
    ///
    /// The command is a parse tree that is valid during `'a`.
    pub unsafe fn of<'a>(command: *mut pg_sys::Node) -> Option<DatabaseCommand<'a>> {
        use pg_sys::NodeTag::*;
        // SAFETY: a node has the type that its tag says; names in it are NUL-terminated, and those
        // that the grammar requires are not null.
        unsafe {
            let (name, kind) = match (*command).type_ {
                T_CreatedbStmt => {
                    let options = (*command.cast::<pg_sys::CreatedbStmt>()).options;
                    // `template default` has no argument.
                    let template = find_option(options, c"template")
                        .filter(|template| !(**template).arg.is_null())
                        .map_or(DEFAULT_TEMPLATE.as_ptr(), |template| {
                            pg_sys::defGetString(template).cast_const()
                        });
                    (template, Kind::Copy)
                }
                T_RenameStmt => {
                    let rename = &*command.cast::<pg_sys::RenameStmt>();
                    if rename.renameType != pg_sys::ObjectType::OBJECT_DATABASE {
                        return None;
                    }
                    (rename.subname.cast_const(), Kind::Rename)
                }
                T_AlterDatabaseStmt => {
                    let alter = &*command.cast::<pg_sys::AlterDatabaseStmt>();
                    find_option(alter.options, c"tablespace")?;
                    (alter.dbname.cast_const(), Kind::Move)
                }
                T_DropdbStmt => {
                    let drop = &*command.cast::<pg_sys::DropdbStmt>();
                    (drop.dbname.cast_const(), Kind::Drop)
                }
                _ => return None,
            };
            let database = CStr::from_ptr(name);
            Some(DatabaseCommand { database, kind })
        }
    }
}

impl Kind {
    /// The lock that the command takes on the database.
    pub fn lock(self) -> pg_sys::LOCKMODE {
        (match self {
            Kind::Copy => pg_sys::ShareLock,
            Kind::Rename | Kind::Move | Kind::Drop => pg_sys::AccessExclusiveLock,
        }) as pg_sys::LOCKMODE
    }

    /// Whether PostgreSQL lets the current user, in this session, issue the command.
    #[allow(unsafe_code)]
    pub fn is_allowed(self, database: pg_sys::Oid) -> bool {
        let Some(row) = database::row_of(database) else {
            return false;
        };
        // SAFETY: a variable, and catalog look-ups within the command's database transaction.
        let (is_own, is_owner) = unsafe {
            (
                database == pg_sys::MyDatabaseId,
                pg_sys::has_privs_of_role(pg_sys::GetUserId(), row.datdba),
            )
        };
        match self {
            // Of these commands only the copy can be of the session's own database.
            Kind::Copy => (is_owner || row.datistemplate) && user::may_create_databases(),
            Kind::Rename => is_owner && !is_own && user::may_create_databases(),
            Kind::Move => is_owner && !is_own,
            Kind::Drop => is_owner && !is_own && !row.datistemplate,
        }
    }
}

/// # Safety
///
/// It is a list of DefElem.
#[allow(unsafe_code)]
unsafe fn find_option(options: *mut pg_sys::List, name: &CStr) -> Option<*mut pg_sys::DefElem> {
    // SAFETY: as the caller says; a DefElem has a NUL-terminated name.
    unsafe {
        PgList::<pg_sys::DefElem>::from_pg(options)
            .iter_ptr()
            .find(|option| CStr::from_ptr((**option).defname) == name)
    }
}
