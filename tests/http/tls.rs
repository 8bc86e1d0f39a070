//! Whom we trust.

use std::env;
use std::path::Path;
use std::process::Command;

use pgrx_ext::delivery::FailureKind::Tls;
use pgrx_ext::http::client::{Client, ClientSettings};

use crate::certificates::{Authority, LOOPBACK, Validity, file};
use crate::liar::Liar;
use crate::{answer, client, client_of, clients, failure, settings};

#[test]
fn a_ca_file_is_trusted() {
    let (ours, other) = (Authority::new(), Authority::new());
    let liar = server_of(&ours);
    for (name, content) in [
        ("alone", ours.pem()),
        ("with others", other.pem() + &ours.pem()),
        ("with a text", format!("Our authority\n{}\n", ours.pem())),
        ("with CRLF", ours.pem().replace('\n', "\r\n")),
        ("with a key", key() + &ours.pem()),
        ("with what is none", no_certificate(&other) + &ours.pem()),
    ] {
        let file = file(content.as_bytes());
        let client = trusting(file.path());
        for host in LOOPBACK {
            let answer = answer(client.get(&liar.url_as("https", host)));
            assert_eq!(answer.body, "OK", "{name}, {host}");
        }
    }
}

#[test]
fn nobody_else_is_trusted() {
    let (ours, other) = (Authority::new(), Authority::new());
    let liar = server_of(&ours);
    let other = other.file();
    for client in [client(), trusting(other.path())] {
        let failure = failure(client.get(&liar.url()));
        assert_eq!(failure.kind, Tls, "{failure}");
    }
    assert!(liar.heads().is_empty());
}

/// The system's roots are read once, from where the environment says; so another process of this
/// test gets an environment where one authority is the system's.
#[test]
fn a_ca_file_is_trusted_besides_the_system() {
    const NAME: &str = "tls::a_ca_file_is_trusted_besides_the_system";
    const CA_FILE: &str = "IT_CA_FILE";
    const URLS: &str = "IT_URLS";

    if let (Some(ca_file), Ok(urls)) = (env::var_os(CA_FILE), env::var(URLS)) {
        let client = trusting(Path::new(&ca_file));
        for url in urls.split(' ') {
            assert_eq!(answer(client.get(url)).body, "OK");
        }
        return;
    }
    let (system, ours) = (Authority::new(), Authority::new());
    let servers = [server_of(&system), server_of(&ours)];
    let (system, ours) = (system.file(), ours.file());
    let output = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", NAME])
        .env("SSL_CERT_FILE", system.path())
        .env_remove("SSL_CERT_DIR")
        .env(CA_FILE, ours.path())
        .env(URLS, servers.each_ref().map(Liar::url).join(" "))
        .output()
        .expect("this program");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    for server in servers {
        assert_eq!(server.heads().len(), 1, "{said}");
    }
}

#[test]
fn a_ca_file_that_is_unreadable_is_said() {
    let authority = Authority::new();
    let pem = authority.pem();
    let half = &pem[..pem.len() / 2];
    let no_base64 = pem.replacen("MII", "!!!", 1);
    let no_certificate = no_certificate(&authority);
    for (name, content, said) in [
        ("empty", "", "no certificate in it"),
        (
            "a text",
            "There is no certificate here.\n",
            "no certificate in it",
        ),
        ("a key", &key(), "no certificate in it"),
        ("half of one", half, "malformed PEM"),
        ("no base64", &no_base64, "malformed PEM"),
        ("something else", &no_certificate, "no certificate in it"),
    ] {
        let file = file(content.as_bytes());
        check_refused(name, file.path(), said);
    }
    check_refused(
        "missing",
        Path::new("/nowhere/ca.pem"),
        "No such file or directory",
    );
    check_refused("a folder", Path::new("/"), "Is a directory");
    check_refused("no path", Path::new(""), "No such file or directory");
}

#[track_caller]
fn check_refused(name: &str, path: &Path, said: &str) {
    let path = path.to_string_lossy();
    let settings = ClientSettings {
        ca_file: Some(path.clone().into_owned()),
        ..settings()
    };
    let message = clients(16).client(&settings).expect_err(name);
    assert!(
        message.starts_with(&format!("ca_file {path}: {said}")),
        "{name}: {message}"
    );
}

/// PEM of what looks like a certificate until one looks into it.
fn no_certificate(authority: &Authority) -> String {
    authority.pem().replacen("MII", "MIJ", 1)
}

fn key() -> String {
    rcgen::KeyPair::generate().expect("a key").serialize_pem()
}

fn server_of(authority: &Authority) -> Liar {
    let config = authority.certify(LOOPBACK, Validity::Current);
    Liar::with_tls(config, |visit| {
        while visit.head().is_some() {
            visit.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK");
        }
    })
}

fn trusting(ca_file: &Path) -> Client {
    client_of(&ClientSettings {
        ca_file: Some(ca_file.to_string_lossy().into_owned()),
        ..settings()
    })
}
