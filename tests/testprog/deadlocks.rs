//! Programs in which everybody sleeps: for good, or only for now.
//!
//! Why here: driven by `tests/deadlocks.rs`.
//!
//! *Invariants*: none. *Locks*: none.
//!
//! *Go:* `testprog/deadlock.go`.

use std::cell::Cell;
use std::hint::black_box;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use goruntime::channel;
use goruntime::future::{block_on, timeout};
use goruntime::runtime::{guard_stats, lock_os_thread, yield_now};
use goruntime::time::{Duration, sleep};
use goruntime::{go, scope, spawn, thread};

use crate::Program::Body;
use crate::Table;

pub(crate) const PROGRAMS: Table = &[
    ("dead_main", Body(forever)),
    ("dead_locked", Body(dead_locked)),
    ("dead_locked_other", Body(dead_locked_other)),
    ("dead_reasons", Body(dead_reasons)),
    ("dead_futures", Body(dead_futures)),
    ("alive_future", Body(alive_future)),
    ("dead_created_by", Body(dead_created_by)),
    ("dead_created_by_item", Body(dead_created_by_item)),
    ("dead_after_work", Body(dead_after_work)),
    ("dead_after_thread", Body(dead_after_thread)),
    ("dead_after_timer", Body(dead_after_timer)),
    ("dead_after_keeping", Body(dead_after_keeping)),
    ("alive_timer", Body(alive_timer)),
    ("alive_park_timeout", Body(|| thread::park_timeout(Duration::from_millis(50)))),
    ("alive_thread", Body(alive_thread)),
    ("alive_blocked_call", Body(alive_blocked_call)),
    ("alive_announced_call", Body(alive_announced_call)),
    ("alive_busy", Body(alive_busy)),
];

fn forever() {
    loop {
        thread::park();
    }
}

fn dead_locked() {
    lock_os_thread();
    forever();
}

fn dead_locked_other() {
    go(|| {
        lock_os_thread();
        forever();
    });
    forever();
}

/// One goroutine for each reason.
fn dead_reasons() {
    go(|| scope(|s| s.go(forever)));
    go(|| spawn(forever).join().unwrap());
    forever();
}

/// Futures that nobody will wake: of nobody, of a channel, of a goroutine.
fn dead_futures() {
    let (tx, rx) = channel::bounded::<i32>(0);
    let never = spawn(move || block_on(rx.recv_async()));
    go(move || block_on(async { never.await.unwrap().unwrap_err() }).to_string().clear());
    block_on(std::future::pending::<()>());
    drop(tx);
}

/// A future that will be woken by a timer, while all goroutines sleep.
fn alive_future() {
    let (tx, rx) = channel::bounded::<i32>(0);
    assert!(block_on(timeout(Duration::from_millis(20), rx.recv_async())).is_err());
    drop(tx);
}

fn dead_created_by() {
    go(|| {
        go(|| {
            forever();
        });
        forever();
    });
    forever();
}

/// A function that is started as it is, which says nothing about who starts it.
fn dead_created_by_item() {
    go(forever);
    forever();
}

fn dead_after_work() {
    let workers: Vec<_> = (0..100).map(|_| spawn(yield_now)).collect();
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    forever();
}

fn dead_after_thread() {
    std::thread::spawn(|| std::thread::sleep(Duration::from_millis(100)));
    forever();
}

fn dead_after_timer() {
    go(|| sleep(Duration::from_millis(50)));
    forever();
}

/// A goroutine is kept on a thread that is another's for good, and then let go.
fn dead_after_keeping() {
    static IS_ANOTHERS: AtomicBool = AtomicBool::new(false);
    go(|| {
        let held = [place(), 1];
        black_box(&held);
        while !IS_ANOTHERS.load(Ordering::Relaxed) {
            let (waiter, here) = (thread::current(), std::thread::current().id());
            go(move || {
                if std::thread::current().id() != here {
                    return waiter.unpark();
                }
                lock_os_thread();
                IS_ANOTHERS.store(true, Ordering::Relaxed);
                waiter.unpark();
                forever();
            });
            thread::park();
        }
        black_box(&held);
        println!("let go: {}", guard_stats().moved_anyway.total());
        forever();
    });
    forever();
}

/// Where the calling thread has a value of its own.
fn place() -> usize {
    thread_local! {
        static VALUE: Cell<u32> = const { Cell::new(0) };
    }
    VALUE.with(|value| ptr::from_ref(value).addr())
}

fn alive_timer() {
    let sleepers: Vec<_> = (1..4).map(|tens| spawn(move || sleep(Duration::from_millis(tens * 30)))).collect();
    sleepers.into_iter().for_each(|sleeper| sleeper.join().unwrap());
}

fn alive_thread() {
    let main = thread::current();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        main.unpark();
    });
    thread::park();
}

fn alive_blocked_call() {
    let sleeper = spawn(|| std::thread::sleep(Duration::from_millis(200)));
    sleeper.join().unwrap();
}

fn alive_announced_call() {
    let sleeper = spawn(|| goruntime::runtime::blocking(|| std::thread::sleep(Duration::from_millis(200))));
    sleeper.join().unwrap();
}

fn alive_busy() {
    static SLICES: AtomicUsize = AtomicUsize::new(0);
    static STOP: AtomicBool = AtomicBool::new(false);
    let busy = spawn(|| {
        let start = std::time::Instant::now();
        while start.elapsed() < Duration::from_millis(200) {
            SLICES.fetch_add(1, Ordering::Relaxed);
        }
        STOP.store(true, Ordering::Relaxed);
    });
    busy.join().unwrap();
    assert!(STOP.load(Ordering::Relaxed));
}
