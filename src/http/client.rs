//! One HTTP request: ureq, the address check, limits, and a name for each way to fail.

use std::cell::Cell;
use std::error::Error as _;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use ureq::config::Config;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, DefaultConnector, NextTimeout, Transport,
};
use ureq::{Agent, Timeout};

use super::resolver::{CheckedResolver, Lookups, MOST_LOOKUPS, PrivateAddress};
use crate::delivery::reply::{Answer, Failure, FailureKind, MOST_READ, Reply};
use crate::delivery::retry::parse_retry_after;

/// What a client is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientSettings {
    /// Limit for a whole request.
    pub timeout: Duration,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// Loopback and private addresses may be called.
    pub allow_private_addresses: bool,
    /// A PEM file of roots that are trusted besides the system's.
    pub ca_file: Option<String>,
}

/// After this time without a request, idle connections are closed.
pub const IDLE: Duration = Duration::from_secs(5);

/// Idle connections at most, however many descriptors there are.
const MOST_IDLE: usize = 128;

/// Idle connections with roots of a `ca_file`, for each.
const MOST_IDLE_OF_CA_FILE: usize = 4;

/// The clients of a process. Idle connections are bounded in number, all servers' together.
pub struct Clients {
    roots: SystemRoots,
    lookups: Arc<Lookups>,
    /// Idle connections; half of them are for clients with a `ca_file`.
    idle: usize,
    shared: Vec<(Arc<Shared>, Option<Instant>)>,
}

impl Clients {
    /// No client yet. `roots` are the system's, `idle` how many connections may be idle.
    pub fn new(roots: SystemRoots, idle: usize) -> Clients {
        Clients {
            roots,
            lookups: Arc::default(),
            idle,
            shared: Vec::new(),
        }
    }

    /// How many connections may be idle in a process that may have so many descriptors, of which
    /// half are for others, while so many threads have a connection each. A look-up takes two.
    pub fn idle_of(descriptors: usize, threads: usize) -> usize {
        (descriptors / 2)
            .saturating_sub(threads + 2 * MOST_LOOKUPS)
            .min(MOST_IDLE)
    }

    /// A client; those whose settings are the same but for the timeout share their connections.
    ///
    /// Fails, with a message, if the `ca_file` cannot be read.
    pub fn client(&mut self, settings: &ClientSettings) -> Result<Client, String> {
        let timeout = settings.timeout;
        let settings = ClientSettings {
            timeout: Duration::ZERO,
            ..settings.clone()
        };
        let mut like = self.shared.iter();
        let shared = match like.find(|(shared, _)| shared.settings == settings) {
            Some((shared, _)) => shared.clone(),
            None => {
                // Before, so that what is not used any more takes no share.
                self.shared
                    .retain(|(shared, _)| Arc::strong_count(shared) > 1);
                let shared = Arc::new(self.share(settings)?);
                self.shared.push((shared.clone(), None));
                shared
            }
        };
        Ok(Client { shared, timeout })
    }

    fn share(&self, settings: ClientSettings) -> Result<Shared, String> {
        let (roots, idle) = match &settings.ca_file {
            None => (self.roots.0.clone(), self.idle - self.idle / 2),
            Some(path) => {
                let own = read_ca_file(path)?;
                let others = self.shared.iter();
                let others = others.filter(|(shared, _)| shared.settings.ca_file.is_some());
                let left = (self.idle / 2).saturating_sub(others.count() * MOST_IDLE_OF_CA_FILE);
                (
                    Arc::new(self.roots.0.iter().cloned().chain(own).collect()),
                    left.min(MOST_IDLE_OF_CA_FILE),
                )
            }
        };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(settings.user_agent.as_str())
            .accept("*/*")
            .max_idle_connections(idle)
            .max_idle_connections_per_host(idle)
            .max_idle_age(IDLE)
            .max_response_header_size(32 * 1024)
            .tls_config(
                TlsConfig::builder()
                    .root_certs(RootCerts::Specific(roots))
                    .build(),
            )
            .build();
        Ok(Shared {
            agent: Mutex::new(agent(&config, &settings, &self.lookups)),
            settings,
            is_used: AtomicBool::new(false),
            config,
        })
    }

