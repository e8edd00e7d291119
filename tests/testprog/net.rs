//! Programs with sockets: what deadlock detection makes of them, what a dump shows, what a shortage of descriptors does.
//!
//! Why here: driven by `tests/net_programs.rs`.
//!
//! *Invariants*: none. *Locks*: none.
//!
//! *Go:* `testprog/deadlock.go`, `testprogNetpollDeadlock`.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Mutex;
use std::time::Instant;

use goruntime::net::{TcpListener, TcpStream, UdpSocket};
use goruntime::os::unix::net::UnixStream;
use goruntime::runtime::yield_now;
use goruntime::time::{Duration, sleep};
use goruntime::{go, spawn, thread};

use crate::Program::{Body, Plain};
use crate::Table;

pub(crate) const PROGRAMS: Table = &[
    ("net_dead_afterwards", Body(net_dead_afterwards)),
    ("net_dead_after_times", Body(net_dead_after_times)),
    ("net_dead_after_deadline", Body(net_dead_after_deadline)),
    ("net_dead_by_deadline_of_thread", Body(net_dead_by_deadline_of_thread)),
    ("net_dead_by_stop_of_thread", Body(net_dead_by_stop_of_thread)),
    ("net_dead_by_close_of_thread", Body(net_dead_by_close_of_thread)),
    ("net_accepts", Body(net_accepts)),
    ("net_waits", Body(net_waits)),
    ("net_shortage", Body(net_shortage)),
    ("net_shortage_at_first", Body(net_shortage_at_first)),
    ("net_plain", Plain(net_plain)),
    ("net_without", Body(net_without)),
    ("net_exit", Body(net_exit)),
    ("net_fork", Body(net_fork)),
];

fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

fn forever() {
    loop {
        thread::park();
    }
}

/// Connects, is accepted, and says something, once.
fn talk(listener: &TcpListener) {
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let reader = spawn(move || {
        let mut all = Vec::new();
        server.read_to_end(&mut all).unwrap();
        all
    });
    client.write_all(b"said").unwrap();
    drop(client);
    assert_eq!(reader.join().unwrap(), b"said");
}

/// The network was used, and nobody waits for it any more.
fn net_dead_afterwards() {
    talk(&listen());
    let idle = UdpSocket::bind("127.0.0.1:0").unwrap();
    forever();
    drop(idle);
}

/// A deadline far away that was lifted, one of a socket that was closed, and a limit that was not needed.
fn net_dead_after_times() {
    let far = Some(Instant::now() + Duration::from_secs(1_000));
    let (near, far_end) = UnixStream::pair().unwrap();
    near.set_deadline(far).unwrap();
    near.set_deadline(None).unwrap();
    near.set_read_timeout(Some(Duration::from_secs(1_000))).unwrap();
    go(move || (&far_end).write_all(b"x").unwrap());
    assert_eq!((&near).read(&mut [0; 4]).unwrap(), 1);
    let listener = listen();
    listener.set_deadline(far).unwrap();
    drop(listener);
    forever();
}

/// What waits for the network has a deadline: then nobody does.
fn net_dead_after_deadline() {
    let listener = listen();
    listener.set_deadline(Some(Instant::now() + Duration::from_millis(50))).unwrap();
    go(move || {
        assert!(listener.accept().unwrap_err().to_string().ends_with(": i/o timeout"));
        forever();
    });
    forever();
}

/// Does something on a plain thread, which ends then, once all other threads have been asleep for some looks; where that cannot be seen, at once.
fn when_all_sleep(act: impl FnOnce() + Send + 'static) {
    std::thread::spawn(move || {
        let (mut quiet, begun) = (0, Instant::now());
        // The time limit makes the test a weaker one, not a wrong one.
        while quiet < 20 && begun.elapsed() < Duration::from_secs(20) {
            std::thread::yield_now();
            quiet = if running_threads() <= 1 { quiet + 1 } else { 0 };
        }
        act();
    });
}

/// Threads of the process that run or could.
fn running_threads() -> usize {
    let Ok(entries) = std::fs::read_dir("/proc/self/task") else { return 0 };
    let stats = entries.filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("stat")).ok());
    stats.filter(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" R"))).count()
}

/// All that keeps the report back is a deadline, which a thread lifts.
fn net_dead_by_deadline_of_thread() {
    let (near, _far) = UnixStream::pair().unwrap();
    near.set_deadline(Some(Instant::now() + Duration::from_secs(1_000))).unwrap();
    when_all_sleep(move || near.set_deadline(None).unwrap());
    forever();
}

/// The same with a timer.
fn net_dead_by_stop_of_thread() {
    let later = goruntime::time::after_func(Duration::from_secs(1_000), || ());
    when_all_sleep(move || assert!(later.stop()));
    forever();
}

