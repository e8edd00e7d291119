//! Spawning, joining, detaching, scopes, bursts, locals.
//!
//! *Why here.* See `scenarios`.
//!
//! *Invariants.* SN1. *Locks.* None. *Go:* none.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use goruntime::runtime::{goid, num_goroutine, yield_now};
use goruntime::{Builder, go, scope, spawn, thread};

use super::{Context, SLOWER, pause};
use crate::check::{Ledger, ensure, eventually};
use crate::rand::Rand;

/// Results of all sizes come back, whoever is first.
pub(crate) fn spawn_join(_: &Context, mut rand: Rand) -> u64 {
    let ledger = Ledger::default();
    let count = rand.range(1, 300 / SLOWER);
    let (mut small, mut large) = (Vec::new(), Vec::new());
    for number in 0..count {
        let (mut own, token) = (rand.fork(), ledger.token());
        let work = move || {
            for _ in 0..own.range(0, 4) {
                pause(&mut own);
            }
            drop(token);
            number
        };
        match rand.range(0, 4) {
            0 => large.push((number, spawn(move || [work(); 12]))),
            1 => {
                let size = rand.pick(&[32 << 10, 64 << 10, 512 << 10, 2 << 20]);
                match Builder::new().stack_size(size).name(format!("sized {number}")).spawn(work) {
                    Ok(handle) => small.push((number, handle)),
                    Err(error) => crate::check::fail(&format!("a stack of {size}: {error}")),
                }
            }
            _ => small.push((number, spawn(work))),
        }
        if rand.one_in(5) {
            pause(&mut rand);
        }
    }
    while !small.is_empty() {
        let (number, handle) = small.swap_remove(rand.range(0, small.len() as u64) as usize);
        if rand.one_in(4) {
            eventually("a goroutine has ended", || handle.is_finished());
        }
        ensure!(handle.join().ok() == Some(number), "goroutine {number} left another result");
    }
    for (number, handle) in large {
        ensure!(handle.join().ok() == Some([number; 12]), "goroutine {number} left another large result");
    }
    ledger.settle("joined goroutines drop what they hold");
    count
}

/// Handles are dropped at every moment; results that nobody takes are dropped once.
pub(crate) fn detach(_: &Context, mut rand: Rand) -> u64 {
    let ledger = Ledger::default();
    let count = rand.range(1, 500 / SLOWER);
    let mut kept = Vec::new();
    for _ in 0..count {
        let (mut own, held, result) = (rand.fork(), ledger.token(), ledger.token());
        let handle = spawn(move || {
            if own.one_in(3) {
                pause(&mut own);
            }
            drop(held);
            (result, [0u64; 5])
        });
        match rand.range(0, 3) {
            0 => drop(handle),
            1 => kept.push(handle),
            _ => {
                yield_now();
                drop(handle);
            }
        }
    }
    drop(kept);
    ledger.settle("detached goroutines end and drop their results");
    count
}

/// A tree of goroutines that wait for their children.
pub(crate) fn tree(_: &Context, mut rand: Rand) -> u64 {
    fn grow(depth: u32, mut rand: Rand) -> u64 {
        if depth == 0 {
            return 1;
        }
        let children: Vec<_> = (0..rand.range(1, 4))
            .map(|_| {
                let rand = rand.fork();
                spawn(move || grow(depth - 1, rand))
            })
            .collect();
        if rand.one_in(8) {
            pause(&mut rand);
        }
        children
            .into_iter()
            .map(|child| child.join().unwrap_or_else(|_| crate::check::fail("a node panicked")))
            .sum::<u64>()
            + 1
    }
    fn expected(depth: u32, mut rand: Rand) -> u64 {
        if depth == 0 {
            return 1;
        }
        (0..rand.range(1, 4)).map(|_| expected(depth - 1, rand.fork())).sum::<u64>() + 1
    }
    let (depth, seed) = (rand.range(2, if SLOWER > 1 { 6 } else { 9 }) as u32, rand.fork());
    let nodes = grow(depth, seed.clone());
    ensure!(nodes == expected(depth, seed), "a tree of depth {depth} has {nodes} nodes");
    nodes
}

