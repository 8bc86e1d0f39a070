//! Name resolution: the system's resolver, less the addresses that we do not call.
//!
//! ureq asks for a host's addresses before every request, also if a connection is open, and the
//! system's resolver costs a thread each time. So they are kept for a few seconds.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::address::is_public;
use super::client::{PHASE, Phase};

/// How long a host's addresses are used without asking again.
const KEPT: Duration = Duration::from_secs(10);

/// The resolver of one client.
pub struct CheckedResolver {
    system: DefaultResolver,
    allow_private_addresses: bool,
    /// Scheme and authority, when they were resolved, and to what. A client calls few hosts.
    known: Mutex<Vec<(String, Instant, ResolvedSocketAddrs)>>,
}

impl CheckedResolver {
    /// One that knows no host yet.
    pub fn new(allow_private_addresses: bool) -> CheckedResolver {
        CheckedResolver {
            system: DefaultResolver::default(),
            allow_private_addresses,
            known: Mutex::new(Vec::new()),
        }
    }

    fn known(&self, host: &str, now: Instant) -> Option<ResolvedSocketAddrs> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(_, at, _)| now.saturating_duration_since(*at) < KEPT);
        let (_, _, addresses) = known.iter().find(|(name, ..)| name == host)?;
        Some(self.copy(addresses.iter()))
    }

    fn copy<'a>(
        &self,
        addresses: impl Iterator<Item = &'a std::net::SocketAddr>,
    ) -> ResolvedSocketAddrs {
        let mut copy = self.empty();
        addresses.for_each(|address| copy.push(*address));
        copy
    }
}

impl fmt::Debug for CheckedResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CheckedResolver")
    }
}

impl Resolver for CheckedResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        PHASE.set(Phase::Resolving);
        let now = Instant::now();
        let host = format!(
            "{}://{}",
            uri.scheme_str().unwrap_or_default(),
            uri.authority().map_or("", |a| a.as_str())
        );
        if let Some(addresses) = self.known(&host, now) {
            PHASE.set(Phase::Connecting);
            return Ok(addresses);
        }
        let found = self.system.resolve(uri, config, timeout)?;
        let is_allowed = |address: &&std::net::SocketAddr| {
            self.allow_private_addresses || is_public(address.ip())
        };
        let allowed = self.copy(found.iter().filter(is_allowed));
        if allowed.is_empty() {
            let host = uri.host().unwrap_or_default().to_owned();
            return Err(ureq::Error::Other(Box::new(PrivateAddress { host })));
        }
        let kept = self.copy(allowed.iter());
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((host, now, kept));
        PHASE.set(Phase::Connecting);
        Ok(allowed)
    }
}

/// A host none of whose addresses is public.
#[derive(Debug)]
pub struct PrivateAddress {
    host: String,
}

impl fmt::Display for PrivateAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "\"{}\" is a loopback, private or link-local address, and s2s.allow_private_addresses is off",
            self.host
        )
    }
}

impl std::error::Error for PrivateAddress {}
