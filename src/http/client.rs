//! One HTTP request: ureq, the address check, limits, and a name for each way to fail.

use std::cell::Cell;
use std::error::Error as _;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, DefaultConnector, NextTimeout, Transport,
};
use ureq::{Agent, Timeout};

use super::resolver::{CheckedResolver, PrivateAddress};
use crate::delivery::reply::{Answer, Failure, FailureKind, MOST_READ, Reply};
use crate::delivery::retry::parse_retry_after;

/// What a client is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientSettings {
    /// Limit for a whole request.
    pub timeout: Duration,
    /// Connections kept open.
    pub connections: usize,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// Loopback and private addresses may be called.
    pub allow_private_addresses: bool,
    /// A PEM file of roots that are trusted besides the system's.
    pub ca_file: Option<String>,
}

/// A pool of connections to one server.
#[derive(Clone, Debug)]
pub struct Client(Agent);

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
    /// A client with no connection yet. `roots` are the system's.
    ///
    /// Fails, with a message, if the `ca_file` cannot be read.
    pub fn new(settings: &ClientSettings, roots: &SystemRoots) -> Result<Client, String> {
        let roots = match &settings.ca_file {
            None => RootCerts::Specific(roots.0.clone()),
            Some(path) => {
                let own = read_pem(path).map_err(|error| format!("ca_file {path}: {error}"))?;
                RootCerts::Specific(Arc::new(roots.0.iter().cloned().chain(own).collect()))
            }
        };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(settings.user_agent.as_str())
            .accept("*/*")
            .max_idle_connections(settings.connections)
            .max_idle_connections_per_host(settings.connections)
            .max_response_header_size(32 * 1024)
            .timeout_global(Some(settings.timeout))
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .build();
        let resolver = CheckedResolver::new(settings.allow_private_addresses);
        let connector = DefaultConnector::new().chain(MarkSent);
        Ok(Client(Agent::with_parts(config, connector, resolver)))
    }

    /// Sends a GET request, once, and reads the answer.
    ///
    /// If a kept connection breaks before an answer comes, it is unknown whether the request
    /// arrived, so it is not sent again here: that is an ambiguous failure.
    pub fn get(&self, url: &str) -> Reply {
        PHASE.set(Phase::Resolving);
        let mut response = match self.0.get(url).call() {
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
        let _ = response
            .body_mut()
            .as_reader()
            .take(MOST_READ as u64)
            .read_to_end(&mut body);
        let body = String::from_utf8_lossy(&body).into_owned();
        Reply::Answer(Answer {
            status,
            location,
            retry_after,
            body,
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
