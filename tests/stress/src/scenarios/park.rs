//! Parking and unparking, with and without time limits.
//!
//! *Why here.* See `scenarios`.
//!
//! *Invariants.* SN1. *Locks.* None. *Go:* none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use goruntime::runtime::yield_now;
use goruntime::{spawn, thread};

use super::{Context, SLOWER, pause};
use crate::check::{ensure, not_late};
use crate::rand::Rand;

/// Two goroutines take turns; every turn is handed over by one unpark.
pub(crate) fn ping_pong(_: &Context, mut rand: Rand) -> u64 {
    let (rounds, spice) = (rand.range(10, 3_000 / SLOWER), rand.pick(&[0u64, 0, 50]));
    let turn = Arc::new(AtomicU64::new(0));
    let first = thread::current();
    let second = spawn({
        let (turn, mut rand) = (Arc::clone(&turn), rand.fork());
        move || {
            for round in 0..rounds {
                while turn.load(Ordering::Acquire) != 2 * round + 1 {
                    thread::park();
                }
                if spice != 0 && rand.one_in(spice) {
                    pause(&mut rand);
                }
                turn.store(2 * round + 2, Ordering::Release);
                first.unpark();
            }
        }
    });
    for round in 0..rounds {
        turn.store(2 * round + 1, Ordering::Release);
        second.thread().unpark();
        while turn.load(Ordering::Acquire) != 2 * round + 2 {
            thread::park();
        }
    }
    ensure!(second.join().is_ok(), "the second player panicked");
    2 * rounds
}

/// A token goes round.
pub(crate) fn ring(_: &Context, mut rand: Rand) -> u64 {
    let (members, laps) = (rand.range(2, 60), rand.range(2, 100 / SLOWER + 3));
    let turn = Arc::new(AtomicU64::new(u64::MAX));
    let threads = Arc::new(std::sync::OnceLock::<Vec<thread::Thread>>::new());
    let handles: Vec<_> = (0..members)
        .map(|place| {
            let (turn, threads) = (Arc::clone(&turn), Arc::clone(&threads));
            spawn(move || {
                for lap in 0..laps {
                    let mine = lap * members + place;
                    while turn.load(Ordering::Acquire) != mine {
                        thread::park();
                    }
                    turn.store(mine + 1, Ordering::Release);
                    match threads.get() {
                        Some(threads) => threads[((place + 1) % members) as usize].unpark(),
                        None => crate::check::fail("a turn came before the ring was closed"),
                    }
                }
            })
        })
        .collect();
    let list: Vec<_> = handles.iter().map(|handle| handle.thread().clone()).collect();
    ensure!(threads.set(list.clone()).is_ok(), "the ring is closed once");
    turn.store(0, Ordering::Release);
    list[0].unpark();
    for handle in handles {
        ensure!(handle.join().is_ok(), "a member of the ring panicked");
    }
    members * laps
}

/// Many unpark one, which must see every addition.
pub(crate) fn permits(_: &Context, mut rand: Rand) -> u64 {
    let (givers, each) = (rand.range(1, 20), rand.range(1, 200 / SLOWER));
    let (given, me) = (Arc::new(AtomicU64::new(0)), thread::current());
    for _ in 0..givers {
        let (given, me, mut own) = (Arc::clone(&given), me.clone(), rand.fork());
        goruntime::go(move || {
            for _ in 0..each {
                if own.one_in(20) {
                    pause(&mut own);
                }
                given.fetch_add(1, Ordering::Release);
                me.unpark();
            }
        });
    }
    while given.load(Ordering::Acquire) != givers * each {
        if rand.one_in(8) {
            thread::park_timeout(Duration::from_secs(3_000));
        } else {
            thread::park();
        }
    }
    givers * each
}

/// Time limits race with permits; no limit is overrun, and none is forgotten by a later one.
pub(crate) fn park_timeout(_: &Context, mut rand: Rand) -> u64 {
    let (parkers, rounds) = (rand.range(1, 60), rand.range(1, 30));
    let stop = Arc::new(AtomicBool::new(false));
    let handles: Vec<_> = (0..parkers)
        .map(|_| {
            let mut own = rand.fork();
            spawn(move || {
                for _ in 0..rounds {
                    let (begun, limit) = (Instant::now(), own.micros(1, 2_000));
                    thread::park_timeout(limit);
                    not_late("a timed park", begun, limit);
                }
            })
        })
        .collect();
    let unparker = spawn({
        let (stop, threads) =
            (Arc::clone(&stop), handles.iter().map(|handle| handle.thread().clone()).collect::<Vec<_>>());
        let mut own = rand.fork();
        move || {
            let mut count = 0u64;
            while !stop.load(Ordering::Relaxed) {
                let place = own.range(0, threads.len() as u64) as usize;
                threads[place].unpark();
                count += 1;
                if own.one_in(16) { goruntime::time::sleep(own.micros(1, 500)) } else { yield_now() }
            }
            count
        }
    });
    for handle in handles {
        ensure!(handle.join().is_ok(), "a parker panicked");
    }
    stop.store(true, Ordering::Relaxed);
    ensure!(unparker.join().is_ok(), "the unparker panicked");
    parkers * rounds
}

/// Handles outlive their goroutines, whose memory lives on as others.
pub(crate) fn unpark_ended(_: &Context, mut rand: Rand) -> u64 {
    let count = rand.range(10, 400 / SLOWER);
    let mut stale: Vec<thread::Thread> = Vec::new();
    let mut ids = std::collections::HashSet::new();
    for _ in 0..count {
        let mut own = rand.fork();
        let handle = spawn(move || {
            if own.one_in(3) {
                thread::park_timeout(own.micros(1, 100));
            }
            thread::current().id()
        });
        stale.push(handle.thread().clone());
        if !stale.is_empty() {
            stale[rand.range(0, stale.len() as u64) as usize].unpark();
        }
        let shown = handle.thread().id();
        match handle.join() {
            Ok(id) => ensure!(id == shown && ids.insert(id), "an id was given twice: {id:?}"),
            Err(_) => crate::check::fail("a short goroutine panicked"),
        }
    }
    for thread in &stale {
        thread.unpark();
    }
    count
}