/// Nested scopes borrow from the stack.
pub(crate) fn scopes(_: &Context, mut rand: Rand) -> u64 {
    let rounds = rand.range(1, 40 / SLOWER + 2);
    let mut total = 0;
    for _ in 0..rounds {
        let width = rand.range(1, 12) as usize;
        let mut cells = vec![0u64; width];
        let sum = AtomicU64::new(0);
        scope(|outer| {
            for (place, cell) in cells.iter_mut().enumerate() {
                let (mut own, sum) = (rand.fork(), &sum);
                let body = move || {
                    if own.one_in(2) {
                        pause(&mut own);
                    }
                    let half = [AtomicU64::new(0), AtomicU64::new(0)];
                    scope(|inner| {
                        inner.go(|| {
                            half[0].fetch_add(1, Ordering::Relaxed);
                        });
                        let (mut own, half) = (own.fork(), &half);
                        let second = inner.spawn(move || {
                            pause(&mut own);
                            half[1].fetch_add(1, Ordering::Relaxed)
                        });
                        if place % 2 == 0 {
                            ensure!(second.join().is_ok(), "a scoped goroutine panicked");
                        }
                    });
                    *cell = half.iter().map(|half| half.load(Ordering::Relaxed)).sum();
                    sum.fetch_add(*cell, Ordering::Relaxed);
                };
                if rand.one_in(2) { outer.go(body) } else { drop(outer.spawn(body)) }
            }
        });
        ensure!(cells.iter().all(|&cell| cell == 2), "a scope ended before its goroutines: {cells:?}");
        ensure!(sum.load(Ordering::Relaxed) == 2 * width as u64, "a scope lost an addition");
        total += 3 * width as u64;
    }
    total
}

/// Tens of thousands at once; the last one wakes the waiter.
pub(crate) fn burst(_: &Context, mut rand: Rand) -> u64 {
    let count = rand.range(10_000, 100_000) / SLOWER;
    let parks = rand.one_in(4);
    let left = Arc::new(AtomicU64::new(count));
    let waiter = thread::current();
    for _ in 0..count {
        let (left, waiter) = (Arc::clone(&left), waiter.clone());
        go(move || {
            if parks {
                yield_now();
            }
            if left.fetch_sub(1, Ordering::AcqRel) == 1 {
                waiter.unpark();
            }
        });
    }
    while left.load(Ordering::Acquire) != 0 {
        thread::park();
    }
    count
}

/// Yields take turns and end.
pub(crate) fn yields(_: &Context, mut rand: Rand) -> u64 {
    let (workers, rounds) = (rand.range(1, 50), rand.range(1, 400 / SLOWER));
    let sum = Arc::new(AtomicUsize::new(0));
    let handles: Vec<_> = (0..workers)
        .map(|_| {
            let sum = Arc::clone(&sum);
            spawn(move || {
                let id = goid();
                for _ in 0..rounds {
                    sum.fetch_add(1, Ordering::Relaxed);
                    yield_now();
                    ensure!(goid() == id, "a goroutine has another id after a yield");
                }
            })
        })
        .collect();
    for handle in handles {
        ensure!(handle.join().is_ok(), "a yielding goroutine panicked");
    }
    ensure!(sum.load(Ordering::Relaxed) as u64 == workers * rounds, "a yield was lost");
    ensure!(num_goroutine() >= 1, "the count of goroutines is negative");
    workers * rounds
}

goruntime::goroutine_local! {
    static MARK: Cell<u64> = Cell::new(0);
    static HELD: Cell<Option<crate::check::Token>> = Cell::new(None);
}

/// A result whose destructor uses a local of whichever goroutine drops it.
struct Touches(#[allow(dead_code, reason = "held to be counted")] crate::check::Token);

impl Drop for Touches {
    fn drop(&mut self) {
        MARK.with(|mark| mark.set(mark.get() + 1_000));
    }
}

/// Locals begin anew in each goroutine, stay over parks, and are dropped with it.
pub(crate) fn locals(_: &Context, mut rand: Rand) -> u64 {
    let ledger = Ledger::default();
    let count = rand.range(1, 200 / SLOWER);
    let mut kept = Vec::new();
    for _ in 0..count {
        let (mut own, token, result) = (rand.fork(), ledger.token(), ledger.token());
        let handle = spawn(move || {
            let seen = MARK.with(Cell::get);
            ensure!(seen == 0, "a new goroutine sees the local of another: {seen}");
            let mark = goid();
            MARK.with(|cell| cell.set(mark));
            HELD.with(|held| held.set(Some(token)));
            pause(&mut own);
            ensure!(MARK.with(Cell::get) == mark, "a local changed over a pause");
            Touches(result)
        });
        if rand.one_in(2) {
            kept.push(handle);
        }
    }
    for handle in kept {
        ensure!(handle.join().is_ok(), "a goroutine with locals panicked");
    }
    ledger.settle("locals are dropped at the end");
    count
}
