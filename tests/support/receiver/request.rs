//! Requests as they come.
//!
//! A request's head is looked at before it is taken from the socket: a socket that is closed
//! with bytes unread sends RST instead of FIN, which is how `Answer::Reset` is done.

use std::io::Read;
use std::net::TcpStream;
use std::time::Instant;

/// A head that is longer ends the connection.
const MOST: usize = 64 * 1024;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// When its head had come.
    pub at: Instant,
    /// `GET`
    pub method: String,
    /// Path and query, byte for byte.
    pub target: String,
    /// What stands before the `?`, as it came.
    pub path: String,
    /// The query's pairs, in order, decoded. `+` means itself.
    pub query: Vec<(String, String)>,
    /// The headers, in order; names as they came.
    pub headers: Vec<(String, String)>,
    /// Which connection it came on, counted from 0.
    pub connection: usize,
}

impl Request {
    /// The decoded value of the first query parameter of that name.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let pair = self.query.iter().find(|(key, _)| key == name);
        pair.map(|(_, value)| value.as_str())
    }

    /// The value of the first header of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let pair = self
            .headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        pair.map(|(_, value)| value.as_str())
    }

    /// Whether the sender will not use the connection again.
    pub(super) fn wants_close(&self) -> bool {
        self.header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    /// Parses a head; `None` while it is not whole, else the request and the head's length.
    fn parse(bytes: &[u8], connection: usize) -> Result<Option<(Request, usize)>, httparse::Error> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut head = httparse::Request::new(&mut headers);
        let httparse::Status::Complete(length) = head.parse(bytes)? else {
            return Ok(None);
        };
        let target = head.path.unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let pairs = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decode(name), decode(value))
            });
        let request = Request {
            at: Instant::now(),
            method: head.method.unwrap_or_default().to_owned(),
            target: target.to_owned(),
            path: path.to_owned(),
            query: pairs.collect(),
            headers: (head.headers.iter())
                .map(|header| {
                    (
                        header.name.to_owned(),
                        String::from_utf8_lossy(header.value).into_owned(),
                    )
                })
                .collect(),
            connection,
        };
        Ok(Some((request, length)))
    }
}

/// Percent-decodes, without the code that is tested; what is no escape stays as it is.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digit = |at: usize| {
            after
                .get(at)
                .and_then(|byte| char::from(*byte).to_digit(16))
        };
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high * 16 + low).expect("two digits"));
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What has been read from a connection of a head that is not whole yet.
pub(super) struct Input {
    carried: Vec<u8>,
    chunk: Vec<u8>,
}

impl Default for Input {
    fn default() -> Self {
        Input {
            carried: Vec::new(),
            chunk: vec![0; 16 * 1024],
        }
    }
}

/// What a parsed request still has in the socket.
pub(super) struct Unread(usize);

impl Input {
    /// The next request; its last bytes are unread. `None` at the end of the connection.
    pub(super) fn next(
        &mut self,
        stream: &mut TcpStream,
        connection: usize,
    ) -> Option<(Request, Unread)> {
        self.carried.clear();
        loop {
            let came = stream.peek(&mut self.chunk).ok().filter(|came| *came > 0)?;
            let before = self.carried.len();
            let parsed = if before == 0 {
                Request::parse(&self.chunk[..came], connection)
            } else {
                self.carried.extend_from_slice(&self.chunk[..came]);
                let parsed = Request::parse(&self.carried, connection);
                self.carried.truncate(before);
                parsed
            };
            if let Some((request, head)) = parsed.ok()? {
                let body = request
                    .header("content-length")
                    .and_then(|text| text.parse().ok());
                let unread = head - before + body.unwrap_or(0);
                return Some((request, Unread(unread)));
            }
            stream.read_exact(&mut self.chunk[..came]).ok()?;
            self.carried.extend_from_slice(&self.chunk[..came]);
            if self.carried.len() > MOST {
                return None;
            }
        }
    }
}

impl Unread {
    /// Takes it from the socket, a body too; whether all of it came.
    pub(super) fn read(self, input: &mut Input, stream: &mut TcpStream) -> bool {
        let Unread(mut left) = self;
        while left > 0 {
            let part = left.min(input.chunk.len());
            if stream.read_exact(&mut input.chunk[..part]).is_err() {
                return false;
            }
            left -= part;
        }
        true
    }
}
