//! What does a rendezvous cost an async peer? tokio and smol have no such channel: flume's is used.
//!
//! The same code runs on both executors, so that a difference between the two is the executor's.

use std::time::Instant;

use flume::{Receiver, Sender, bounded};
use smol::future::race;

use crate::outcome::Outcome;
use crate::shape::{FANOUT, SIDES, STAGES, check_skynet, leaves};

/// Starts a task that nobody joins.
pub(super) trait Detach: Copy + Send + Sync + 'static {
    /// Starts `task`.
    fn detach(self, task: impl Future<Output = ()> + Send + 'static);
}

/// A round trip over two channels.
pub(super) async fn pingpong<D: Detach>(on: D, ops: u64) -> Outcome {
    let (ping, pinged) = bounded(0);
    let (pong, ponged) = bounded(0);
    on.detach(async move {
        while let Ok(i) = pinged.recv_async().await {
            if pong.send_async(i).await.is_err() {
                break;
            }
        }
    });
    let start = Instant::now();
    for i in 0..ops {
        ping.send_async(i).await.expect("the echo is alive");
        ponged.recv_async().await.expect("the echo is alive");
    }
    Outcome::per_op(start, ops)
}

/// An item from one of [`SIDES`] producers.
pub(super) async fn selecting<D: Detach>(on: D, ops: u64) -> Outcome {
    let each = ops / SIDES;
    let start = Instant::now();
    let mut from = Vec::new();
    // Kept, so that no channel is closed before the last item has come.
    let mut kept = Vec::new();
    for _ in 0..SIDES {
        let (tx, rx) = bounded(0);
        from.push(rx);
        kept.push(tx.clone());
        on.detach(async move {
            for i in 0..each {
                tx.send_async(i).await.expect("the consumer is alive");
            }
        });
    }
    for _ in 0..each * SIDES {
        let (left, right) =
            (race(from[0].recv_async(), from[1].recv_async()), race(from[2].recv_async(), from[3].recv_async()));
        race(left, right).await.expect("the producers' channels are open");
    }
    Outcome::per_op(start, each * SIDES)
}

/// A hop around a ring; the stages are there before the clock starts.
pub(super) async fn ring<D: Detach>(on: D, ops: u64) -> Outcome {
    let (first, mut upstream) = bounded::<u64>(0);
    for _ in 1..STAGES {
        let (tx, rx) = bounded(0);
        let from = std::mem::replace(&mut upstream, rx);
        on.detach(async move {
            while let Ok(token) = from.recv_async().await {
                if tx.send_async(token + 1).await.is_err() {
                    break;
                }
            }
        });
    }
    let rounds = ops.div_ceil(STAGES);
    let start = Instant::now();
    for token in 0..rounds {
        first.send_async(token).await.expect("the ring is alive");
        upstream.recv_async().await.expect("the ring is alive");
    }
    Outcome::per_op(start, rounds * STAGES)
}

/// The first `primes` primes by a chain of filters.
pub(super) async fn sieve<D: Detach>(on: D, primes: u64) -> Outcome {
    let start = Instant::now();
    let (tx, mut upstream) = bounded::<u64>(0);
    on.detach(async move {
        let mut n = 2;
        while tx.send_async(n).await.is_ok() {
            n += 1;
        }
    });
    for _ in 0..primes {
        let prime = upstream.recv_async().await.expect("the generator is alive");
        let (tx, rx) = bounded(0);
        let from = std::mem::replace(&mut upstream, rx);
        on.detach(filter(prime, from, tx));
    }
    Outcome::millis(start)
}

async fn filter(prime: u64, from: Receiver<u64>, to: Sender<u64>) {
    while let Ok(n) = from.recv_async().await {
        if n % prime != 0 && to.send_async(n).await.is_err() {
            break;
        }
    }
}

/// The sum of a tree of tasks.
pub(super) async fn skynet<D: Detach>(on: D, ops: u64) -> Outcome {
    let size = leaves(ops);
    let start = Instant::now();
    let (tx, rx) = bounded(0);
    node(on, tx, 0, size);
    let sum = rx.recv_async().await.expect("the root answers");
    check_skynet(sum, size);
    Outcome::millis(start)
}

fn node<D: Detach>(on: D, parent: Sender<u64>, first: u64, size: u64) {
    on.detach(async move {
        let mut sum = first;
        if size > 1 {
            let (tx, rx) = bounded(0);
            let part = size / FANOUT;
            for child in 0..FANOUT {
                node(on, tx.clone(), first + child * part, part);
            }
            sum = 0;
            for _ in 0..FANOUT {
                sum += rx.recv_async().await.expect("every child answers");
            }
        }
        parent.send_async(sum).await.expect("the parent waits");
    });
}
