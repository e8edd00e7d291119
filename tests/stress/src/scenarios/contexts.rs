//! Contexts, and timers that are set again and again: ends of all kinds against each other.
//!
//! *Why here.* See `scenarios`.
//!
//! *Invariants.* SN1. *Locks.* None. *Go:* none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use goruntime::channel::{Receiver, Sender, bounded};
use goruntime::context::{self, CancelFunc, Context as Ctx, background};
use goruntime::sync::{Mutex, WaitGroup};
use goruntime::time::{Ticker, Timer, after_func, sleep_ctx};
use goruntime::{go, spawn};

use super::{Context, SLOWER, pause};
use crate::check::{Ledger, Token, ensure, eventually};
use crate::rand::Rand;

const HOUR: Duration = Duration::from_secs(3600);

/// A context that ends soon, or not before its right is dropped.
fn some_context(rand: &mut Rand, parent: &Ctx) -> (Ctx, CancelFunc) {
    match rand.range(0, 4) {
        0 => context::with_timeout(parent, rand.micros(1, 400)),
        1 => context::with_cancel(parent),
        2 => {
            let (ctx, cancel) = context::with_timeout(parent, HOUR);
            let (theirs, mut own) = (cancel.clone(), rand.fork());
            go(move || {
                pause(&mut own);
                theirs.cancel();
            });
            (ctx, cancel)
        }
        _ => context::with_timeout(&context::with_value(parent, 1), rand.micros(1, 2_000)),
    }
}

/// Runs a part as a goroutine, or, once in a while, on a plain thread.
fn somewhere(rand: &mut Rand, group: &WaitGroup, part: impl FnOnce(Rand) + Send + 'static) {
    let own = rand.fork();
    if rand.one_in(4) {
        group.add(1);
        let group = group.clone();
        std::thread::spawn(move || {
            part(own);
            group.done();
        });
    } else {
        group.go(move || part(own));
    }
}

/// Values under contexts that end, with time limits, plain operations and a close in between: each arrives once or comes back.
pub(crate) fn ctx_channels(_: &Context, mut rand: Rand) -> u64 {
    let (tx, rx) = bounded::<Token>(rand.pick(&[0, 0, 1, 3]));
    let (ledger, group, rounds) = (Ledger::default(), WaitGroup::new(), rand.range(5, 80 / SLOWER + 6));
    let (root, cancel) = context::with_cancel(&background());
    let pairs = rand.range(1, 6);
    for _ in 0..pairs {
        let (tx, ledger, root_of_sender) = (tx.clone(), ledger.clone(), root.clone());
        somewhere(&mut rand, &group, move |mut own| {
            for _ in 0..rounds {
                send_somehow(&mut own, &tx, ledger.token(), &root_of_sender);
            }
        });
        let (rx, root) = (rx.clone(), root.clone());
        somewhere(&mut rand, &group, move |mut own| {
            for _ in 0..rounds {
                receive_somehow(&mut own, &rx, &root);
            }
        });
    }
    if rand.one_in(3) {
        pause(&mut rand);
        tx.close();
    } else if rand.one_in(2) {
        pause(&mut rand);
        cancel.cancel();
    }
    group.wait();
    drop((tx, rx));
    ledger.settle("values of channels under contexts");
    pairs * rounds * 2
}

fn send_somehow(rand: &mut Rand, tx: &Sender<Token>, value: Token, root: &Ctx) {
    if rand.one_in(3) {
        drop(tx.send_timeout(value, rand.micros(1, 200)));
        return;
    }
    let (ctx, _cancel) = some_context(rand, root);
    let (ctx, _limit) = context::with_timeout(&ctx, rand.micros(1, 1_000));
    drop(tx.send_ctx(value, &ctx));
}

fn receive_somehow(rand: &mut Rand, rx: &Receiver<Token>, root: &Ctx) {
    if rand.one_in(3) {
        drop(rx.recv_timeout(rand.micros(1, 200)));
        return;
    }
    let (ctx, _cancel) = some_context(rand, root);
    let (ctx, _limit) = context::with_timeout(&ctx, rand.micros(1, 1_000));
    drop(rx.recv_ctx(&ctx));
}

