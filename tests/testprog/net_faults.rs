//! Programs whose process is in trouble: out of descriptors, or under a storm of signals.
//!
//! Why here: driven by `tests/net_programs.rs`.
//!
//! *Invariants*: none. *Locks*: none.
//!
//! *Go:* `TestEINTR` of os/signal; the back-off of net/http's `Serve`.

use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use goruntime::__private::others_wait;
use goruntime::net::{Closed, TcpListener, TcpStream};
use goruntime::os::unix::net::UnixStream;
use goruntime::runtime::{num_goroutine, set_gomaxprocs, yield_now};
use goruntime::time::{Duration, sleep};
use goruntime::{JoinHandle, spawn};

use crate::Program::Body;
use crate::Table;

pub(crate) const PROGRAMS: Table = &[
    ("net_shortage_is_calm", Body(net_shortage_is_calm)),
    ("net_shortage_of_many", Body(net_shortage_of_many)),
    ("net_close_in_shortage", Body(net_close_in_shortage)),
    ("net_read_beside_close_in_shortage", Body(net_read_beside_close_in_shortage)),
    ("net_interrupted", Body(net_interrupted)),
];

const ROUNDS: u64 = 80;
const READERS: u64 = 8;

/// Takes all descriptors that are left.
fn hoard() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

/// CPU time of the process, all threads.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a live timespec.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) }, 0);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}

/// A loop that goes on accepting without descriptors sleeps nearly all the time, and new connections do not wake it early.
fn net_shortage_is_calm() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let first = spawn(move || TcpStream::connect(addr).unwrap());
    let (mut server, _) = listener.accept().unwrap();
    let mut clients = vec![first.join().unwrap()];
    // The connections that wait to be accepted.
    clients.extend((0..5).map(|_| TcpStream::connect(addr).unwrap()));
    let mut hoard = hoard();
    let (begun, cpu) = (Instant::now(), cpu_time());
    for _ in 0..7 {
        listener.accept().unwrap_err();
    }
    let (took, used) = (begun.elapsed(), cpu_time() - cpu);
    assert!(took >= Duration::from_millis(5 + 10 + 20 + 40 + 80 + 160 + 320), "no pauses: {took:?}");
    assert!(used < took / 2, "{used:?} of {took:?} were spent");
    server.write_all(b"served meanwhile").unwrap();
    // All of them: a thread of the runtime may want one.
    hoard.clear();
    let accepted: Vec<_> = (0..5).map(|_| listener.accept().unwrap()).collect();
    assert_eq!(accepted.len(), 5);
    println!("calm");
}

/// Several goroutines accept on one listener, and each gets the error; after that each gets a connection.
fn net_shortage_of_many() {
    let listener = Arc::new(TcpListener::bind("127.0.0.1:0").unwrap());
    let addr = listener.local_addr().unwrap();
    let first = spawn(move || TcpStream::connect(addr).unwrap());
    let _server = listener.accept().unwrap();
    let _client = first.join().unwrap();
    let goroutines = num_goroutine();
    let clients: Vec<_> = (0..4).map(|_| TcpStream::connect(addr).unwrap()).collect();
    let mut hoard = hoard();
    let accept = |wanted: bool| {
        let handles: Vec<_> = (0..4)
            .map(|_| {
                let listener = listener.clone();
                spawn(move || listener.accept().map(|accepted| accepted.0))
            })
            .collect();
        let results: Vec<_> = handles.into_iter().map(|handle| handle.join().unwrap()).collect();
        assert!(results.iter().all(|result| result.is_ok() == wanted), "{results:?}");
    };
    accept(false);
    // As above.
    hoard.clear();
    accept(true);
    drop(clients);
    while num_goroutine() > goroutines {
        yield_now();
    }
    println!("each");
}

/// No descriptor is left for the placeholder: a close still wakes who waits, and tells the peer.
fn net_close_in_shortage() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let other = near.try_clone().unwrap();
    let reader = spawn(move || (&other).read(&mut [0; 4]));
    while !others_wait() {
        yield_now();
    }
    let _hoard = hoard();
    near.close().unwrap();
    let error = reader.join().unwrap().unwrap_err();
    assert!(Closed::is_source_of(&error), "{error:?}");
    assert_eq!(far.read(&mut [0; 4]).unwrap(), 0);
    println!("closed");
}

