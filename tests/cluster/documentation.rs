//! What the documentation says, tested.

mod promises;
mod readme;
