//! A server on loopback each of whose connections a closure serves: for what an `Answer` of the
//! receiver cannot say, such as a head that drips, TLS, or what happens between two requests.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Between two bytes that drip.
const DRIP: Duration = Duration::from_millis(10);

/// The server. Dropping it closes its connections and ends its threads.
pub struct Liar {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared(Mutex<State>);

#[derive(Default)]
struct State {
    stopped: bool,
    streams: Vec<TcpStream>,
    heads: Vec<String>,
    open: usize,
}

impl Liar {
    /// One that speaks, or does not speak, HTTP.
    pub fn new(serve: impl Fn(&mut Visit) + Send + Sync + 'static) -> Liar {
        Liar::start("http", None, serve)
    }

    /// One that does so within TLS.
    pub fn with_tls(
        config: Arc<ServerConfig>,
        serve: impl Fn(&mut Visit) + Send + Sync + 'static,
    ) -> Liar {
        Liar::start("https", Some(config), serve)
    }

    fn start(
        scheme: &'static str,
        tls: Option<Arc<ServerConfig>>,
        serve: impl Fn(&mut Visit) + Send + Sync + 'static,
    ) -> Liar {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
        let address = listener.local_addr().expect("its address");
        let shared = Arc::new(Shared::default());
        let acceptor = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.accept_all(&listener, tls.as_ref(), &serve)
        });
        Liar {
            address,
            scheme,
            shared,
            acceptor: Some(acceptor),
        }
    }

    /// A URL of it, as it is honest to call it.
    pub fn url(&self) -> String {
        format!("{}://{}/", self.scheme, self.address)
    }

    /// A URL of it with another scheme or host.
    pub fn url_as(&self, scheme: &str, host: &str) -> String {
        format!("{scheme}://{host}:{}/", self.address.port())
    }

    /// The heads of all requests so far.
    pub fn heads(&self) -> Vec<String> {
        self.shared.lock().heads.clone()
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> usize {
        self.shared.lock().streams.len()
    }

    /// How many of them are still being served.
    pub fn open(&self) -> usize {
        self.shared.lock().open
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.stopped = true;
        for stream in &state.streams {
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(state);
        // The acceptor sees `stopped` at its next connection, which is this one.
        let _ = TcpStream::connect(self.address);
        let ended = self.acceptor.take().map(JoinHandle::join);
        assert!(
            thread::panicking() || matches!(ended, Some(Ok(()))),
            "a connection's closure panicked"
        );
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves every connection in a thread; returns when all have ended.
    fn accept_all(
        &self,
        listener: &TcpListener,
        tls: Option<&Arc<ServerConfig>>,
        serve: &(impl Fn(&mut Visit) + Send + Sync),
    ) {
        thread::scope(|scope| {
            for stream in listener.incoming() {
                let mut state = self.lock();
                if state.stopped {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let number = state.streams.len();
                state
                    .streams
                    .push(stream.try_clone().expect("a descriptor"));
                state.open += 1;
                drop(state);
                scope.spawn(move || {
                    let wire = Wire::new(stream, tls);
                    serve(&mut Visit {
                        number,
                        wire,
                        shared: self,
                    });
                });
            }
        });
    }
}

enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Wire {
    fn new(stream: TcpStream, tls: Option<&Arc<ServerConfig>>) -> Wire {
        let _ = stream.set_nodelay(true);
        match tls {
            None => Wire::Plain(stream),
            Some(config) => {
                let connection = ServerConnection::new(Arc::clone(config)).expect("TLS");
                Wire::Tls(Box::new(StreamOwned::new(connection, stream)))
            }
        }
    }
}

/// One connection, from the server's side. It is closed when the closure returns.
pub struct Visit<'a> {
    /// Which connection it is, counted from 0.
    pub number: usize,
    wire: Wire,
    shared: &'a Shared,
}

impl Visit<'_> {
    /// The next request's head; `None` when there is none.
    pub fn head(&mut self) -> Option<String> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            let came = match &mut self.wire {
                Wire::Plain(stream) => stream.read(&mut byte),
                Wire::Tls(stream) => stream.read(&mut byte),
            };
            if came.ok()? == 0 {
                return None;
            }
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        self.shared.lock().heads.push(head.clone());
        Some(head)
    }

    /// Says something; whether the other side is there.
    pub fn say(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        match &mut self.wire {
            Wire::Plain(stream) => stream.write_all(bytes.as_ref()).is_ok(),
            Wire::Tls(stream) => stream.write_all(bytes.as_ref()).is_ok(),
        }
    }

    /// Says something below TLS.
    pub fn say_raw(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.socket().write_all(bytes.as_ref()).is_ok()
    }

    /// Says it over and over, as fast as it goes, until the other side leaves; how many bytes
    /// went into the connection.
    pub fn flood(&mut self, bytes: impl AsRef<[u8]>) -> usize {
        let bytes = bytes.as_ref().repeat(1 + 65_536 / bytes.as_ref().len());
        let mut said = 0;
        while self.say(&bytes) {
            said += bytes.len();
        }
        said
    }

    /// Says it over and over, a byte at a time and slowly, until the other side leaves.
    pub fn drip(&mut self, bytes: impl AsRef<[u8]>) {
        for byte in bytes.as_ref().iter().cycle() {
            if !self.say([*byte]) || !self.listen(Some(DRIP)) {
                return;
            }
        }
    }

    /// Waits until the other side leaves.
    pub fn wait(&mut self) {
        while self.listen(None) {}
    }

    /// Closes the connection.
    pub fn close(&mut self) {
        // The table has a clone of the socket, so that dropping this one would not close it.
        let _ = self.socket().shutdown(Shutdown::Both);
    }

    /// Waits for whatever comes, or for a while; whether the other side is there.
    fn listen(&mut self, time: Option<Duration>) -> bool {
        let socket = self.socket();
        let _ = socket.set_read_timeout(time);
        match socket.read(&mut [0; 1024]) {
            Ok(came) => came > 0,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        }
    }

    fn socket(&mut self) -> &mut TcpStream {
        match &mut self.wire {
            Wire::Plain(stream) => stream,
            Wire::Tls(stream) => &mut stream.sock,
        }
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.close();
        self.shared.lock().open -= 1;
    }
}
