//! Threads that send: requests go in over one channel, what their replies mean comes out over
//! another, and a byte on a socket, the bell, tells the worker's main thread to look.
//!
//! A reply is judged by the thread that got it: what that takes depends on what strangers wrote.
//!
//! Nothing here knows PostgreSQL. The threads must be started with signals blocked, so that no
//! handler of the process's runs on one of them.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::client::{self, Client};
use crate::delivery::Timestamp;
use crate::delivery::reply::{Failure, FailureKind, Reply};

/// Stack of a thread: what Rust gives threads by default, so what the TLS library and the others are
/// tested with, whatever `RUST_MIN_STACK` says in the postmaster's environment. A thread that runs out of
/// it ends the process. Pages that are never touched take no memory, but count towards the commit limit where
/// `vm.overcommit_memory` is 2.
pub(super) const STACK: usize = 2 * 1024 * 1024;

/// A request on its way to the pool. It has no `Debug`: its URL may hold a password.
pub struct Request<T> {
    /// The callback's id.
    pub id: i64,
    /// Whose connections to use.
    pub client: Client,
    /// What to get.
    pub url: String,
    /// What its reply means.
    pub judge: Box<dyn FnOnce(Reply) -> T + Send>,
}

/// A request that is done.
#[derive(Debug)]
pub struct Finished<T> {
    /// The callback's id.
    pub id: i64,
    /// What the reply means, or that sending or judging panicked.
    pub judged: Result<T, Failure>,
    /// When the request started.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration: Duration,
}

/// The pool's handle, kept by the main thread. Dropping it ends the threads once they are done.
#[derive(Debug)]
pub struct Pool<T> {
    requests: Sender<Request<T>>,
    finished: Receiver<Finished<T>>,
    bell: UnixStream,
    rung: Arc<AtomicBool>,
}

impl<T: Send + 'static> Pool<T> {
    /// Starts the threads.
    pub fn start(threads: usize) -> io::Result<Pool<T>> {
        let (requests, incoming) = channel::<Request<T>>();
        let (outgoing, finished) = channel::<Finished<T>>();
        let (bell, rope) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        rope.set_nonblocking(true)?;
        let rung = Arc::new(AtomicBool::new(false));
        let incoming = Arc::new(Mutex::new(incoming));
        for number in 0..threads {
            let incoming = incoming.clone();
            let outgoing = outgoing.clone();
            let ringer = Ringer {
                rope: rope.try_clone()?,
                rung: rung.clone(),
            };
            std::thread::Builder::new()
                .name(format!("s2s http {number}"))
                .stack_size(STACK)
                .spawn(move || send_all(&incoming, &outgoing, &ringer))?;
        }
        Ok(Pool {
            requests,
            finished,
            bell,
            rung,
        })
    }

    /// Hands a request to the next free thread.
    pub fn send(&self, request: Request<T>) {
        // The threads live as long as the sender; a send cannot fail while `self` exists.
        let _ = self.requests.send(request);
    }

    /// Becomes readable when requests are done.
    pub fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// All requests that are done, without waiting. Stills the bell.
    pub fn finished(&self) -> Vec<Finished<T>> {
        // First take the byte, then let the threads ring again, then look: what finished before
        // is seen here, and what finishes afterwards rings. The other way round, a byte could be
        // taken of a thread that rang in between, and the bell would never ring again.
        let mut bytes = [0; 64];
        while matches!((&self.bell).read(&mut bytes), Ok(read) if read > 0) {}
        self.rung.store(false, Ordering::SeqCst);
        self.finished.try_iter().collect()
    }
}

/// The threads' end of the bell.
struct Ringer {
    rope: UnixStream,
    rung: Arc<AtomicBool>,
}

impl Ringer {
    fn ring(&self) {
        if !self.rung.swap(true, Ordering::SeqCst) {
            // A full socket buffer has rung enough.
            let _ = (&self.rope).write(&[1]);
        }
    }
}

fn send_all<T>(
    incoming: &Mutex<Receiver<Request<T>>>,
    outgoing: &Sender<Finished<T>>,
    ringer: &Ringer,
) {
    loop {
        let request = incoming
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        let Ok(request) = request else { return };
        if outgoing.send(send(request)).is_err() {
            return;
        }
        ringer.ring();
    }
}

fn send<T>(request: Request<T>) -> Finished<T> {
    let id = request.id;
    let started_at = SystemTime::now().into();
    let clock = Instant::now();
    let get_and_judge = || (request.judge)(request.client.get(&request.url));
    let judged = catch_unwind(AssertUnwindSafe(get_and_judge)).map_err(|_| Failure {
        kind: FailureKind::Internal,
        ambiguous: client::was_sent(),
        message: "the HTTP client panicked".to_owned(),
    });
    Finished {
        id,
        judged,
        started_at,
        duration: clock.elapsed(),
    }
}
