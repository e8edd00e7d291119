//! What takes threads: blocking calls, threads for one goroutine alone, more processors, plain threads in library mode.
//!
//! Why here: what threads are asked for.
//!
//! *Invariants*: none. *Locks*: none. *Go:* none.

use std::sync::{Arc, Barrier};
use std::thread;

use goruntime::channel::{bounded, unbounded};
use goruntime::runtime::{self, lock_os_thread, set_gomaxprocs, yield_now};
use goruntime::{go, spawn};

use crate::Table;

pub(crate) const PROGRAMS: Table = &[("blocking", blocking), ("locked", locked), ("processors", processors)];
pub(crate) const PLAIN: Table = &[("library", library)];

/// Calls that return only when all of them are under way, which takes a thread for each.
fn blocking() {
    for count in [2, 6, 20, 24] {
        let barrier = Arc::new(Barrier::new(count));
        let handles: Vec<_> = (0..count)
            .map(|_| {
                let barrier = Arc::clone(&barrier);
                spawn(move || runtime::blocking(|| barrier.wait().is_leader()))
            })
            .collect();
        let leaders = handles.into_iter().filter(|_| true).map(|handle| handle.join().expect("it does not panic"));
        assert_eq!(leaders.filter(|&is_leader| is_leader).count(), 1);
    }
    // Sleeps in the kernel that nobody has announced: sysmon sees them.
    let (tx, rx) = unbounded();
    for index in 0..8_u64 {
        let tx = tx.clone();
        go(move || {
            thread::sleep(std::time::Duration::from_millis(2));
            tx.send(index).expect("somebody receives");
        });
    }
    drop(tx);
    assert_eq!(rx.iter().sum::<u64>(), 28);
}

/// Goroutines with a thread each, in a ring.
fn locked() {
    const RING: usize = 12;
    const ROUNDS: u64 = 20;
    let (first, mut last) = bounded::<u64>(1);
    let mut handles = Vec::new();
    for _ in 0..RING {
        let (tx, rx) = bounded(1);
        let from = std::mem::replace(&mut last, rx);
        handles.push(spawn(move || {
            lock_os_thread();
            let here = thread::current().id();
            for token in &from {
                assert_eq!(thread::current().id(), here);
                if tx.send(token + 1).is_err() {
                    return;
                }
            }
        }));
    }
    let mut token = 0;
    for _ in 0..ROUNDS {
        first.send(token).expect("the ring is there");
        token = last.recv().expect("the ring is there");
    }
    assert_eq!(token, ROUNDS * RING as u64);
    drop(first);
    handles.into_iter().for_each(|handle| handle.join().expect("it does not panic"));
}

/// The number of processors goes up and down under load.
fn processors() {
    let before = runtime::gomaxprocs();
    let (tx, rx) = bounded(4);
    let load: Vec<_> = (0..24_u64)
        .map(|index| {
            let tx = tx.clone();
            spawn(move || {
                for round in 0..40 {
                    tx.send(index * round).expect("somebody receives");
                    yield_now();
                }
            })
        })
        .collect();
    drop(tx);
    let adder = spawn(move || rx.iter().sum::<u64>());
    for count in [1, 7, 2, 12, 3, before] {
        set_gomaxprocs(count);
        yield_now();
    }
    load.into_iter().for_each(|handle| handle.join().expect("it does not panic"));
    assert_eq!(adder.join().expect("it does not panic"), 276 * 780);
    assert_eq!(runtime::gomaxprocs(), before);
}

/// The runtime starts under several plain threads at once, which talk to goroutines and to each other.
fn library() {
    let (tx, rx) = bounded(0);
    let threads: Vec<_> = (0..4_u64)
        .map(|index| {
            let tx = tx.clone();
            thread::spawn(move || {
                let squares = spawn(move || (0..50).map(|number| number * index).sum::<u64>());
                let sum = squares.join().expect("it does not panic");
                for round in 0..20 {
                    tx.send(sum + round).expect("somebody receives");
                }
            })
        })
        .collect();
    drop(tx);
    let total = goruntime::run(move || rx.iter().sum::<u64>());
    assert_eq!(total, (0..4).map(|index| 20 * (1_225 * index) + 190).sum::<u64>());
    threads.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
}
