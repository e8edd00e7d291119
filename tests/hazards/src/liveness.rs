//! Goroutines that are kept on a thread which does not come for them.
//!
//! Why here: keeping is advice, and must not stop anybody.
//!
//! *Invariants*
//! - L1. That a program here ends is what it shows; with `tlsguard=strict` it would not.
//!
//! *Locks*: a mutex of the standard library, held over a wait.
//!
//! *Go:* none.

use std::hint::{self, black_box};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use goruntime::runtime::yield_now;
use goruntime::{channel, scope, spawn};
use goruntime_hazards::elsewhere::{wait, wait_behind};
use rand::Rng;

use crate::own::place;

/// Holds a mutex and its thread's random number generator over a wait, while the thread that it is kept on blocks in that very mutex; others print
/// and contend as well.
pub(crate) fn mutex() -> u64 {
    let mutex = Arc::new(Mutex::new(0));
    let mut all = Vec::new();
    for _ in 0..4 {
        let mutex = Arc::clone(&mutex);
        all.push(spawn(move || {
            for _ in 0..3 {
                *mutex.lock().expect("nobody panics") += 1;
                println!("in between {}", rand::rng().random_range(0..10));
                yield_now();
            }
        }));
    }
    all.push(spawn({
        let mutex = Arc::clone(&mutex);
        move || {
            let mut rng = rand::rng();
            let mut guard = mutex.lock().expect("nobody panics");
            println!("before");
            let blocked = Arc::clone(&mutex);
            wait_behind(move |_| drop(blocked.lock()));
            *guard += rng.random_range(1..2);
            println!("after");
        }
    }));
    all.into_iter().for_each(|one| one.join().expect("nobody panics"));
    let count = *mutex.lock().expect("nobody panics");
    (count != 4 * 3 + 1).into()
}

/// Has a word on its stack that looks like a reference, while the thread that it is kept on computes until it has gone on.
pub(crate) fn computing() -> u64 {
    let stale = [place(), 1];
    black_box(&stale);
    wait_behind(|gone_on| {
        while !gone_on.load(Ordering::Relaxed) {
            hint::spin_loop();
        }
    });
    black_box(&stale);
    0
}

/// Messages that two goroutines with such words send each other.
const MESSAGES: u64 = 500;

/// Two of them talk to each other, and every now and then their thread has something else to do.
pub(crate) fn stale() -> u64 {
    let (ping, pings) = channel::bounded(0);
    let (pong, pongs) = channel::bounded(0);
    let mut sum = 0;
    scope(|s| {
        s.spawn(move || {
            let stale = [place(), 2];
            black_box(&stale);
            for message in pings {
                if message % 50 == 0 {
                    wait();
                }
                pong.send(message + 1).expect("the other one waits");
            }
            black_box(&stale);
        });
        let stale = [place(), 3];
        black_box(&stale);
        for message in 0..MESSAGES {
            ping.send(message).expect("the other one waits");
            sum += pongs.recv().expect("the other one answers");
        }
        drop(ping);
        black_box(&stale);
    });
    (sum != MESSAGES * (MESSAGES + 1) / 2).into()
}
