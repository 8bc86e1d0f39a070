//! What a request is answered, well or badly.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// What a request gets.
#[derive(Clone, Debug)]
pub enum Answer {
    /// An HTTP answer; see [`Answer::status`].
    Status {
        /// 200 and so on.
        code: u16,
        /// Beside `Content-Length`, unless it is among them.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
        /// How long it takes.
        delay: Duration,
    },
    /// RST.
    Reset,
    /// The connection is closed without a byte.
    Close,
    /// Nothing, until the sender gives up or the receiver is dropped.
    Stall,
    /// 200 and a body without end.
    Flood,
    /// 200, and a byte of its body now and then, for ever.
    Drip {
        /// How long between two bytes.
        every: Duration,
    },
    /// Bytes that are no HTTP, then the end.
    Garbage,
    /// These bytes, then the end.
    Raw(Vec<u8>),
}

impl Answer {
    /// 200 without a body.
    pub fn ok() -> Answer {
        Answer::status(200)
    }

    /// A status without a body.
    pub fn status(code: u16) -> Answer {
        let (headers, body) = (Vec::new(), Vec::new());
        Answer::Status {
            code,
            headers,
            body,
            delay: Duration::ZERO,
        }
    }

    /// With a body; only an HTTP answer has one.
    pub fn with_body(mut self, text: impl Into<Vec<u8>>) -> Answer {
        if let Answer::Status { body, .. } = &mut self {
            *body = text.into();
        }
        self
    }

    /// With one more header; only an HTTP answer has one.
    pub fn with_header(mut self, name: &str, value: &str) -> Answer {
        if let Answer::Status { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Given after a while; only an HTTP answer can wait.
    pub fn after(mut self, time: Duration) -> Answer {
        if let Answer::Status { delay, .. } = &mut self {
            *delay = time;
        }
        self
    }

    /// Gives the answer; whether the connection can be used again.
    pub(super) fn write(self, stream: &mut TcpStream, pause: impl Fn(Duration)) -> bool {
        match self {
            Answer::Status {
                code,
                headers,
                body,
                delay,
            } => {
                if !delay.is_zero() {
                    pause(delay);
                }
                let has = |name: &str| headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
                let mut bytes = format!("HTTP/1.1 {code} Answer\r\n").into_bytes();
                for (name, value) in &headers {
                    bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
                }
                if code != 204 && code != 304 && !has("content-length") && !has("transfer-encoding")
                {
                    let length = format!("Content-Length: {}\r\n", body.len());
                    bytes.extend_from_slice(length.as_bytes());
                }
                bytes.extend_from_slice(b"\r\n");
                bytes.extend_from_slice(&body);
                stream.write_all(&bytes).is_ok() && !has("connection")
            }
            Answer::Reset | Answer::Close => false,
            Answer::Stall => {
                let mut rest = [0; 1024];
                while stream.read(&mut rest).is_ok_and(|count| count > 0) {}
                false
            }
            Answer::Flood => {
                let mut came = stream.write_all(b"HTTP/1.1 200 Answer\r\n\r\n");
                while came.is_ok() {
                    came = stream.write_all(&[b'x'; 64 * 1024]);
                }
                false
            }
            Answer::Drip { every } => {
                let head = b"HTTP/1.1 200 Answer\r\nContent-Length: 1000000\r\n\r\n";
                let mut came = stream.write_all(head);
                while came.is_ok() {
                    pause(every);
                    came = stream.write_all(b"x");
                }
                false
            }
            Answer::Garbage => {
                let _ = stream.write_all(b"\x16\x03\x01\x00\xff\x00 this is no HTTP\x00\r\n\r\n");
                false
            }
            Answer::Raw(bytes) => {
                let _ = stream.write_all(&bytes);
                false
            }
        }
    }
}
