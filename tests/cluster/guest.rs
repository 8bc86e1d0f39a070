//! A good guest in the server: cheap when idle, out of the way of others.

mod aside;
mod plans;
mod worker;