/// A thread ends the only wait for the network.
fn net_dead_by_close_of_thread() {
    let (near, _far) = UnixStream::pair().unwrap();
    let other = near.try_clone().unwrap();
    go(move || {
        (&near).read(&mut [0; 4]).unwrap_err();
        forever();
    });
    when_all_sleep(move || other.close().unwrap());
    forever();
}

/// Everybody sleeps, but a client may come.
fn net_accepts() {
    let listener = listen();
    println!("{}", listener.local_addr().unwrap());
    go(move || {
        listener.accept().unwrap();
        println!("accepted");
        goruntime::runtime::exit(0);
    });
    forever();
}

/// One goroutine for each kind of wait.
fn net_waits() {
    let listener = listen();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    go(move || drop(client.read(&mut [0; 8])));
    go(move || drop(socket.recv_from(&mut [0; 8])));
    go(move || drop((listener.accept(), listener.accept())));
    // Not from here: this goroutine is to wait, too.
    when_all_sleep(|| println!("waiting"));
    forever();
}

/// Takes all descriptors that are left.
fn hoard() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

fn shortage(listener: &TcpListener) {
    let addr = listener.local_addr().unwrap();
    let mut client = TcpStream::connect(addr).unwrap();
    let mut hoard = hoard();
    let begun = Instant::now();
    for _ in 0..4 {
        println!("{}", listener.accept().unwrap_err().kind() != std::io::ErrorKind::TimedOut);
    }
    // 5, 10, 20 and 40 ms.
    assert!(begun.elapsed() >= Duration::from_millis(75), "no pause: {:?}", begun.elapsed());
    hoard.truncate(hoard.len() - 1);
    let (mut server, _) = listener.accept().unwrap();
    server.write_all(b"recovered").unwrap();
    drop(server);
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    println!("{text}");
}

fn net_shortage() {
    let listener = listen();
    talk(&listener);
    shortage(&listener);
}

/// Nothing has waited for the network yet, so that the poller has no descriptors either.
fn net_shortage_at_first() {
    let listener = listen();
    let addr = listener.local_addr().unwrap();
    // Std's, because ours would wait for the connection.
    let _client = std::net::TcpStream::connect(addr).unwrap();
    let mut hoard = hoard();
    for _ in 0..2 {
        println!("{}", listener.accept().is_err());
    }
    let begun = Instant::now();
    assert!(listener.accept().is_err());
    assert!(begun.elapsed() >= Duration::from_millis(5), "no pause");
    hoard.clear();
    println!("{}", listener.accept().is_ok());
    talk(&listener);
}

/// No `#[goruntime::main]`: sockets on plain threads start the runtime themselves.
fn net_plain() {
    let listener = listen();
    let addr = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || listener.accept().unwrap().0.write_all(b"plain").unwrap());
    let mut text = String::new();
    TcpStream::connect(addr).unwrap().read_to_string(&mut text).unwrap();
    server.join().unwrap();
    println!("{text}");
}

/// Descriptors that stand for an epoll; -1 where that cannot be seen.
fn pollers() -> i32 {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return -1 };
    let targets = entries.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    targets.filter(|target| target.to_string_lossy().contains("eventpoll")).count() as i32
}

/// A program without waits for sockets has no poller.
fn net_without() {
    sleep(Duration::from_millis(1));
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(b"x", socket.local_addr().unwrap()).unwrap();
    assert_eq!(socket.recv(&mut [0; 4]).unwrap(), 1);
    assert!(pollers() <= 0, "{} pollers", pollers());
    println!("none");
}

/// Main returns while goroutines wait for the network.
fn net_exit() {
    let listener = listen();
    go(move || drop(listener.accept()));
    let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
    go(move || {
        let near = UnixStream::from(OwnedFd::from(near));
        drop((&near).read(&mut [0]));
    });
    (0..100).for_each(|_| yield_now());
    println!("left");
}

/// A forked child drops a socket on which the parent goes on.
fn net_fork() {
    static SHARED: Mutex<Option<UnixStream>> = Mutex::new(None);
    let (near, far) = UnixStream::pair().unwrap();
    let one_byte = |near: UnixStream, far: &UnixStream| {
        let reader = spawn(move || (&near).read_exact(&mut [0]).map(|()| near));
        // There is one processor: the reader runs until it parks.
        (0..100).for_each(|_| yield_now());
        (&mut &*far).write_all(b"x").unwrap();
        reader.join().unwrap().unwrap()
    };
    let near = one_byte(near, &far);
    *SHARED.lock().unwrap() = Some(near);
    let mut command = Command::new("true");
    let in_child = || {
        drop(SHARED.lock().unwrap().take());
        Ok(())
    };
    // SAFETY: the one thread that touches the mutex is the one that forks; dropping a socket in a child takes no lock and calls `close`.
    unsafe { command.pre_exec(in_child) };
    assert!(command.status().unwrap().success());
    let near = SHARED.lock().unwrap().take().unwrap();
    one_byte(near, &far);
    println!("went on");
}
