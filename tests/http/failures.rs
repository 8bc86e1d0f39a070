//! Every way to get no answer.

use std::collections::HashSet;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use pgrx_ext::delivery::FailureKind::{self, *};
use pgrx_ext::delivery::{Failure, Reply};
use pgrx_ext::http::client::{Client, ClientSettings};
use rustls::ServerConfig;

use crate::certificates::{Authority, LOOPBACK, Validity, self_signed};
use crate::liar::{Liar, Visit};
use crate::support::{Answer, Receiver};
use crate::{brief_client, client, client_of, failure, settings};

/// A way to get no answer, and what is said about it.
struct Way {
    name: &'static str,
    kind: FailureKind,
    /// Whether the request may have arrived.
    ambiguous: bool,
    /// How the message begins.
    message: &'static str,
    provoke: fn() -> Provoked,
}

struct Provoked {
    reply: Reply,
    /// Whether the other side has read a request.
    arrived: bool,
}

const fn way(
    name: &'static str,
    kind: FailureKind,
    ambiguous: bool,
    message: &'static str,
    provoke: fn() -> Provoked,
) -> Way {
    Way {
        name,
        kind,
        ambiguous,
        message,
        provoke,
    }
}

const WAYS: &[Way] = &[
    way(
        "a name that nobody has",
        NameResolution,
        false,
        "name resolution failed: ",
        || nobody("http://nobody.invalid/"),
    ),
    way(
        "a private address",
        AddressRefused,
        false,
        "address refused: \"127.0.0.1\" is a loopback, private or link-local address",
        private_address,
    ),
    way(
        "a port where nobody listens",
        ConnectionRefused,
        false,
        "connection refused",
        refused_port,
    ),
    way(
        "an address without a route",
        Connecting,
        false,
        "connection failed: ",
        || nobody("http://255.255.255.255/"),
    ),
    way(
        "a full backlog",
        TimedOutConnecting,
        false,
        "timed out while connecting",
        full_backlog,
    ),
    way(
        "a server without TLS that says nothing",
        TimedOutConnecting,
        false,
        "timed out while connecting",
        || https(&brief_client(), Liar::new(|visit| visit.wait())),
    ),
    way(
        "a handshake that breaks off",
        Connecting,
        false,
        "connection failed: closed by the other side",
        || https(&client(), Liar::new(|_| {})),
    ),
    way(
        "plain HTTP on an https URL",
        Tls,
        false,
        "TLS failed: received corrupt message of type InvalidContentType",
        || {
            https(
                &client(),
                Liar::new(|visit| _ = visit.say("HTTP/1.1 400 Bad\r\n\r\n")),
            )
        },
    ),
    way(
        "a certificate that vouches for itself",
        Tls,
        false,
        "TLS failed: invalid peer certificate: UnknownIssuer",
        || trusting(&Authority::new(), self_signed(), &ANSWER),
    ),
    way(
        "an expired certificate",
        Tls,
        false,
        "TLS failed: invalid peer certificate: certificate expired",
        || certified(LOOPBACK, Validity::Expired, &ANSWER),
    ),
    way(
        "a certificate of the future",
        Tls,
        false,
        "TLS failed: invalid peer certificate: certificate not valid yet",
        || certified(LOOPBACK, Validity::Future, &ANSWER),
    ),
    way(
        "a certificate of another host",
        Tls,
        false,
        "TLS failed: invalid peer certificate: certificate not valid for name \"127.0.0.1\"",
        || certified(&["elsewhere.example"], Validity::Current, &ANSWER),
    ),
    way(
        "nonsense in the place of a TLS record",
        Tls,
        true,
        "TLS failed: received corrupt message of type InvalidContentType",
        || {
            certified(LOOPBACK, Validity::Current, &|visit| {
                visit.head();
                visit.say_raw("this is no TLS");
            })
        },
    ),
    way(
        "the connection closed within TLS",
        Reset,
        true,
        "connection lost before the answer: closed by the other side",
        || certified(LOOPBACK, Validity::Current, &|visit| _ = visit.head()),
    ),
    way(
        "silence within TLS",
        TimedOutWaiting,
        true,
        "timed out while waiting for the answer",
        || {
            certified(LOOPBACK, Validity::Current, &|visit| {
                visit.head();
                visit.wait();
            })
        },
    ),
    way(
        "the connection reset",
        Reset,
        true,
        "connection lost before the answer: Connection reset by peer",
        || http(&client(), Answer::Reset),
    ),
    way(
        "the connection closed without an answer",
        Reset,
        true,
        "connection lost before the answer: closed by the other side",
        || http(&client(), Answer::Close),
    ),
    way(
        "the connection closed within the head",
        Reset,
        true,
        "connection lost before the answer: closed by the other side",
        || {
            http(
                &client(),
                Answer::Raw(b"HTTP/1.1 200 OK\r\nContent-".to_vec()),
            )
        },
    ),
    way(
        "silence",
        TimedOutWaiting,
        true,
        "timed out while waiting for the answer",
        || http(&brief_client(), Answer::Stall),
    ),
    way(
        "something that is no HTTP",
        NotHttp,
        true,
        "answer is not HTTP: ",
        || http(&client(), Answer::Garbage),
    ),
    way("HTTP/2", NotHttp, true, "answer is not HTTP: ", || {
        http(&client(), Answer::Raw(b"HTTP/2 200\r\n\r\n".to_vec()))
    }),
    way(
        "a head without end",
        NotHttp,
        true,
        "answer is not HTTP: response header is too big: ",
        || {
            http(
                &client(),
                Answer::Raw([b"HTTP/1.1 200 OK\r\nX: ", "x".repeat(100_000).as_bytes()].concat()),
            )
        },
    ),
    way(
        "something that is no URL",
        Internal,
        false,
        "internal error: ",
        || nobody("http://exa mple/"),
    ),
    way(
        "a URL without a scheme",
        Internal,
        false,
        "internal error: ",
        || nobody("/secret"),
    ),
    way(
        "a URL that is too long",
        Internal,
        false,
        "internal error: ",
        || nobody(&format!("http://127.0.0.1/{}", "x".repeat(100_000))),
    ),
];

