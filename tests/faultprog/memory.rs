//! Stacks in bursts, of several sizes, with sweeps in between, and tables that grow.
//!
//! Why here: what memory is asked for.
//!
//! *Invariants*: none. *Locks*: none. *Go:* none.

use std::hint::black_box;

use goruntime::channel::{bounded, unbounded};
use goruntime::runtime::{free_os_memory, mem_stats, sweep, yield_now};
use goruntime::sync::WaitGroup;
use goruntime::time::{Duration, sleep};
use goruntime::{Builder, go, spawn};

use crate::Table;

pub(crate) const PROGRAMS: Table = &[("stacks", stacks), ("sizes", sizes), ("crowd", crowd)];

/// Fills so many frames, lets others run, and adds up what it finds there.
fn deep(seed: u64, frames: u64) -> u64 {
    let filled = black_box([seed.wrapping_mul(frames + 1); 64]);
    if frames == 0 {
        yield_now();
    }
    let below = if frames == 0 { 0 } else { deep(seed, frames - 1) };
    black_box(&filled).iter().fold(below, |sum, &word| sum.wrapping_add(word))
}

/// What [`deep`] has to find.
fn sum(seed: u64, frames: u64) -> u64 {
    (0..=frames).fold(0, |sum: u64, frame| sum.wrapping_add(seed.wrapping_mul(frame + 1).wrapping_mul(64)))
}

/// Bursts of goroutines that use their stacks; what they leave behind is given back in between, and used again.
fn stacks() {
    for round in 1..=6_u64 {
        let handles: Vec<_> =
            (0..300_u64).map(|index| (index, spawn(move || deep(index * round, index % 40)))).collect();
        for (index, handle) in handles {
            assert_eq!(handle.join().expect("it does not panic"), sum(index * round, index % 40));
        }
        if round % 2 == 0 {
            free_os_memory();
        } else {
            sweep();
        }
    }
    assert!(mem_stats().sweeps > 0);
}

/// Stacks of all sizes, one mapping for each size at least.
fn sizes() {
    for round in 0..3_u64 {
        let mut handles = Vec::new();
        for log2 in 16..=23 {
            for index in 0..4_u64 {
                let builder = Builder::new().stack_size(1 << log2);
                let spawned = builder.spawn(move || deep(index + round, 20)).expect("a size that is accepted");
                handles.push((index + round, spawned));
            }
        }
        for (seed, handle) in handles {
            assert_eq!(handle.join().expect("it does not panic"), sum(seed, 20));
        }
        free_os_memory();
    }
}

/// Many goroutines at once, all with timers, in one line at a channel.
fn crowd() {
    const CROWD: u64 = 3_000;
    let (tx, rx) = bounded(1);
    let (done, all) = unbounded();
    let group = WaitGroup::new();
    for index in 0..CROWD {
        let (tx, done) = (tx.clone(), done.clone());
        group.add(1);
        let group = group.clone();
        go(move || {
            sleep(Duration::from_micros(index % 700));
            tx.send(index).expect("somebody receives");
            done.send(deep(index, 1)).expect("somebody receives");
            group.done();
        });
    }
    drop((tx, done));
    assert_eq!(rx.iter().sum::<u64>(), CROWD * (CROWD - 1) / 2);
    group.wait();
    let expected = (0..CROWD).fold(0, |total: u64, index| total.wrapping_add(sum(index, 1)));
    assert_eq!(all.iter().fold(0, u64::wrapping_add), expected);
}
