//! Triggers: rows become callbacks.
//!
//! A trigger's [`definition`] is checked when it is created ([`ddl`]). When it fires ([`fire`]), it
//! is compiled into a [`plan`], as far as that is possible, which turns each [`row`] into a
//! callback: a row trigger queues one, a statement trigger those of its transition table. Values
//! become text with the rights of the user; only the insertion bypasses privileges.

mod column;
mod ddl;
mod definition;
mod fire;
mod plan;
mod preview;
mod relation;
mod row;
