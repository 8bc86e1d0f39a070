//! What clients learn of settings, as a connection pooler does that sets them for its next client.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use crate::shop::{Shop, shared_cluster};

/// A session that sees PostgreSQL's messages.
struct Session(UnixStream);

impl Session {
    fn connect(shop: &Shop) -> Session {
        let cluster = shop.cluster;
        let socket = format!(".s.PGSQL.{}", cluster.port());
        let path = cluster.socket_folder().join(socket);
        let mut session = Session(UnixStream::connect(path).expect("a connection"));
        let version = 0x0003_0000_u32.to_be_bytes();
        let parameters = format!("user\0postgres\0database\0{}\0\0", shop.database);
        session.send(&[&version, parameters.as_bytes()].concat());
        session.read_reported();
        session
    }

    /// What a statement makes PostgreSQL report: each a name and its value.
    fn reported_by(&mut self, statement: &str) -> Vec<(String, String)> {
        self.0.write_all(b"Q").expect("written");
        self.send(format!("{statement}\0").as_bytes());
        self.read_reported()
    }

    fn send(&mut self, body: &[u8]) {
        let length = u32::try_from(body.len() + 4).expect("short");
        self.0.write_all(&length.to_be_bytes()).expect("written");
        self.0.write_all(body).expect("written");
    }

    /// Reads until PostgreSQL waits for the next statement.
    fn read_reported(&mut self) -> Vec<(String, String)> {
        let mut reported = Vec::new();
        loop {
            let mut head = [0; 5];
            self.0.read_exact(&mut head).expect("a message");
            let [kind, length @ ..] = head;
            let mut body = vec![0; u32::from_be_bytes(length) as usize - 4];
            self.0.read_exact(&mut body).expect("its body");
            let text = String::from_utf8_lossy(&body);
            match kind {
                b'S' => {
                    let (name, value) = text.split_once('\0').expect("a name");
                    reported.push((name.to_owned(), value.trim_end_matches('\0').to_owned()));
                }
                b'E' => panic!("{text}"),
                b'Z' => return reported,
                _ => {}
            }
        }
    }
}

#[test]
fn settings_that_change_what_is_queued_are_reported_to_clients() {
    let shop = Shop::open(shared_cluster(), "settings_reported");
    let mut session = Session::connect(&shop);
    for (statement, name, value) in [
        ("set s2s.enabled = off", "s2s.enabled", "off"),
        ("reset s2s.enabled", "s2s.enabled", "on"),
        (
            "set s2s.on_invalid_row = error",
            "s2s.on_invalid_row",
            "error",
        ),
        ("discard all", "s2s.on_invalid_row", "park"),
    ] {
        let reported = session.reported_by(statement);
        assert_eq!(reported, [(name.to_owned(), value.to_owned())]);
    }
}