/// What came of each way.
static FAILURES: LazyLock<Vec<(&Way, Failure, bool)>> = LazyLock::new(|| {
    let provoked = |way: &'static Way| {
        let Provoked { reply, arrived } = (way.provoke)();
        match reply {
            Reply::Failure(failure) => (way, failure, arrived),
            Reply::Answer(answer) => panic!("{}: {answer:?}", way.name),
        }
    };
    WAYS.iter().map(provoked).collect()
});

#[test]
fn each_way_to_fail_has_its_own_message() {
    for (way, failure, _) in FAILURES.iter() {
        let message = failure.to_string();
        assert_eq!(failure.kind, way.kind, "{}: {message}", way.name);
        assert!(message.starts_with(way.message), "{}: {message}", way.name);
        assert!(!message.contains("secret"), "{}: {message}", way.name);
        assert!(!message.contains('\n'), "{}: {message}", way.name);
    }
    // One beginning for each kind, and another for each.
    let (mut kinds, mut beginnings) = (HashSet::new(), HashSet::new());
    for (_, failure, _) in FAILURES.iter() {
        let beginning = failure.to_string().split(':').next().map(str::to_owned);
        kinds.insert((failure.kind as u8, beginning.clone()));
        beginnings.insert(beginning);
    }
    assert_eq!((kinds.len(), beginnings.len()), (10, 10), "{kinds:?}");
}

#[test]
fn ambiguous_is_said_only_when_the_request_may_have_arrived() {
    for (way, failure, arrived) in FAILURES.iter() {
        assert_eq!(failure.ambiguous, way.ambiguous, "{}", way.name);
        assert!(failure.ambiguous || !arrived, "{} did arrive", way.name);
    }
}

