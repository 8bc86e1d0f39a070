//! The command that an event trigger fires for: what its parse tree says.

use std::ffi::CStr;

use pgrx::list::old_list::PgList;
use pgrx::pg_sys::AlterTableType::{
    AT_AddColumn, AT_AlterColumnType, AT_DropColumn, AT_EnableAlwaysTrig, AT_EnableReplicaTrig,
    AT_EnableTrig, AT_EnableTrigAll, AT_EnableTrigUser,
};
use pgrx::pg_sys::DropBehavior::DROP_CASCADE;
use pgrx::pg_sys::ObjectType::{OBJECT_ATTRIBUTE, OBJECT_COLUMN};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::{self, NodeTag};
use pgrx::prelude::*;

use crate::pg::error::PgResult;

/// What PostgreSQL says of the command while an event trigger runs.
pub struct Command<'a>(&'a pg_sys::EventTriggerData);

/// What a command can do to the triggers of a table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Columns come, go, or get another name or type: here, and in the tables below.
    Columns,
    /// Triggers are enabled.
    Enabled,
    /// Nothing that matters to their arguments.
    Nothing,
}

impl<'a> Command<'a> {
    /// The command of a call; an error if it is not that of an event trigger.
    #[allow(unsafe_code)]
    pub fn of_call(fcinfo: &'a pg_sys::FunctionCallInfo) -> PgResult<Command<'a>> {
        // SAFETY: PostgreSQL calls an event trigger function with EventTriggerData as its context;
        // that is looked at only if it is one. All it points to is valid during the call.
        unsafe {
            let context = (**fcinfo).context;
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
    #[allow(unsafe_code)]
    pub fn event(&self) -> &[u8] {
        // SAFETY: it is NUL-terminated.
        unsafe { CStr::from_ptr(self.0.event) }.to_bytes()
    }

    /// The command's tag, such as `ALTER TABLE`.
    #[allow(unsafe_code)]
    pub fn tag(&self) -> &[u8] {
        // SAFETY: the names of tags are NUL-terminated constants.
        unsafe { CStr::from_ptr(pg_sys::GetCommandTagName(self.0.tag)) }.to_bytes()
    }

    /// The command, if it is a `T`, whose tag is `tag`.
    ///
    /// # Safety
    ///
    /// `T` is the node that has the tag.
    #[allow(unsafe_code)]
    unsafe fn as_node<T>(&self, tag: NodeTag) -> Option<&T> {
        // SAFETY: the parse tree is there during the call, and as the caller says.
        unsafe {
            let node = self.0.parsetree.as_ref()?;
            (node.type_ == tag).then(|| &*self.0.parsetree.cast::<T>())
        }
    }

    #[allow(unsafe_code)]
    fn as_rename(&self) -> Option<&pg_sys::RenameStmt> {
        // SAFETY: the tag is its own.
        unsafe { self.as_node(NodeTag::T_RenameStmt) }
    }

    /// Whether it gives something another name.
    pub fn renames(&self) -> bool {
        self.as_rename().is_some()
    }

    /// Whether it sets or drops options of a server.
    #[allow(unsafe_code)]
    pub fn sets_server_options(&self) -> bool {
        // SAFETY: the tag is its own.
        let altered = unsafe {
            self.as_node::<pg_sys::AlterForeignServerStmt>(NodeTag::T_AlterForeignServerStmt)
        };
        altered.is_some_and(|altered| !altered.options.is_null())
    }

    /// Whether it drops what depends on the thing it drops.
    #[allow(unsafe_code)]
    pub fn drops_dependents(&self) -> bool {
        // SAFETY: the tags are their own.
        let (dropped, owned) = unsafe {
            (
                self.as_node::<pg_sys::DropStmt>(NodeTag::T_DropStmt),
                self.as_node::<pg_sys::DropOwnedStmt>(NodeTag::T_DropOwnedStmt),
            )
        };
        dropped.is_some_and(|dropped| dropped.behavior == DROP_CASCADE)
            || owned.is_some_and(|owned| owned.behavior == DROP_CASCADE)
    }

    /// What it can do to the triggers of the tables that it changes.
    #[allow(unsafe_code)]
    pub fn change(&self) -> Change {
        if let Some(rename) = self.as_rename() {
            return match rename.renameType {
                OBJECT_COLUMN | OBJECT_ATTRIBUTE => Change::Columns,
                _ => Change::Nothing,
            };
        }
        // SAFETY: the tag is its own.
        let altered = unsafe { self.as_node::<pg_sys::AlterTableStmt>(NodeTag::T_AlterTableStmt) };
        let Some(altered) = altered else {
            return Change::Nothing;
        };
        // SAFETY: it is a list of AlterTableCmd.
        let subtypes: Vec<_> = unsafe {
            PgList::<pg_sys::AlterTableCmd>::from_pg(altered.cmds)
                .iter_ptr()
                .map(|part| (*part).subtype)
                .collect()
        };
        let any = |what: &[pg_sys::AlterTableType::Type]| {
            subtypes.iter().any(|subtype| what.contains(subtype))
        };
        if any(&[AT_AddColumn, AT_DropColumn, AT_AlterColumnType]) {
            return Change::Columns;
        }
        match any(&[
            AT_EnableTrig,
            AT_EnableAlwaysTrig,
            AT_EnableReplicaTrig,
            AT_EnableTrigAll,
            AT_EnableTrigUser,
        ]) {
            true => Change::Enabled,
            false => Change::Nothing,
        }
    }
}