/// The same while others are in the middle of a read: no stream has ended. They are more than there are CPUs, so that some are kept from going on there.
fn net_read_beside_close_in_shortage() {
    // Makes the poller, which needs descriptors.
    net_close_in_shortage();
    set_gomaxprocs(16);
    for _ in 0..ROUNDS {
        let pairs: Vec<_> = (0..READERS).map(|_| UnixStream::pair().unwrap()).collect();
        let begun = Arc::new(AtomicU64::new(0));
        let readers: Vec<_> =
            (0..).zip(&pairs).map(|(number, pair)| reader(number % 2 == 0, &pair.0, &begun)).collect();
        while begun.load(Ordering::Relaxed) < READERS {
            yield_now();
        }
        let _hoard = hoard();
        pairs.iter().for_each(|(near, _)| near.close().unwrap());
        for reader in readers {
            let end = reader.join().unwrap();
            assert!(end.as_ref().is_err_and(Closed::is_source_of), "{end:?}");
        }
    }
    println!("no end");
}

/// Starts somebody who tries to read, again and again although there is nothing: without waiting, or for as short a time as there is.
fn reader(nonblocking: bool, near: &UnixStream, begun: &Arc<AtomicU64>) -> JoinHandle<io::Result<usize>> {
    near.set_nonblocking(nonblocking).unwrap();
    near.set_read_timeout(Some(Duration::from_nanos(1))).unwrap();
    let (near, begun) = (near.try_clone().unwrap(), begun.clone());
    spawn(move || {
        let read = || (&near).read(&mut [0; 4]);
        let mut end = read();
        begun.fetch_add(1, Ordering::Relaxed);
        while end.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            end = read();
        }
        end
    })
}

extern "C" fn nothing(_: libc::c_int) {}

/// Sends a signal to every thread of the process, again and again, until it is told to stop; counts them.
fn storm(stop: &AtomicBool, sent: &AtomicU64) {
    // SAFETY: the call has no arguments and cannot fail.
    let pid = unsafe { libc::getpid() };
    while !stop.load(Ordering::Relaxed) {
        for entry in std::fs::read_dir("/proc/self/task").unwrap() {
            let name = entry.unwrap().file_name();
            let tid: libc::pid_t = name.to_string_lossy().parse().unwrap();
            // SAFETY: the call takes no pointers; a thread that has ended meanwhile is an error that is of no interest.
            unsafe { libc::syscall(libc::SYS_tgkill, pid, tid, libc::SIGUSR1) };
            sent.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// System calls are interrupted all the time, and nobody sees an error or waits too short.
fn net_interrupted() {
    // SAFETY: all-zero memory is a sigaction without flags: in particular, system calls are not restarted.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_flags = libc::SA_ONSTACK;
    action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
    // SAFETY: `action` is alive, and its handler does nothing.
    assert_eq!(unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) }, 0);
    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let stormer = std::thread::spawn({
        let (stop, sent) = (stop.clone(), sent.clone());
        move || storm(&stop, &sent)
    });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let mut rounds = 0;
    while sent.load(Ordering::Relaxed) < 20_000 || rounds < 20 {
        rounds += 1;
        let clients: Vec<_> = (0..4).map(|_| spawn(move || TcpStream::connect(addr).and_then(talk))).collect();
        for _ in 0..4 {
            let (mut stream, _) = listener.accept().unwrap();
            spawn(move || {
                let mut buf = [0; 700];
                while let count @ 1.. = stream.read(&mut buf).unwrap() {
                    stream.write_all(&buf[..count]).unwrap();
                }
            });
        }
        clients.into_iter().for_each(|client| client.join().unwrap().unwrap());
        let begun = Instant::now();
        sleep(Duration::from_millis(1));
        assert!(begun.elapsed() >= Duration::from_millis(1));
    }
    stop.store(true, Ordering::Relaxed);
    goruntime::runtime::blocking(|| stormer.join().unwrap());
    println!("undisturbed");
}

/// Says something long and gets it back, waits in vain for more, and says something short.
fn talk(stream: TcpStream) -> std::io::Result<()> {
    let other = stream.try_clone()?;
    let sender = spawn(move || (&other).write_all(&[7; 100_000]));
    (&stream).read_exact(&mut [0; 100_000])?;
    sender.join().unwrap()?;
    let begun = Instant::now();
    stream.set_read_timeout(Some(Duration::from_millis(2)))?;
    assert!((&stream).read(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
    assert!(begun.elapsed() >= Duration::from_millis(2));
    stream.set_read_timeout(None)?;
    (&stream).write_all(b"x")?;
    (&stream).read_exact(&mut [0])
}
