//! Channels, mutexes and wait groups of the runtime: every value arrives once, nobody is left waiting.
//!
//! *Why here.* See `scenarios`.
//!
//! *Invariants.* SN1. *Locks.* None. *Go:* none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use goruntime::channel::{self, RecvTimeoutError, SendTimeoutError};
use goruntime::sync::{Mutex, WaitGroup};
use goruntime::{go, spawn};

use super::{Context, SLOWER, pause};
use crate::check::{Ledger, Token, ensure, not_late};
use crate::rand::Rand;

/// Many senders, many receivers, any capacity; some are plain threads.
pub(crate) fn pipes(_: &Context, mut rand: Rand) -> u64 {
    let (senders, receivers, each) = (rand.range(1, 12), rand.range(1, 12), rand.range(1, 400 / SLOWER));
    let (sum, ledger) = (Arc::new(AtomicU64::new(0)), Ledger::default());
    let (tx, rx) = match rand.range(0, 4) {
        0 => channel::unbounded::<(u64, Token)>(),
        1 => channel::bounded(0),
        2 => channel::bounded(1),
        _ => channel::bounded(rand.range(2, 100) as usize),
    };
    for _ in 0..senders {
        let (tx, mut own, ledger) = (tx.clone(), rand.fork(), ledger.clone());
        let work = move || {
            for number in 1..=each {
                if own.one_in(50) {
                    pause(&mut own);
                }
                ensure!(tx.send((number, ledger.token())).is_ok(), "a channel with receivers refused a value");
            }
        };
        if rand.one_in(8) { drop(std::thread::spawn(work)) } else { go(work) }
    }
    drop(tx);
    let handles: Vec<_> = (0..receivers)
        .map(|_| {
            let (rx, sum, mut own) = (rx.clone(), Arc::clone(&sum), rand.fork());
            spawn(move || {
                for (number, token) in &rx {
                    sum.fetch_add(number, Ordering::Relaxed);
                    drop(token);
                    if own.one_in(50) {
                        pause(&mut own);
                    }
                }
            })
        })
        .collect();
    drop(rx);
    for handle in handles {
        ensure!(handle.join().is_ok(), "a receiver panicked");
    }
    let (got, sent) = (sum.load(Ordering::Relaxed), senders * each * (each + 1) / 2);
    ensure!(got == sent, "{sent} was sent, {got} was received");
    ledger.settle("every value is dropped once");
    senders * each
}

/// Time limits of both sides race with the other side; what was sent is what was received.
pub(crate) fn deadlines(_: &Context, mut rand: Rand) -> u64 {
    let rounds = rand.range(1, 100);
    let (tx, rx) = channel::bounded(rand.range(0, 3) as usize);
    let sender = {
        let mut own = rand.fork();
        spawn(move || {
            let (mut sent, mut kept) = (0u64, 0u64);
            for number in 1..=rounds {
                let (begun, limit) = (Instant::now(), own.micros(1, 500));
                match tx.send_timeout(number, limit) {
                    Ok(()) => sent += number,
                    Err(SendTimeoutError::Timeout(back)) => {
                        ensure!(back == number, "a refused value came back as another");
                        not_late("a send with a time limit", begun, limit);
                        kept += 1;
                    }
                    Err(SendTimeoutError::Disconnected(_)) => crate::check::fail("the receiver is still there"),
                }
            }
            (sent, kept)
        })
    };
    let mut received = 0;
    loop {
        let (begun, limit) = (Instant::now(), rand.micros(1, 500));
        match rx.recv_timeout(limit) {
            Ok(number) => received += number,
            Err(RecvTimeoutError::Timeout) => not_late("a receive with a time limit", begun, limit),
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if rand.one_in(10) {
            pause(&mut rand);
        }
    }
    let Ok((sent, _)) = sender.join() else { crate::check::fail("a sender panicked") };
    ensure!(sent == received, "{sent} was sent, {received} was received");
    rounds
}

/// A mutex lets one in at a time, a wait group lets nobody out early.
pub(crate) fn mutual(_: &Context, mut rand: Rand) -> u64 {
    let (workers, rounds) = (rand.range(1, 40), rand.range(1, 60 / SLOWER + 2));
    let (sum, group) = (Arc::new(Mutex::new(0u64)), WaitGroup::new());
    for _ in 0..workers {
        group.add(1);
        let (sum, group, mut own) = (Arc::clone(&sum), group.clone(), rand.fork());
        go(move || {
            for _ in 0..rounds {
                let Ok(mut guard) = sum.lock() else { crate::check::fail("a mutex was poisoned") };
                let before = *guard;
                if own.one_in(30) {
                    pause(&mut own);
                }
                *guard = before + 1;
            }
            group.done();
        });
    }
    if rand.one_in(2) {
        std::thread::sleep(Duration::from_micros(rand.range(1, 200)));
    }
    group.wait();
    let Ok(sum) = sum.lock() else { crate::check::fail("a mutex was poisoned") };
    ensure!(*sum == workers * rounds, "the mutex let two in: {} of {}", *sum, workers * rounds);
    *sum
}
