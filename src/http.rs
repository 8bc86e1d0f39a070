//! HTTP: threads, sockets and TLS. The only room that knows ureq and rustls; nothing here knows
//! PostgreSQL or what a callback is.

#![forbid(unsafe_code)]

pub mod address;
pub mod client;
pub mod pool;
mod resolver;

pub use resolver::MOST_LOOKUPS;
