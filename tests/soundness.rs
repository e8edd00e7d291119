//! What safe code must not be able to do: auto traits, and what once went through.
//!
//! Why here: the promises of `runtime/SAFETY.md` as a user's program meets them. What must not compile for another reason than an auto trait is in
//! `refused.rs`; that the locks have std's traits, type by type, is in `sync_std.rs`.
//!
//! *Invariants*
//! - S1. A public type is in the table with each thing that it must be and must not be.
//!
//! *Locks*: none.
//!
//! *Go:* none: there the race detector says it while the program runs.

mod common;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Wake, Waker};

use common::{until, within};
use goruntime::runtime::{goexit, goid, pin, yield_now};
use goruntime::{
    channel, context, fs, future, goroutine_local, io, net, process, run, runtime, scope, signal, spawn, sync, thread,
    time,
};

/// Sound to send, not to share.
type Sent = Cell<u8>;
/// Neither.
type Kept = Rc<u8>;
/// Sound to share, not to send: as std's guards.
type Shared = std::sync::MutexGuard<'static, u8>;

/// Fails to compile unless the type implements the trait.
macro_rules! are {
    ($($type:ty: $($what:path),+;)*) => {$($(
        const _: fn() = || {
            fn is<T: ?Sized + $what>() {}
            is::<$type>();
        };
    )+)*};
}

/// Fails to compile if the type implements the trait.
macro_rules! never {
    ($($type:ty: $($what:path),+;)*) => {$($(
        const _: fn() = || {
            trait Ambiguous<A> {
                fn ask() {}
            }
            impl<T: ?Sized> Ambiguous<()> for T {}
            struct Is;
            impl<T: ?Sized + $what> Ambiguous<Is> for T {}
            let _ = <$type as Ambiguous<_>>::ask;
        };
    )+)*};
}

