//! Which foreign server a callback is for.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// A foreign server as the worker knows it: its name, and its OID unless there is none of that name. Two are
/// the same if their OIDs are: a server keeps its OID when it is renamed, and one that gets the name of another
/// has an OID of its own.
#[derive(Clone, Debug)]
pub struct ServerKey {
    /// The name when it was read.
    pub name: String,
    /// The OID.
    pub oid: Option<u32>,
}

impl ServerKey {
    fn identity(&self) -> (Option<u32>, Option<&str>) {
        (self.oid, self.oid.is_none().then_some(self.name.as_str()))
    }
}

impl PartialEq for ServerKey {
    fn eq(&self, other: &ServerKey) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for ServerKey {}

impl Ord for ServerKey {
    fn cmp(&self, other: &ServerKey) -> Ordering {
        self.identity().cmp(&other.identity())
    }
}

impl PartialOrd for ServerKey {
    fn partial_cmp(&self, other: &ServerKey) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for ServerKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl fmt::Display for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
