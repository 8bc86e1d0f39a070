//! The command that an event trigger fires for, as its parse tree has it.

use std::ffi::CStr;

use pgrx::list::old_list::PgList;
use pgrx::pg_sys::AlterTableType::{
    AT_AddColumn, AT_AlterColumnType, AT_DropColumn, AT_EnableAlwaysTrig, AT_EnableReplicaTrig,
    AT_EnableTrig, AT_EnableTrigAll, AT_EnableTrigUser,
};
use pgrx::pg_sys::DropBehavior::DROP_CASCADE;
use pgrx::pg_sys::ObjectType::{OBJECT_ATTRIBUTE, OBJECT_COLUMN, OBJECT_FOREIGN_SERVER};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::{self, NodeTag};
use pgrx::prelude::*;

use crate::pg::error::PgResult;
use crate::pg::sys::catalog;

/// A command, valid during the call of the event trigger.
pub struct Command<'a>(&'a pg_sys::EventTriggerData);

/// What a command can do to the triggers of the tables that it changes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TableChange {
    /// Columns are added, dropped, renamed, or get another type, also in the tables below.
    Columns,
    EnabledTriggers,
    /// Nothing that matters to their arguments.
    Other,
}

#[allow(unsafe_code)]
impl Command<'_> {
    /// The command of a call; an error if the call is not that of an event trigger.
    ///
    /// # Safety
    ///
    /// `fcinfo` is that of a call that lasts longer than the result.
    pub unsafe fn of_call<'a>(fcinfo: pg_sys::FunctionCallInfo) -> PgResult<Command<'a>> {
        // SAFETY: PostgreSQL passes null or a node as the context; its tag is checked.
        unsafe {
            let context = (*fcinfo).context;
            if context.is_null() || (*context).type_ != NodeTag::T_EventTriggerData {
                return Err(ErrorReport::new(
                    PgSqlErrorCode::ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED,
                    "check_ddl was not called as an event trigger",
                    "s2s",
                ));
            }
            Ok(Command(&*context.cast::<pg_sys::EventTriggerData>()))
        }
    }

    /// The event, such as `sql_drop`.
    pub fn event(&self) -> &[u8] {
        // SAFETY: the event is a NUL-terminated constant.
        unsafe { CStr::from_ptr(self.0.event) }.to_bytes()
    }

    /// The command's tag, such as `ALTER TABLE`.
    pub fn tag(&self) -> &[u8] {
        // SAFETY: the names of tags are NUL-terminated constants.
        unsafe { CStr::from_ptr(pg_sys::GetCommandTagName(self.0.tag)) }.to_bytes()
    }

    /// The parse tree, if its root has the tag.
    ///
    /// # Safety
    ///
    /// `T` is the node type of the tag.
    unsafe fn as_node<T>(&self, tag: NodeTag) -> Option<&T> {
        // SAFETY: the parse tree is null, or a node that is valid during the call.
        unsafe {
            let node = self.0.parsetree.as_ref()?;
            (node.type_ == tag).then(|| &*self.0.parsetree.cast::<T>())
        }
    }

    fn as_rename(&self) -> Option<&pg_sys::RenameStmt> {
        // SAFETY: the tag is that of the type.
        unsafe { self.as_node(NodeTag::T_RenameStmt) }
    }

    /// The former name of the server that it renames.
    pub fn renamed_server(&self) -> Option<String> {
        let rename = self.as_rename()?;
        // SAFETY: a server is named by a String node.
        (rename.renameType == OBJECT_FOREIGN_SERVER).then(|| unsafe { string(rename.object) })
    }

    /// Whether it gives a server another owner.
    pub fn changes_server_owner(&self) -> bool {
        // SAFETY: the tag is that of the type.
        let altered = unsafe { self.as_node::<pg_sys::AlterOwnerStmt>(NodeTag::T_AlterOwnerStmt) };
        altered.is_some_and(|altered| altered.objectType == OBJECT_FOREIGN_SERVER)
    }

    /// Whether it names our extension to be dropped.
    pub fn drops_extension(&self) -> bool {
        // SAFETY: the tag is that of the type; extensions are named by String nodes.
        unsafe {
            let dropped = self.as_node::<pg_sys::DropStmt>(NodeTag::T_DropStmt);
            dropped.is_some_and(|dropped| {
                PgList::<pg_sys::Node>::from_pg(dropped.objects)
                    .iter_ptr()
                    .any(|name| string(name) == catalog::EXTENSION)
            })
        }
    }

    /// The server whose options it sets or drops.
    pub fn server_with_new_options(&self) -> Option<String> {
        // SAFETY: the tag is that of the type. The server's name is NUL-terminated.
        unsafe {
            let altered = self
                .as_node::<pg_sys::AlterForeignServerStmt>(NodeTag::T_AlterForeignServerStmt)
                .filter(|altered| !altered.options.is_null())?;
            let name = CStr::from_ptr(altered.servername).to_string_lossy();
            Some(name.into_owned())
        }
    }

    /// Whether it drops objects that depend on those that it names.
    pub fn is_drop_cascade(&self) -> bool {
        // SAFETY: the tags are those of the types.
        let (dropped, owned) = unsafe {
            (
                self.as_node::<pg_sys::DropStmt>(NodeTag::T_DropStmt),
                self.as_node::<pg_sys::DropOwnedStmt>(NodeTag::T_DropOwnedStmt),
            )
        };
        dropped.is_some_and(|dropped| dropped.behavior == DROP_CASCADE)
            || owned.is_some_and(|owned| owned.behavior == DROP_CASCADE)
    }

    pub fn table_change(&self) -> TableChange {
        if let Some(rename) = self.as_rename() {
            return match rename.renameType {
                OBJECT_COLUMN | OBJECT_ATTRIBUTE => TableChange::Columns,
                _ => TableChange::Other,
            };
        }
        // SAFETY: the tag is that of the type.
        let altered = unsafe { self.as_node::<pg_sys::AlterTableStmt>(NodeTag::T_AlterTableStmt) };
        let Some(altered) = altered else {
            return TableChange::Other;
        };
        // SAFETY: `cmds` is a list of AlterTableCmd.
        let subtypes: Vec<_> = unsafe {
            PgList::<pg_sys::AlterTableCmd>::from_pg(altered.cmds)
                .iter_ptr()
                .map(|subcommand| (*subcommand).subtype)
                .collect()
        };
        let has_any = |wanted: &[pg_sys::AlterTableType::Type]| {
            subtypes.iter().any(|subtype| wanted.contains(subtype))
        };
        if has_any(&[AT_AddColumn, AT_DropColumn, AT_AlterColumnType]) {
            return TableChange::Columns;
        }
        match has_any(&[
            AT_EnableTrig,
            AT_EnableAlwaysTrig,
            AT_EnableReplicaTrig,
            AT_EnableTrigAll,
            AT_EnableTrigUser,
        ]) {
            true => TableChange::EnabledTriggers,
            false => TableChange::Other,
        }
    }
}

/// # Safety
///
/// It is a String node.
#[allow(unsafe_code)]
unsafe fn string(node: *mut pg_sys::Node) -> String {
    // SAFETY: as the caller says; its text is NUL-terminated.
    unsafe { CStr::from_ptr((*node.cast::<pg_sys::String>()).sval) }
        .to_string_lossy()
        .into_owned()
}
