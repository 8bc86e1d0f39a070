//! An HTTP/1.1 receiver on loopback that writes down every request and answers as it is told.
//!
//! One thread accepts, one serves each connection, none polls. Dropping the receiver ends them
//! all and closes the port; [`Receiver::at`] opens it again.

mod answer;
mod request;

use std::collections::HashMap;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub use answer::Answer;
pub use request::Request;

/// What decides how a request is answered.
type Behaviour = dyn Fn(&Request) -> Answer + Send + Sync;

/// A connection's thread needs little.
const STACK: usize = 256 * 1024;

/// The receiver.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

/// What the threads share.
struct Shared {
    state: Mutex<State>,
    /// Rings at every request, at the end of every connection and at the stop.
    changed: Condvar,
}

struct State {
    stopped: bool,
    behaviour: Arc<Behaviour>,
    ledger: Vec<Arc<Request>>,
    /// Open connections by number.
    open: HashMap<usize, TcpStream>,
    accepted: usize,
}

impl Receiver {
    /// One that answers 200 to everything, on a port that the system chooses.
    pub fn new() -> Receiver {
        Receiver::answering(|_| Answer::ok())
    }

    /// One that answers as `behaviour` says.
    pub fn answering(behaviour: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Receiver {
        let receiver = Receiver::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        receiver.answer_with(behaviour);
        receiver
    }

    /// One at an address of loopback, such as that of a receiver that was dropped. Answers 200.
    pub fn at(address: SocketAddr) -> Receiver {
        assert!(address.ip().is_loopback(), "{address} is not on loopback");
        let listener = TcpListener::bind(address).expect("a port on loopback");
        let address = listener.local_addr().expect("the receiver's address");
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                stopped: false,
                behaviour: Arc::new(|_| Answer::ok()),
                ledger: Vec::new(),
                open: HashMap::new(),
                accepted: 0,
            }),
            changed: Condvar::new(),
        });
        let acceptor = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.accept_all(&listener)
        });
        Receiver {
            address,
            shared,
            acceptor: Some(acceptor),
        }
    }

    /// Changes how requests are answered from now on.
    pub fn answer_with(&self, behaviour: impl Fn(&Request) -> Answer + Send + Sync + 'static) {
        self.shared.lock().behaviour = Arc::new(behaviour);
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// An http URL of a path here: `url("/l")`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// All requests so far, in the order in which they came.
    pub fn requests(&self) -> Vec<Arc<Request>> {
        self.shared.lock().ledger.clone()
    }

    /// All requests so far; the ledger is empty afterwards.
    pub fn take_requests(&self) -> Vec<Arc<Request>> {
        std::mem::take(&mut self.shared.lock().ledger)
    }

    /// The targets (path and query as sent) of all requests so far.
    pub fn targets(&self) -> Vec<String> {
        self.shared
            .lock()
            .ledger
            .iter()
            .map(|request| request.target.clone())
            .collect()
    }

    /// The values of a query parameter in all requests so far; requests without it are left out.
    pub fn values(&self, parameter: &str) -> Vec<String> {
        let state = self.shared.lock();
        let values = state
            .ledger
            .iter()
            .filter_map(|request| request.parameter(parameter));
        values.map(str::to_owned).collect()
    }

    /// How many requests came.
    pub fn count(&self) -> usize {
        self.shared.lock().ledger.len()
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> usize {
        self.shared.lock().accepted
    }

    /// Waits until `count` requests came and returns them; panics if they do not in time.
    #[track_caller]
    pub fn wait_for(&self, count: usize, deadline: Duration) -> Vec<Arc<Request>> {
        let state = self.shared.lock();
        let waiting = |state: &mut State| state.ledger.len() < count;
        let (state, _) = self
            .shared
            .changed
            .wait_timeout_while(state, deadline, waiting)
            .unwrap_or_else(PoisonError::into_inner);
        let came = state.ledger.len();
        assert!(
            came >= count,
            "{came} of {count} requests came within {deadline:?}"
        );
        state.ledger.clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.stopped = true;
        self.shared.changed.notify_all();
        for connection in state.open.values() {
            let _ = connection.shutdown(Shutdown::Both);
        }
        drop(state);
        // The acceptor sees `stopped` at its next connection, which is this one.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        let state = self.shared.lock();
        let ended = self
            .shared
            .changed
            .wait_while(state, |state| !state.open.is_empty());
        drop(ended.unwrap_or_else(PoisonError::into_inner));
    }
}

impl Shared {
    /// A behaviour that panics, as a failed assertion does, leaves the state as it was.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept_all(self: &Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            let mut state = self.lock();
            if state.stopped {
                return;
            }
            let Ok(stream) = stream else { continue };
            let Ok(clone) = stream.try_clone() else {
                continue;
            };
            let number = state.accepted;
            state.accepted += 1;
            state.open.insert(number, clone);
            drop(state);
            let served = Served {
                shared: Arc::clone(self),
                number,
            };
            let serve = move || served.serve(stream);
            // Without a thread the connection is closed; `Served` takes it from the table.
            let _ = thread::Builder::new().stack_size(STACK).spawn(serve);
        }
    }

    /// Waits for a while, or until the receiver stops.
    fn pause(&self, time: Duration) {
        let state = self.lock();
        let waited = self
            .changed
            .wait_timeout_while(state, time, |state| !state.stopped);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

/// A connection in the table; it leaves the table when its thread ends, also by a panic.
struct Served {
    shared: Arc<Shared>,
    number: usize,
}

impl Served {
    fn serve(&self, mut stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let mut input = request::Input::default();
        while let Some((request, unread)) = input.next(&mut stream, self.number) {
            let request = Arc::new(request);
            let mut state = self.shared.lock();
            let behaviour = Arc::clone(&state.behaviour);
            state.ledger.push(Arc::clone(&request));
            self.shared.changed.notify_all();
            drop(state);
            let answer = behaviour(&request);
            if matches!(answer, Answer::Reset) || !unread.read(&mut input, &mut stream) {
                return;
            }
            let pause = |time| self.shared.pause(time);
            if !answer.write(&mut stream, pause) || request.wants_close() {
                return;
            }
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.shared.lock().open.remove(&self.number);
        self.shared.changed.notify_all();
    }
}

impl Default for Receiver {
    fn default() -> Self {
        Receiver::new()
    }
}
