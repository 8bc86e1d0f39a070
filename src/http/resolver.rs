//! Name resolution: the system's resolver, less the addresses that we do not call.
//!
//! The system's resolver takes as long as it wants, so each look-up has a thread of its own, and who
//! asks waits for it no longer than its request's deadline. A look-up keeps its place until the system
//! answers, and there is one a host: so there are at most [`MOST_LOOKUPS`] of these threads.
//!
//! ureq asks for a host's addresses before every request, also if a connection is open. So they are
//! kept for a few seconds, and so are failures.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::panic::catch_unwind;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::address::is_public;
use super::client::{PHASE, Phase};
use super::pool::STACK;

/// Look-ups at once.
pub const MOST_LOOKUPS: usize = 16;

/// How long what a look-up found is used without another one.
const FRESH: Duration = Duration::from_secs(10);

/// How long addresses are used if there is no place for a look-up.
const STALE: Duration = Duration::from_secs(300);

/// How long a failure counts.
const FAILED: Duration = Duration::from_secs(5);

/// Addresses that are used of a host; ureq has room for so many.
const MOST_ADDRESSES: usize = 16;

/// What the system said of a host.
type Found = Result<Vec<SocketAddr>, String>;

/// The look-ups of a process, and what they found.
#[derive(Debug, Default)]
pub struct Lookups {
    state: Mutex<State>,
    /// A look-up is done.
    done: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The hosts that are looked up now.
    asked: HashSet<(String, u16)>,
    found: HashMap<(String, u16), (Instant, Found)>,
}

impl State {
    /// What is known of a host, if it is not older than that.
    fn known(&self, host: &(String, u16), now: Instant, age: Duration) -> Option<Found> {
        let (at, found) = self.found.get(host)?;
        let age = match found {
            Ok(_) => age,
            Err(_) => FAILED,
        };
        (now.saturating_duration_since(*at) < age).then(|| found.clone())
    }
}

impl Lookups {
    /// The addresses of a host; `None` if the time is over before they are known.
    fn find(self: &Arc<Lookups>, host: (String, u16), timeout: Duration) -> Option<Found> {
        if let Ok(address) = host.0.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Some(Ok(vec![SocketAddr::new(address, host.1)]));
        }
        let start = Instant::now();
        let mut state = self.state();
        loop {
            let now = Instant::now();
            if let Some(found) = state.known(&host, now, FRESH) {
                return Some(found);
            }
            if !state.asked.contains(&host) {
                if state.asked.len() < MOST_LOOKUPS {
                    state
                        .found
                        .retain(|_, (at, _)| now.saturating_duration_since(*at) < STALE);
                    self.look_up(&host, &mut state);
                    continue;
                }
                if let Some(found) = state.known(&host, now, STALE) {
                    return Some(found);
                }
            }
            let left = timeout.checked_sub(now.saturating_duration_since(start))?;
            state = self
                .done
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Starts a look-up.
    fn look_up(self: &Arc<Lookups>, host: &(String, u16), state: &mut State) {
        let (lookups, asked) = (self.clone(), host.clone());
        let ask = move || {
            let ask = || (asked.0.as_str(), asked.1).to_socket_addrs();
            let found = match catch_unwind(ask) {
                Ok(Ok(found)) => Ok(found.take(MOST_ADDRESSES).collect()),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err("the resolver panicked".to_owned()),
            };
            let mut state = lookups.state();
            state.asked.remove(&asked);
            state.found.insert(asked, (Instant::now(), found));
            lookups.done.notify_all();
        };
        let thread = std::thread::Builder::new()
            .name("s2s resolver".to_owned())
            .stack_size(STACK)
            .spawn(ask);
        match thread {
            Ok(_) => {
                state.asked.insert(host.clone());
            }
            Err(error) => {
                let found = (Instant::now(), Err(error.to_string()));
                state.found.insert(host.clone(), found);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The resolver of clients with equal settings.
pub struct CheckedResolver {
    /// All of the process.
    pub lookups: Arc<Lookups>,
    /// Loopback and private addresses may be called.
    pub allow_private_addresses: bool,
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
        _: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        PHASE.set(Phase::Resolving);
        let host = uri.host().unwrap_or_default();
        let default_port = match uri.scheme_str() {
            Some("http") => 80,
            _ => 443,
        };
        let port = uri.port_u16().unwrap_or(default_port);
        let found = self.lookups.find((host.to_owned(), port), *timeout.after);
        let found = found.ok_or(ureq::Error::Timeout(timeout.reason))?;
        let found = found.map_err(|message| ureq::Error::Io(std::io::Error::other(message)))?;
        let mut allowed = self.empty();
        found
            .iter()
            .filter(|address| self.allow_private_addresses || is_public(address.ip()))
            .for_each(|address| allowed.push(*address));
        if found.is_empty() {
            return Err(ureq::Error::HostNotFound);
        }
        if allowed.is_empty() {
            let host = host.to_owned();
            return Err(ureq::Error::Other(Box::new(PrivateAddress { host })));
        }
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