are! {
    channel::Sender<Sent>: Send, Sync;
    channel::Receiver<Sent>: Send, Sync;
    channel::IntoIter<Sent>: Send, Sync;
    channel::Iter<'static, Sent>: Send, Sync;
    channel::TryIter<'static, Sent>: Send, Sync;
    channel::Select<'static>: Send, Sync;
    channel::SendError<Sent>: Send;
    channel::SendError<Shared>: Sync;
    channel::TrySendError<Sent>: Send;
    channel::SendTimeoutError<Sent>: Send;

    sync::Mutex<Sent>: Send, Sync;
    sync::MutexGuard<'static, u8>: Sync;
    sync::RwLock<Sent>: Send;
    sync::RwLock<u8>: Sync;
    sync::RwLockReadGuard<'static, u8>: Sync;
    sync::RwLockWriteGuard<'static, u8>: Sync;
    sync::Condvar: Send, Sync;
    sync::Barrier: Send, Sync;
    sync::Once: Send, Sync;
    sync::OnceState: Send;
    sync::OnceLock<Sent>: Send;
    sync::OnceLock<u8>: Sync;
    sync::LazyLock<Sent, fn() -> Sent>: Send;
    sync::LazyLock<u8, Box<dyn FnOnce() -> u8 + Send>>: Send, Sync;
    sync::WaitGroup: Send, Sync;
    sync::Semaphore: Send, Sync;
    sync::SemaphorePermit<'static>: Send, Sync;
    sync::OwnedSemaphorePermit: Send, Sync;
    sync::Pool<Sent>: Send, Sync;
    sync::mpsc::Sender<Sent>: Send, Sync;
    sync::mpsc::SyncSender<Sent>: Send, Sync;
    sync::mpsc::Receiver<Sent>: Send;
    sync::mpsc::IntoIter<Sent>: Send;

    goruntime::JoinHandle<Sent>: Send, Sync;
    goruntime::Scope<'static, 'static>: Send, Sync;
    goruntime::ScopedJoinHandle<'static, Sent>: Send, Sync;
    goruntime::LocalKey<Kept>: Send, Sync;
    goruntime::Builder: Send, Sync;
    goruntime::Goexit: Send, Sync;
    thread::Thread: Send, Sync;
    thread::ThreadId: Send, Sync;

    context::Context: Send, Sync;
    context::CancelFunc: Send, Sync;
    context::CancelCauseFunc: Send, Sync;
    context::StopFunc: Send, Sync;
    context::StopGuard: Send, Sync;
    context::Cause: Send, Sync;
    context::Scope<'static, 'static>: Send, Sync;

    time::Timer: Send, Sync;
    time::Ticker: Send, Sync;
    time::AfterFunc: Send, Sync;

    future::Sleep: Send, Sync, Unpin;

    fs::File: Send, Sync;
    fs::OpenOptions: Send, Sync;
    fs::DirBuilder: Send, Sync;
    fs::DirEntry: Send, Sync;
    fs::ReadDir: Send, Sync;
    io::Closed: Send, Sync;
    io::PipeReader: Send, Sync;
    io::PipeWriter: Send, Sync;
    io::Stdin: Send, Sync;
    io::Stdout: Send, Sync;
    io::Stderr: Send, Sync;
    io::StdinLock<'static>: Sync;
    io::StdoutLock<'static>: Sync;
    io::StderrLock<'static>: Sync;
    process::Child: Send, Sync;
    process::ChildStdin: Send, Sync;
    process::ChildStdout: Send, Sync;
    process::ChildStderr: Send, Sync;
    process::Command: Send, Sync;
    process::WaitDelayExpired: Send, Sync;
    signal::Signal: Send, Sync;
    signal::SignalError: Send, Sync;
    signal::SignalReceived: Send, Sync;
    signal::StopHandle: Send, Sync;

    net::TcpStream: Send, Sync;
    net::TcpListener: Send, Sync;
    net::UdpSocket: Send, Sync;
    net::Closed: Send, Sync;
    goruntime::os::unix::net::UnixStream: Send, Sync;
    goruntime::os::unix::net::UnixListener: Send, Sync;
    goruntime::os::unix::net::UnixDatagram: Send, Sync;
}

never! {
    channel::Sender<Kept>: Send, Sync;
    channel::Receiver<Kept>: Send, Sync;
    channel::Sender<Shared>: Send, Sync;
    channel::Receiver<Shared>: Send, Sync;
    channel::IntoIter<Kept>: Send;
    channel::Iter<'static, Kept>: Send;
    // It may hold a value of a type that is not Send.
    channel::SelectedOperation<'static>: Send, Sync;

    sync::Mutex<Kept>: Send, Sync;
    sync::Mutex<Shared>: Send, Sync;
    sync::MutexGuard<'static, u8>: Send;
    sync::MutexGuard<'static, Sent>: Sync;
    sync::RwLock<Kept>: Send;
    sync::RwLock<Sent>: Sync;
    sync::RwLock<Shared>: Sync;
    sync::RwLockReadGuard<'static, u8>: Send;
    sync::RwLockReadGuard<'static, Sent>: Sync;
    sync::RwLockWriteGuard<'static, u8>: Send;
    sync::RwLockWriteGuard<'static, Sent>: Sync;
    sync::OnceState: Sync;
    sync::OnceLock<Kept>: Send;
    sync::OnceLock<Sent>: Sync;
    sync::OnceLock<Shared>: Sync;
    sync::LazyLock<Kept>: Send;
    sync::LazyLock<Sent>: Sync;
    sync::LazyLock<u8, Box<dyn FnOnce() -> u8>>: Send, Sync;
    sync::Pool<u8, Rc<dyn Fn() -> u8>>: Send, Sync;
    sync::Pool<u8, Box<dyn Fn() -> u8 + Send>>: Sync;
    sync::mpsc::Sender<Kept>: Send, Sync;
    sync::mpsc::Receiver<Kept>: Send;
    sync::mpsc::Receiver<u8>: Sync;

    goruntime::JoinHandle<Kept>: Send;
    goruntime::ScopedJoinHandle<'static, Kept>: Send, Sync;
    runtime::PinGuard: Send, Sync;

    // As std's: the goroutine that has taken the lock gives it back.
    io::StdinLock<'static>: Send;
    io::StdoutLock<'static>: Send;
    io::StderrLock<'static>: Send;
}

