//! Names that take their time to resolve.
//!
//! The resolver is the system's, with all that the client and ureq do about it; but the function
//! that asks the system, `getaddrinfo`, is the one below, which the linker finds before libc's.

use std::ffi::{CStr, c_char, c_int};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use pgrx_ext::delivery::FailureKind::NameResolution;
use pgrx_ext::http::MOST_LOOKUPS;
use pgrx_ext::http::client::ClientSettings;

use crate::support::Receiver;
use crate::timeouts::within_the_limit;
use crate::{BRIEF, BRIEF_AT_MOST, answer, brief_client, client, clients, failure, settings};

/// Loopback, after a while.
const SLOW: &str = "slow.example";

/// Loopback, when nobody waits any more.
const STUCK: &str = "stuck.example";

/// The names that were asked for.
static ASKED: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[test]
fn a_name_that_resolves_slowly_is_waited_for_once() {
    let receiver = Receiver::new();
    let client = client();
    let url = format!("http://{SLOW}:{}/", receiver.address().port());
    for _ in 0..3 {
        assert_eq!(answer(client.get(&url)).status, 200);
    }
    assert_eq!((receiver.count(), asked(SLOW)), (3, 1));
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

#[test]
fn a_name_that_is_stuck_is_looked_up_once_whoever_asks() {
    let client = brief_client();
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| failure(client.get("http://once.stuck.example/")));
        }
    });
    failure(client.get("http://once.stuck.example/"));
    assert_eq!(asked("once.stuck.example"), 1);
}

#[test]
fn look_ups_are_bounded_and_known_hosts_go_on() {
    let mut clients = clients(8);
    let client = clients.client(&settings()).expect("a client");
    let brief = ClientSettings {
        timeout: BRIEF,
        ..settings()
    };
    let brief = clients.client(&brief).expect("a client");
    let receiver = Receiver::new();
    let url = format!("http://{SLOW}:{}/", receiver.address().port());
    let url = url.replace(SLOW, "known.slow.example");
    answer(client.get(&url));
    thread::scope(|scope| {
        for number in 0..40 {
            let brief = &brief;
            scope.spawn(move || failure(brief.get(&format!("http://{number}.stuck.example/"))));
        }
    });
    let all: usize = (0..40).map(|n| asked(&format!("{n}.stuck.example"))).sum();
    assert_eq!(all, MOST_LOOKUPS);
    answer(client.get(&url));
    // An address is no name.
    answer(client.get(&receiver.url("/")));
}

#[test]
fn a_failure_is_remembered() {
    let client = client();
    for _ in 0..20 {
        let failure = failure(client.get("http://unknown.example/"));
        assert_eq!(failure.kind, NameResolution);
        assert!(!failure.ambiguous);
    }
    assert_eq!(asked("unknown.example"), 1);
}

/// How often a name was asked for.
fn asked(name: &str) -> usize {
    let asked = ASKED.lock().unwrap();
    asked.iter().filter(|it| *it == name).count()
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
        let name = String::from_utf8_lossy(name.unwrap_or_default()).into_owned();
        ASKED.lock().unwrap().push(name.clone());
        if name.ends_with(SLOW) {
            thread::sleep(Duration::from_millis(200));
        } else if name.ends_with(STUCK) {
            thread::sleep(2 * BRIEF_AT_MOST);
        } else if name == "unknown.example" {
            return libc::EAI_NONAME;
        } else {
            return next(node, service, hints, found);
        }
        next(c"127.0.0.1".as_ptr(), service, hints, found)
    }
}