/// Locks, joins, groups and sleeps under contexts that end.
pub(crate) fn ctx_waits(_: &Context, mut rand: Rand) -> u64 {
    let (mutex, locked) = (Arc::new(Mutex::new(0_u64)), Arc::new(AtomicU64::new(0)));
    let (group, workers, rounds) = (WaitGroup::new(), rand.range(2, 8), rand.range(3, 60 / SLOWER + 4));
    for _ in 0..workers {
        let (mutex, locked) = (mutex.clone(), locked.clone());
        somewhere(&mut rand, &group, move |mut own| {
            for _ in 0..rounds {
                let (ctx, _cancel) = some_context(&mut own, &background());
                let (ctx, _limit) = context::with_timeout(&ctx, own.micros(1, 3_000));
                match own.range(0, 4) {
                    0 | 1 => {
                        if let Ok(mut value) =
                            mutex.lock_ctx(&ctx).map(|locked| locked.unwrap_or_else(|p| p.into_inner()))
                        {
                            *value += 1;
                            locked.fetch_add(1, Ordering::Relaxed);
                            pause(&mut own);
                        }
                    }
                    2 => one_join(&mut own, &ctx),
                    _ => drop(sleep_ctx(own.micros(1, 500), &ctx)),
                }
            }
        });
    }
    group.wait();
    let value = mutex.try_lock().map(|value| *value).ok();
    ensure!(value == Some(locked.load(Ordering::Relaxed)), "a mutex was left locked, or counted {value:?}");
    workers * rounds
}

fn one_join(rand: &mut Rand, ctx: &Ctx) {
    let (mut own, number) = (rand.fork(), rand.next());
    let mut handle = spawn(move || {
        pause(&mut own);
        number
    });
    let value = loop {
        let outcome = if rand.one_in(2) {
            handle.join_timeout(rand.micros(0, 100))
        } else {
            handle.join_ctx(ctx).map_err(|(handle, _)| handle)
        };
        match outcome {
            Ok(value) => break value,
            Err(again) => handle = again,
        }
        pause(rand);
    };
    ensure!(value.ok() == Some(number), "a join that was given up before got another value");
}

/// Trees that end at several places at once: whoever is below has ended when a cancel returns, and each function is called once.
pub(crate) fn ctx_trees(_: &Context, mut rand: Rand) -> u64 {
    let count = rand.range(2, 400 / SLOWER + 3) as usize;
    let mut tree = vec![context::with_cancel(&background())];
    let mut parents = vec![0];
    let calls = Arc::new(AtomicU64::new(0));
    for number in 1..count {
        let parent = if rand.one_in(3) { number - 1 } else { rand.range(0, number as u64) as usize };
        let next = match rand.range(0, 3) {
            0 => context::with_timeout(&tree[parent].0, rand.micros(1, 5_000)),
            1 => context::with_timeout(&tree[parent].0, HOUR),
            _ => context::with_cancel(&tree[parent].0),
        };
        let theirs = calls.clone();
        _ = context::after_func(&next.0, move || _ = theirs.fetch_add(1, Ordering::Relaxed));
        tree.push(next);
        parents.push(parent);
    }
    let (tree, parents) = (Arc::new(tree), Arc::new(parents));
    let group = WaitGroup::new();
    for round in 0..rand.range(1, 8) {
        let (tree, parents) = (tree.clone(), parents.clone());
        somewhere(&mut rand, &group, move |mut own| {
            let at = if round == 0 { 0 } else { own.range(0, tree.len() as u64) as usize };
            tree[at].1.cancel();
            for below in at..tree.len() {
                let mut up = below;
                while up > at {
                    up = parents[up];
                }
                ensure!(up != at || tree[below].0.err().is_some(), "a context below a cancelled one goes on");
            }
        });
    }
    group.wait();
    eventually("each function of a context is called", || calls.load(Ordering::Relaxed) == count as u64 - 1);
    count as u64
}