    /// Closes connections that are idle while no request comes; ureq does while requests come.
    /// Returns when to call this again.
    pub fn close_idle(&mut self, now: Instant) -> Option<Instant> {
        for (shared, last_used) in &mut self.shared {
            if shared.is_used.swap(false, Ordering::SeqCst) {
                *last_used = Some(now);
            } else if last_used.is_some_and(|at| now.saturating_duration_since(at) >= IDLE) {
                *last_used = None;
                // Those in flight are closed when they are done.
                let fresh = agent(&shared.config, &shared.settings, &self.lookups);
                *shared.agent.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
            }
        }
        let last_used = self.shared.iter().filter_map(|(_, at)| *at);
        last_used.map(|at| at + IDLE).min()
    }
}

/// A pool of connections, with none yet.
fn agent(config: &Config, settings: &ClientSettings, lookups: &Arc<Lookups>) -> Agent {
    let resolver = CheckedResolver {
        lookups: lookups.clone(),
        allow_private_addresses: settings.allow_private_addresses,
    };
    let connector = DefaultConnector::new().chain(MarkSent);
    Agent::with_parts(config.clone(), connector, resolver)
}

/// What clients share whose settings are the same but for the timeout.
#[derive(Debug)]
struct Shared {
    settings: ClientSettings,
    config: Config,
    /// With the connections.
    agent: Mutex<Agent>,
    /// Since the last look.
    is_used: AtomicBool,
}

/// How requests to one server are sent.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
    timeout: Duration,
}

/// What the request of this thread is doing: only a request that was sent can have arrived.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Resolving,
    Connecting,
    Sent,
}

thread_local! {
    pub(super) static PHASE: Cell<Phase> = const { Cell::new(Phase::Resolving) };
}

impl Client {
    /// Sends a GET request, once, and reads the answer.
    ///
    /// If a kept connection breaks before an answer comes, it is unknown whether the request
    /// arrived, so it is not sent again here: that is an ambiguous failure.
    pub fn get(&self, url: &str) -> Reply {
        let reply = self.reply(url);
        self.shared.is_used.store(true, Ordering::SeqCst);
        reply
    }

