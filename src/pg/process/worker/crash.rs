//! A crash of one of the pool's threads ends the worker, in order, and not the whole server.
//!
//! If a process of PostgreSQL's dies by a signal, the postmaster ends all sessions and recovers,
//! since shared memory may be spoiled. The pool's threads, and those that resolve names for them
//! (unless one of these runs out of stack), have nothing to do with it. So one that crashes is held
//! where it is, and the main thread is told to stop; it ends the process with `proc_exit`, and the
//! launcher starts another worker. If it does not get that far, because the held thread has a lock
//! that it needs (malloc's, say), the process dies by the signal after all.
//!
//! A crash of the main thread remains what it is. And nobody notices what a thread may have written
//! to a wrong place before it crashed: a write that goes wild can still spoil the memory that all
//! share, as it can in any process of the server.

use std::ffi::c_int;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering::SeqCst};

/// What a thread does to itself.
const SIGNALS: [(c_int, &str); 5] = [
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGABRT, "SIGABRT"),
];

/// So long the main thread has to end the process, in seconds. What it is doing just then is one
/// short transaction, which waits for each lock for two (`lock_timeout`) and, once told to stop,
/// not for standbys. If the disk takes longer, the process dies by the signal.
const LONGEST_END: u32 = 10;

/// Of the stack that a thread handles a signal on if its own has run out. The kernel's frame alone
/// takes 1 kB to 12 kB, depending on the processor.
const SPARE_STACK: usize = 64 * 1024;

/// The first signal that a thread crashed with; zero: none has.
static CRASHED: AtomicI32 = AtomicI32::new(0);

/// What was done about each of the signals before, as PostgreSQL set it.
static BEFORE: OnceLock<[libc::sigaction; SIGNALS.len()]> = OnceLock::new();

/// The signal that a thread crashed with: `signal 11 (SIGSEGV)`.
pub fn seen() -> Option<String> {
    let crashed = CRASHED.load(SeqCst);
    let (number, name) = SIGNALS.iter().find(|(number, _)| *number == crashed)?;
    Some(format!("signal {number} ({name})"))
}

/// Takes care of crashes from now on. Before the threads start, in the main thread.
#[allow(unsafe_code)]
pub fn watch() {
    let before = SIGNALS.map(|(signal, _)| {
        // SAFETY: zeroes are a sigaction without flags. The handler has the form that it has
        // without SA_SIGINFO; while it runs no other signal's does.
        unsafe {
            let mut ours: libc::sigaction = std::mem::zeroed();
            let mut before = std::mem::zeroed();
            ours.sa_sigaction = on_crash as *const () as usize;
            ours.sa_flags = libc::SA_ONSTACK;
            libc::sigfillset(&mut ours.sa_mask);
            libc::sigaction(signal, &ours, &mut before);
            before
        }
    });
    let _ = BEFORE.set(before);
}

/// Lets this thread's crashes be seen: by default the kernel ends a process that crashes with the
/// signal blocked, as the pool's threads have all of them, and one that has run out of stack.
#[allow(unsafe_code)]
pub fn watch_thread() {
    let stack = Vec::leak(vec![0u8; SPARE_STACK]);
    // SAFETY: the stack is never freed; the set is initialised by sigemptyset. Both calls are about
    // this thread alone.
    unsafe {
        let spare = libc::stack_t {
            ss_sp: stack.as_mut_ptr().cast(),
            ss_flags: 0,
            ss_size: stack.len(),
        };
        libc::sigaltstack(&spare, std::ptr::null_mut());
        let mut crashes = std::mem::zeroed();
        libc::sigemptyset(&mut crashes);
        for (signal, _) in SIGNALS {
            libc::sigaddset(&mut crashes, signal);
        }
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &crashes, std::ptr::null_mut());
    }
}

/// Runs in the thread that crashes.
#[allow(unsafe_code)]
unsafe extern "C" fn on_crash(signal: c_int) {
    // SAFETY: atomics, and functions that POSIX allows in a handler. What is raised here waits
    // until the handler returns, since it is blocked meanwhile.
    unsafe {
        let process = libc::getpid();
        if libc::syscall(libc::SYS_gettid) == libc::c_long::from(process) {
            let place = SIGNALS.iter().position(|(number, _)| *number == signal);
            match BEFORE.get().zip(place) {
                Some((before, place)) => {
                    libc::sigaction(signal, &before[place], std::ptr::null_mut());
                }
                None => _ = libc::signal(signal, libc::SIG_DFL),
            }
        } else {
            let _ = CRASHED.compare_exchange(0, signal, SeqCst, SeqCst);
            // The pool's threads have this one blocked, so it is for the main thread.
            libc::kill(process, libc::SIGTERM);
            libc::sleep(LONGEST_END);
            libc::signal(signal, libc::SIG_DFL);
        }
        libc::raise(signal);
    }
}
