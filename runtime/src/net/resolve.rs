//! From what the user calls an address to addresses, without keeping a processor from its work.
//!
//! *Why here.* Floor 8.
//!
//! *Invariants.* None. *Locks.* None. *Go:* `Resolver.LookupIPAddr`, with the C library's resolver on a thread.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use crate::proc::park;

/// The addresses. Looking names up blocks the thread, so the processor goes to another one before that.
pub(crate) fn resolve<A: ToSocketAddrs>(addr: &A) -> io::Result<A::Iter> {
    if is_literal::<A>() { addr.to_socket_addrs() } else { park::without_p(|| addr.to_socket_addrs()) }
}

/// Looks up the addresses that a name stands for, with a port: `"localhost:80"`, `("localhost", 80)`. The order is the system's.
///
/// It is [`ToSocketAddrs::to_socket_addrs`], which keeps a processor until the runtime notices.
///
/// # Blocking
///
/// Blocks the thread until the system's resolver has an answer, without a processor. Nothing breaks it off: where there is a limit, or a
/// context, look up in a goroutine of its own, as [`time::timeout`](crate::time::timeout) does.
///
/// # Errors
///
/// As std: if the name is not known, or is no name.
///
/// # Examples
///
/// ```
/// use goruntime::net::lookup_host;
/// use goruntime::time::{self, Duration};
///
/// goruntime::run(|| {
///     let addrs: Vec<_> = lookup_host(("127.0.0.1", 80)).unwrap().collect();
///     assert_eq!(addrs, ["127.0.0.1:80".parse().unwrap()]);
///     assert!(lookup_host("no port").is_err());
///
///     let limit = Duration::from_secs(60);
///     let local = time::timeout(limit, |_| lookup_host("localhost:80").map(Vec::from_iter)).unwrap().unwrap();
///     assert!(local.iter().all(|addr| addr.ip().is_loopback()));
/// });
/// ```
#[doc(alias = "LookupHost")]
pub fn lookup_host<A: ToSocketAddrs>(host: A) -> io::Result<A::Iter> {
    resolve(&host)
}

/// Whether the type is made of numbers, so that nothing has to be looked up: going on without a processor would cost more than the answer. Only the
/// time that it takes depends on this: code that blocks without having said so is noticed.
fn is_literal<A>() -> bool {
    core::any::type_name::<A>().contains("core::net::")
}

/// Tries `f` with each address until one succeeds; the last error otherwise.
pub(crate) fn first_of<A: ToSocketAddrs, T>(addr: &A, mut f: impl FnMut(SocketAddr) -> io::Result<T>) -> io::Result<T> {
    let mut last = None;
    for addr in resolve(addr)? {
        match f(addr) {
            Ok(value) => return Ok(value),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(no_address))
}

/// The first address.
pub(crate) fn only<A: ToSocketAddrs>(addr: &A) -> io::Result<SocketAddr> {
    resolve(addr)?.next().ok_or_else(no_address)
}

fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "the name stands for no address")
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

    use super::*;

    #[test]
    fn a_lookup_finds_numbers_in_goroutines_and_threads() {
        crate::run(|| {
            // Numbers in a text go the way of names.
            let found: Vec<_> = lookup_host("[::1]:7").unwrap().collect();
            assert_eq!(found, ["[::1]:7".parse().unwrap()]);
            assert_eq!(lookup_host("no port").unwrap_err().kind(), io::ErrorKind::InvalidInput);
        });
        // As on a plain thread.
        assert_eq!(lookup_host((Ipv4Addr::LOCALHOST, 7)).unwrap().count(), 1);
    }

    #[test]
    fn numbers_are_told_from_names() {
        assert!(is_literal::<SocketAddr>() && is_literal::<SocketAddrV4>() && is_literal::<&[SocketAddr]>());
        assert!(is_literal::<(IpAddr, u16)>() && is_literal::<(Ipv4Addr, u16)>() && is_literal::<Vec<SocketAddr>>());
        assert!(!is_literal::<&str>() && !is_literal::<String>() && !is_literal::<(&str, u16)>());
    }
}
