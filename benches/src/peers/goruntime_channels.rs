//! What do goruntime's channels and mutex cost?
//!
//! Apart from the other workloads, so that those can be measured without the feature `channels`.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use ::goruntime::channel::{Receiver, Sender, bounded, unbounded};
use ::goruntime::sync::{Mutex, RwLock};
use ::goruntime::{go, select};

use super::goruntime::wait_group;
use crate::outcome::Outcome;
use crate::shape::{CAPACITY, FANOUT, LOCKERS, SIDES, STAGES, WRITE_EVERY, check_skynet, leaves};

/// Runs one workload, if it is one of these.
pub(super) fn run(workload: &str, ops: u64) -> Option<Outcome> {
    Some(match workload {
        "pingpong_unbuf" => pingpong(0, ops),
        "pingpong_cap1" => pingpong(1, ops),
        "chan_buf" => items(1, Some(CAPACITY), ops),
        "chan_buf4x4" => items(SIDES, Some(CAPACITY), ops),
        "chan_unb" => items(1, None, ops),
        "select_buf" => selecting(CAPACITY, ops),
        "select_cap1" => selecting(1, ops),
        "select_unbuf" => selecting(0, ops),
        "ring_unbuf" => ring(ops),
        "sieve_unbuf" => sieve(ops),
        "skynet" => skynet(ops),
        "mutex1" => mutex(1, ops),
        "mutex" => mutex(LOCKERS, ops),
        "rwlock" => rwlock(ops),
        _ => return None,
    })
}

fn pingpong(capacity: usize, ops: u64) -> Outcome {
    let (ping, pinged) = bounded(capacity);
    let (pong, ponged) = bounded(capacity);
    go(move || {
        for i in pinged {
            if pong.send(i).is_err() {
                break;
            }
        }
    });
    let start = Instant::now();
    for i in 0..ops {
        ping.send(i).expect("the echo is alive");
        ponged.recv().expect("the echo is alive");
    }
    Outcome::per_op(start, ops)
}

fn items(sides: u64, capacity: Option<usize>, ops: u64) -> Outcome {
    let (tx, rx) = capacity.map_or_else(unbounded, bounded);
    let each = ops / sides;
    let start = Instant::now();
    for _ in 0..sides {
        let tx = tx.clone();
        go(move || {
            for i in 0..each {
                tx.send(i).expect("the consumers are alive");
            }
        });
    }
    drop(tx);
    let group = wait_group(sides);
    for _ in 0..sides {
        let rx = rx.clone();
        go(move || {
            while rx.recv().is_ok() {}
            group.done();
        });
    }
    group.wait();
    Outcome::per_op(start, each * sides)
}

fn selecting(capacity: usize, ops: u64) -> Outcome {
    let each = ops / SIDES;
    let start = Instant::now();
    // The senders are kept, so that no channel is closed before the last item has come.
    let ends: Vec<(Sender<u64>, Receiver<u64>)> = (0..SIDES).map(|_| bounded(capacity)).collect();
    for (tx, _) in &ends {
        let tx = tx.clone();
        go(move || (0..each).for_each(|i| tx.send(i).expect("the consumer is alive")));
    }
    for _ in 0..each * SIDES {
        let item = select! {
            recv(ends[0].1) -> item => item,
            recv(ends[1].1) -> item => item,
            recv(ends[2].1) -> item => item,
            recv(ends[3].1) -> item => item,
        };
        assert!(item.is_ok(), "a producer's channel was closed");
    }
    Outcome::per_op(start, each * SIDES)
}

fn ring(ops: u64) -> Outcome {
    let (first, mut upstream) = bounded::<u64>(0);
    for _ in 1..STAGES {
        let (tx, rx) = bounded(0);
        let from = std::mem::replace(&mut upstream, rx);
        go(move || {
            for token in from {
                if tx.send(token + 1).is_err() {
                    break;
                }
            }
        });
    }
    let rounds = ops.div_ceil(STAGES);
    let start = Instant::now();
    for token in 0..rounds {
        first.send(token).expect("the ring is alive");
        upstream.recv().expect("the ring is alive");
    }
    Outcome::per_op(start, rounds * STAGES)
}

fn sieve(primes: u64) -> Outcome {
    let start = Instant::now();
    let (tx, mut upstream) = bounded::<u64>(0);
    go(move || {
        let mut n = 2;
        while tx.send(n).is_ok() {
            n += 1;
        }
    });
    for _ in 0..primes {
        let prime = upstream.recv().expect("the generator is alive");
        let (tx, rx) = bounded(0);
        let from = std::mem::replace(&mut upstream, rx);
        go(move || {
            for n in from {
                if n % prime != 0 && tx.send(n).is_err() {
                    break;
                }
            }
        });
    }
    Outcome::millis(start)
}

fn skynet(ops: u64) -> Outcome {
    let size = leaves(ops);
    let start = Instant::now();
    let (tx, rx) = bounded(0);
    go(move || node(&tx, 0, size));
    let sum = rx.recv().expect("the root answers");
    check_skynet(sum, size);
    Outcome::millis(start)
}

fn node(parent: &Sender<u64>, first: u64, size: u64) {
    let mut sum = first;
    if size > 1 {
        let (tx, rx) = bounded(0);
        let part = size / FANOUT;
        for child in 0..FANOUT {
            let tx = tx.clone();
            go(move || node(&tx, first + child * part, part));
        }
        sum = (0..FANOUT).map(|_| rx.recv().expect("every child answers")).sum();
    }
    parent.send(sum).expect("the parent waits");
}

fn mutex(lockers: u64, ops: u64) -> Outcome {
    let shared = Arc::new(Mutex::new(0_u64));
    let each = ops / lockers;
    let start = Instant::now();
    let group = wait_group(lockers);
    for _ in 0..lockers {
        let shared = shared.clone();
        go(move || {
            for _ in 0..each {
                *shared.lock().expect("not poisoned") += 1;
            }
            group.done();
        });
    }
    group.wait();
    Outcome::per_op(start, each * lockers)
}

fn rwlock(ops: u64) -> Outcome {
    let shared = Arc::new(RwLock::new(0_u64));
    let each = ops / LOCKERS;
    let start = Instant::now();
    let group = wait_group(LOCKERS);
    for _ in 0..LOCKERS {
        let shared = shared.clone();
        go(move || {
            let mut seen = 0;
            for i in 0..each {
                if i % WRITE_EVERY == 0 {
                    *shared.write().expect("not poisoned") += 1;
                } else {
                    seen += *shared.read().expect("not poisoned");
                }
            }
            black_box(seen);
            group.done();
        });
    }
    group.wait();
    Outcome::per_op(start, each * LOCKERS)
}
