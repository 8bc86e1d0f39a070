//! Names that take their time to resolve.
//!
//! The resolver is the system's, with all that the client and ureq do about it; but the function
//! that asks the system, `getaddrinfo`, is the one below, which the linker finds before libc's.

use std::ffi::{CStr, c_char, c_int};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use pgrx_ext::delivery::FailureKind::NameResolution;

use crate::support::Receiver;
use crate::timeouts::within_the_limit;
use crate::{BRIEF_AT_MOST, answer, client, failure};

/// Loopback, after a while.
const SLOW: &str = "slow.example";

/// Loopback, when nobody waits any more.
const STUCK: &str = "stuck.example";

/// How often [`SLOW`] was asked for.
static ASKED: AtomicUsize = AtomicUsize::new(0);

#[test]
fn a_name_that_resolves_slowly_is_waited_for_once() {
    let receiver = Receiver::new();
    let client = client();
    let url = format!("http://{SLOW}:{}/", receiver.address().port());
    for _ in 0..3 {
        assert_eq!(answer(client.get(&url)).status, 200);
    }
    assert_eq!((receiver.count(), ASKED.load(Ordering::SeqCst)), (3, 1));
}

#[test]
fn the_timeout_covers_name_resolution() {
    let receiver = Receiver::new();
    let url = format!("http://{STUCK}:{}/", receiver.address().port());
    let failure = failure(within_the_limit("a name that is stuck", &url));
    assert_eq!(failure.kind, NameResolution);
    assert_eq!(failure.to_string(), "name resolution failed: timed out");
    assert!(!failure.ambiguous);
    assert_eq!(receiver.connections(), 0);
}

type GetAddrInfo = unsafe extern "C" fn(
    *const c_char,
    *const c_char,
    *const libc::addrinfo,
    *mut *mut libc::addrinfo,
) -> c_int;

/// libc's, but for the two names.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
unsafe extern "C" fn getaddrinfo(
    node: *const c_char,
    service: *const c_char,
    hints: *const libc::addrinfo,
    found: *mut *mut libc::addrinfo,
) -> c_int {
    static NEXT: OnceLock<GetAddrInfo> = OnceLock::new();
    // SAFETY: libc has a function of this name and this type, and it gets what we got, or a name
    // of our own. A node that is not NULL is a string.
    unsafe {
        let next = NEXT.get_or_init(|| {
            let next = libc::dlsym(libc::RTLD_NEXT, c"getaddrinfo".as_ptr());
            assert!(!next.is_null(), "libc has a getaddrinfo");
            std::mem::transmute::<*mut libc::c_void, GetAddrInfo>(next)
        });
        let name = (!node.is_null()).then(|| CStr::from_ptr(node).to_bytes());
        if name == Some(SLOW.as_bytes()) {
            ASKED.fetch_add(1, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(200));
        } else if name == Some(STUCK.as_bytes()) {
            thread::sleep(2 * BRIEF_AT_MOST);
        } else {
            return next(node, service, hints, found);
        }
        next(c"127.0.0.1".as_ptr(), service, hints, found)
    }
}