/// Ends the goroutine that drops it.
struct Exits;

impl Drop for Exits {
    fn drop(&mut self) {
        goexit();
    }
}

goroutine_local! {
    static MARK: Cell<u32> = Cell::new(0);
    static LAST: RefCell<Option<Exits>> = RefCell::new(None);
}

#[goruntime::test]
fn a_goroutine_does_not_inherit_locals_whatever_destructors_do() {
    within(|| {
        // Gs are used again last in first out, by goroutines that run on the same processor.
        for _ in 0..2_000 {
            let seen = spawn(|| {
                let before = MARK.with(Cell::get);
                MARK.with(|mark| mark.set(77));
                // Made last, so dropped first.
                LAST.with(|last| *last.borrow_mut() = Some(Exits));
                (before, thread::current().id())
            });
            let (before, id) = seen.join().expect("the destructor's goexit ends the destructor");
            assert_eq!(before, 0, "a value of a goroutine that has ended");
            assert_ne!(id, spawn(|| thread::current().id()).join().unwrap());
        }
    });
}

#[goruntime::test]
fn a_result_that_nobody_takes_may_end_by_goexit() {
    within(|| {
        // Dropped by its goroutine, which ends after the handle has gone.
        let (tx, rx) = channel::bounded::<()>(0);
        drop(spawn(move || {
            assert!(rx.recv().is_err());
            Exits
        }));
        drop(tx);
        // Dropped by the one who held the handle, whose goexit it is.
        let holder = spawn(|| {
            let handle = spawn(|| Exits);
            until(|| handle.is_finished());
            drop(handle);
            yield_now();
            thread::park();
        });
        assert!(holder.join().unwrap_err().is::<goruntime::Goexit>());
    });
}

/// Panics where it is dropped.
struct Panics;

impl Drop for Panics {
    fn drop(&mut self) {
        panic!("in the destructor of a result");
    }
}

#[goruntime::test]
fn a_scope_panics_if_the_destructor_of_an_outcome_does() {
    within(|| {
        // The outcome is dropped by its goroutine, which ends after the handle has gone.
        let scoped = || {
            let (tx, rx) = channel::bounded::<()>(0);
            scope(move |s| {
                drop(s.spawn(move || {
                    assert!(rx.recv().is_err());
                    Panics
                }));
                drop(tx);
            });
        };
        let payload = catch_unwind(AssertUnwindSafe(scoped)).unwrap_err();
        assert_eq!(*payload.downcast::<&str>().unwrap(), "a scoped thread panicked");
    });
}

#[goruntime::test]
fn more_pins_than_can_be_counted_keep_the_goroutine_for_good() {
    within(|| {
        let pinned = spawn(|| {
            let home = std::thread::current().id();
            (0..70_000).for_each(|_| std::mem::forget(pin()));
            (0..70_000).for_each(|_| drop(pin()));
            (0..1_000).for_each(|_| {
                yield_now();
                assert_eq!(std::thread::current().id(), home);
            });
        });
        pinned.join().unwrap();
    });
}

std::thread_local! {
    static LEFT: RefCell<Option<runtime::PinGuard>> = const { RefCell::new(None) };
}