#[test]
fn private_addresses_are_not_called() {
    let receiver = Receiver::new();
    let careful = client_of(&ClientSettings {
        allow_private_addresses: false,
        ..settings()
    });
    for host in [
        "127.0.0.1",
        "127.1",
        "127.255.255.254",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0.0.0.0",
        "0",
        "localhost",
        "LOCALHOST",
        "[::1]",
        "[::]",
        "[::127.0.0.1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::ffff:0:0]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b:1::1]",
        "[2002:7f00:1::]",
        "[2001::1]",
        "[2001:2::1]",
        "[3fff::1]",
        "[fe80::1]",
        "[fc00::1]",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "255.255.255.255",
        "user:secret@127.0.0.1",
    ] {
        let url = format!("http://{host}:{}/", receiver.address().port());
        let failure = failure(careful.get(&url));
        assert_eq!(failure.kind, AddressRefused, "{host}: {failure}");
        assert!(!failure.ambiguous, "{host}");
        let named = host.rsplit('@').next().unwrap_or(host);
        assert_eq!(
            failure.to_string(),
            format!(
                "address refused: \"{named}\" is a loopback, private or link-local address, \
                 and s2s.allow_private_addresses is off"
            )
        );
    }
    assert_eq!(receiver.connections(), 0);
}

/// An honest answer.
const ANSWER: fn(&mut Visit) = |visit| {
    if visit.head().is_some() {
        visit.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
};

fn nobody(url: &str) -> Provoked {
    let reply = client().get(url);
    Provoked {
        reply,
        arrived: false,
    }
}

fn private_address() -> Provoked {
    let receiver = Receiver::new();
    let careful = client_of(&ClientSettings {
        allow_private_addresses: false,
        ..settings()
    });
    Provoked {
        reply: careful.get(&receiver.url("/")),
        arrived: receiver.connections() > 0,
    }
}

/// A connection's own port: it is taken, and nobody listens there.
fn refused_port() -> Provoked {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let stream = TcpStream::connect(listener.local_addr().expect("its address")).expect("itself");
    let port = stream.local_addr().expect("the other address").port();
    nobody(&format!("http://127.0.0.1:{port}/"))
}

/// A server that accepts nothing, and a queue before it that is full: connections that their
/// owners have closed stay in it, so this takes no descriptors.
fn full_backlog() -> Provoked {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("its address");
    let long_enough = Duration::from_millis(200);
    while TcpStream::connect_timeout(&address, long_enough).is_ok() {}
    let reply = brief_client().get(&format!("http://{address}/"));
    Provoked {
        reply,
        arrived: false,
    }
}

fn http(client: &Client, answer: Answer) -> Provoked {
    let receiver = Receiver::answering(move |_| answer.clone());
    Provoked {
        reply: client.get(&receiver.url("/")),
        arrived: receiver.count() > 0,
    }
}

fn https(client: &Client, liar: Liar) -> Provoked {
    let reply = client.get(&liar.url_as("https", "127.0.0.1"));
    Provoked {
        reply,
        arrived: !liar.heads().is_empty(),
    }
}

/// A server with a certificate by an authority that the client knows.
fn certified(names: &[&str], validity: Validity, serve: &'static Serve) -> Provoked {
    let authority = Authority::new();
    let config = authority.certify(names, validity);
    trusting(&authority, config, serve)
}

type Serve = dyn Fn(&mut Visit) + Send + Sync;

fn trusting(authority: &Authority, config: Arc<ServerConfig>, serve: &'static Serve) -> Provoked {
    let liar = Liar::with_tls(config, serve);
    let file = authority.file();
    let client = client_of(&ClientSettings {
        // Time enough for a handshake on a busy machine.
        timeout: Duration::from_secs(1),
        ca_file: Some(file.path().to_string_lossy().into_owned()),
        ..settings()
    });
    Provoked {
        reply: client.get(&liar.url()),
        arrived: !liar.heads().is_empty(),
    }
}