/// Timers that are set and stopped while others receive from them: nothing stale is ever received.
pub(crate) fn timer_storm(_: &Context, mut rand: Rand) -> u64 {
    let (timer, begun) = (Arc::new(Timer::new(HOUR)), Instant::now());
    // When the latest setting that has returned began, in ns since `begun`; settings follow each other.
    let setting = Arc::new(Mutex::new(()));
    let (floor, group) = (Arc::new(AtomicU64::new(0)), WaitGroup::new());
    let since = move |at: Instant| at.saturating_duration_since(begun).as_nanos() as u64;
    let (setters, rounds) = (rand.range(1, 4), rand.range(10, 300 / SLOWER + 11));
    for _ in 0..rand.range(1, 5) {
        let (timer, floor) = (timer.clone(), floor.clone());
        somewhere(&mut rand, &group, move |mut own| {
            for _ in 0..rounds {
                let earliest = floor.load(Ordering::Acquire);
                if let Ok(at) = timer.receiver().recv_timeout(own.micros(1, 300)) {
                    ensure!(since(at) >= earliest, "a stale value was received");
                }
            }
        });
    }
    for _ in 0..setters {
        let (timer, floor, setting) = (timer.clone(), floor.clone(), setting.clone());
        somewhere(&mut rand, &group, move |mut own| {
            for _ in 0..rounds {
                let in_turn = setting.lock();
                let now = since(Instant::now());
                if own.one_in(4) {
                    timer.stop();
                } else {
                    timer.reset(own.micros(0, 300));
                }
                floor.store(now, Ordering::Release);
                drop(in_turn);
                pause(&mut own);
            }
        });
    }
    group.wait();
    setters * rounds
}

/// Functions that are called later, stopped and set again by several: the answers tell how often they were called, and all are freed.
pub(crate) fn after_funcs(_: &Context, mut rand: Rand) -> u64 {
    let (ledger, group) = (Ledger::default(), WaitGroup::new());
    let (workers, rounds) = (rand.range(1, 6), rand.range(3, 100 / SLOWER + 4));
    let (calls, expected) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    for _ in 0..workers {
        let (ledger, calls, expected) = (ledger.clone(), calls.clone(), expected.clone());
        somewhere(&mut rand, &group, move |mut own| {
            for _ in 0..rounds {
                let (token, calls) = (ledger.token(), calls.clone());
                let handle = after_func(own.micros(0, 300), move || {
                    let _ = &token;
                    calls.fetch_add(1, Ordering::Relaxed);
                });
                let mut times = 1;
                for _ in 0..own.range(0, 4) {
                    match own.range(0, 3) {
                        0 => times -= u64::from(handle.stop()),
                        1 => times += u64::from(!handle.reset(own.micros(0, 200))),
                        _ => pause(&mut own),
                    }
                }
                expected.fetch_add(times, Ordering::Relaxed);
            }
        });
    }
    group.wait();
    ledger.settle("functions that were to be called later");
    let (calls, expected) = (calls.load(Ordering::Relaxed), expected.load(Ordering::Relaxed));
    ensure!(calls == expected, "{calls} calls, and {expected} were promised");
    workers * rounds
}

/// Tickers that are slower and faster than those who receive.
pub(crate) fn tickers(_: &Context, mut rand: Rand) -> u64 {
    let (ticker, ticks) = (Ticker::new(rand.micros(50, 500)), rand.range(3, 40 / SLOWER + 4));
    let mut last = None;
    for _ in 0..ticks {
        let Ok(at) = ticker.receiver().recv() else { crate::check::fail("a ticker ended") };
        ensure!(at <= Instant::now() && last.is_none_or(|last| last < at), "a tick before its time, or twice");
        last = Some(at);
        pause(&mut rand);
    }
    ticks
}