#[goruntime::test]
fn a_pin_of_another_goroutine_undoes_nothing() {
    within(|| {
        let _pinned = pin();
        let home = std::thread::current().id();
        let leave_pin = move || {
            let is_at_home = std::thread::current().id() == home;
            if is_at_home {
                LEFT.with(|left| *left.borrow_mut() = Some(pin()));
            }
            is_at_home
        };
        // Who is spawned last runs next where its spawner parks, unless it is stolen.
        while !spawn(leave_pin).join().unwrap() {}
        drop(LEFT.with(|left| left.borrow_mut().take()).expect("the other one has left its pin on this thread"));
        for _ in 0..1_000 {
            yield_now();
            assert_eq!(std::thread::current().id(), home, "goroutine {} has lost its pin", goid());
        }
    });
}

#[goruntime::test]
fn a_borrow_of_run_and_scope_is_over_when_they_return_even_by_a_panic() {
    within(|| {
        let mut log = Vec::new();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            scope(|s| {
                s.go(|| {
                    (0..100).for_each(|_| yield_now());
                    run(|| log.push("borrowed"));
                });
                panic!("while a goroutine borrows");
            });
        }));
        assert!(outcome.is_err());
        log.push("free again");
        assert_eq!(log, ["borrowed", "free again"]);
    });
}

#[goruntime::test]
fn a_sleep_that_is_dropped_as_its_time_comes_leaves_nothing_behind() {
    /// Calls nobody, and is not known to the runtime.
    struct Counts(AtomicU32);

    impl Wake for Counts {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    within(|| {
        let sleepers = (0..4).map(|_| {
            spawn(|| {
                for round in 0..1_000 {
                    let counts = Arc::new(Counts(AtomicU32::new(0)));
                    let begin = time::Instant::now();
                    let mut sleep = future::sleep(time::Duration::from_micros(20));
                    let waker = Waker::from(Arc::clone(&counts));
                    let _ = Pin::new(&mut sleep).poll(&mut Context::from_waker(&waker));
                    while begin.elapsed() < time::Duration::from_micros(15 + round % 30) {}
                    drop(sleep);
                    drop(waker);
                    yield_now();
                    assert!(counts.0.load(Ordering::Relaxed) <= 1);
                    // One that is leaked keeps what it needs.
                    let mut leaked = future::sleep(time::Duration::from_micros(round % 30));
                    let _ = Pin::new(&mut leaked).poll(&mut Context::from_waker(Waker::noop()));
                    std::mem::forget(leaked);
                }
            })
        });
        sleepers.collect::<Vec<_>>().into_iter().for_each(|sleeper| sleeper.join().unwrap());
    });
}

#[goruntime::test]
fn memory_of_ended_goroutines_is_given_back_and_used_again_beside_living_ones() {
    // More than processors keep for themselves.
    const MANY: u32 = 40_000;
    within(|| {
        for _ in 0..3 {
            let (stay, living) = channel::bounded::<()>(0);
            let start = |number: u32| {
                // Every hundredth lives on: some pages hold a living one, most do not.
                let living = number.is_multiple_of(100).then(|| living.clone());
                spawn(move || {
                    MARK.with(|mark| assert_eq!(mark.replace(number), 0));
                    if let Some(living) = living {
                        assert!(living.recv().is_err());
                    }
                    MARK.with(Cell::get)
                })
            };
            let (mut kept, mut ended) = (Vec::new(), Vec::new());
            for number in 0..MANY {
                if number.is_multiple_of(100) { &mut kept } else { &mut ended }.push((number, start(number)));
            }
            let joins = |handles: Vec<(u32, goruntime::JoinHandle<u32>)>| {
                handles.into_iter().for_each(|(number, handle)| assert_eq!(handle.join().unwrap(), number));
            };
            let before = runtime::mem_stats().goroutine_objects;
            joins(ended);
            // The runtime may be sweeping by itself just now, and have the goroutines in its hands: then it gives them back in a moment.
            until(|| {
                runtime::free_os_memory();
                runtime::mem_stats().goroutine_objects + (1 << 20) < before
            });
            drop(stay);
            joins(kept);
        }
    });
}