    fn reply(&self, url: &str) -> Reply {
        PHASE.set(Phase::Resolving);
        let agent = self.shared.agent.lock();
        let agent = agent.unwrap_or_else(PoisonError::into_inner).clone();
        let request = agent.get(url).config().timeout_global(Some(self.timeout));
        let mut response = match request.build().call() {
            Ok(response) => response,
            Err(error) => return Reply::Failure(failure(&error, PHASE.get())),
        };
        let header = |name| {
            let value = response.headers().get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let location = header("location");
        let retry_after =
            header("retry-after").and_then(|value| parse_retry_after(&value, SystemTime::now()));
        let status = response.status().as_u16();
        let mut body = Vec::new();
        // The status is known: an answer whose body breaks off is an answer.
        let read = response
            .body_mut()
            .as_reader()
            .take(MOST_READ as u64)
            .read_to_end(&mut body);
        Reply::Answer(Answer {
            status,
            location,
            retry_after,
            is_cut: read.is_err() || body.len() == MOST_READ,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }
}

/// Whether this thread's last request was sent, or at least a part of it: it may have arrived.
pub(super) fn was_sent() -> bool {
    PHASE.get() == Phase::Sent
}

/// The roots that the system trusts, read once.
#[derive(Clone)]
pub struct SystemRoots(Arc<Vec<Certificate<'static>>>);

impl SystemRoots {
    /// Reads them from where the system keeps them (`SSL_CERT_FILE` and `SSL_CERT_DIR` count).
    pub fn load() -> SystemRoots {
        let found = rustls_native_certs::load_native_certs();
        let certificates = found
            .certs
            .iter()
            .map(|der| Certificate::from_der(der.as_ref()).to_owned())
            .collect();
        SystemRoots(Arc::new(certificates))
    }

    /// Whether there is none, so that no https server can be trusted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The certificates of a `ca_file`; a message if there are none to be read.
pub fn read_ca_file(path: &str) -> Result<Vec<Certificate<'static>>, String> {
    read_pem(path).map_err(|error| format!("ca_file {path}: {error}"))
}

fn read_pem(path: &str) -> Result<Vec<Certificate<'static>>, String> {
    let pem = std::fs::read(path).map_err(|error| error.to_string())?;
    let found: Result<Vec<CertificateDer>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let found = found.map_err(|_| "malformed PEM".to_owned())?;
    // ureq will ignore what is no certificate, without a word.
    match RootCertStore::empty().add_parsable_certificates(found.iter().cloned()) {
        (0, _) => Err("no certificate in it".to_owned()),
        _ => Ok(found
            .iter()
            .map(|der| Certificate::from_der(der).to_owned())
            .collect()),
    }
}

/// The last link of the chain of connectors: TCP and TLS stand, what passes now is the request.
///
/// ureq resolves the host's name for every request, but asks the connectors only if its pool has
/// no connection; so it is the connection that tells when a request is sent.
#[derive(Debug)]
struct MarkSent;

impl<In: Transport> Connector<In> for MarkSent {
    type Out = Marking<In>;

    fn connect(
        &self,
        _: &ConnectionDetails,
        connection: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        Ok(connection.map(Marking))
    }
}

#[derive(Debug)]
struct Marking<In>(In);

impl<In: Transport> Transport for Marking<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.0.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        PHASE.set(Phase::Sent);
        self.0.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.0.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.0.is_open()
    }

    fn is_tls(&self) -> bool {
        self.0.is_tls()
    }
}

fn failure(error: &ureq::Error, phase: Phase) -> Failure {
    use FailureKind::*;
    // What has no name of its own is about the URL, or the connection, or the answer.
    let other = match phase {
        Phase::Resolving => Internal,
        Phase::Connecting => Connecting,
        Phase::Sent => NotHttp,
    };
    let (kind, message) = match error {
        ureq::Error::HostNotFound => (NameResolution, String::new()),
        ureq::Error::Timeout(Timeout::Resolve) => (NameResolution, "timed out".to_owned()),
        ureq::Error::Timeout(_) => match phase {
            Phase::Resolving => (NameResolution, "timed out".to_owned()),
            Phase::Connecting => (TimedOutConnecting, String::new()),
            Phase::Sent => (TimedOutWaiting, String::new()),
        },
        ureq::Error::Other(error) if error.is::<PrivateAddress>() => {
            (AddressRefused, error.to_string())
        }
        ureq::Error::Tls(message) => (Tls, (*message).to_owned()),
        ureq::Error::Rustls(error) => (Tls, error.to_string()),
        ureq::Error::Io(error) => io_failure(error, phase),
        ureq::Error::ConnectionFailed => (Connecting, String::new()),
        // Its own text repeats the URL, secrets and all.
        ureq::Error::BadUri(_) => (Internal, "not a URL".to_owned()),
        ureq::Error::Protocol(error) => (other, error.to_string()),
        ureq::Error::Http(error) => (other, error.to_string()),
        error => (other, error.to_string()),
    };
    Failure {
        kind,
        ambiguous: phase == Phase::Sent,
        message,
    }
}

/// ENFILE and EMFILE, which std has no names for.
fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(23 | 24))
}

fn io_failure(error: &io::Error, phase: Phase) -> (FailureKind, String) {
    use FailureKind::*;
    let is_tls = error
        .get_ref()
        .is_some_and(|inner| inner.is::<rustls::Error>());
    let message = match (error.kind(), error.source()) {
        (io::ErrorKind::UnexpectedEof, _) => "closed by the other side".to_owned(),
        (_, Some(source)) => source.to_string(),
        (_, None) => error.to_string(),
    };
    let kind = match (error.kind(), phase) {
        _ if is_out_of_descriptors(error) => OutOfDescriptors,
        _ if is_tls => Tls,
        (_, Phase::Resolving) => NameResolution,
        (io::ErrorKind::ConnectionRefused, _) => return (ConnectionRefused, String::new()),
        (io::ErrorKind::TimedOut, Phase::Connecting) => TimedOutConnecting,
        (io::ErrorKind::TimedOut, Phase::Sent) => TimedOutWaiting,
        (_, Phase::Connecting) => Connecting,
        (_, Phase::Sent) => Reset,
    };
    (kind, message)
}
