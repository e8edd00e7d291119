//! Signals: listeners that come and go, each of which must get what it raises, and nothing afterwards.
//!
//! *Why here.* See `scenarios`.
//!
//! *Invariants.* SN1. SS1. A signal is raised only by who listens for it, so that it ends no process. SS2. The signals are those for real time, which nobody
//! else uses.
//!
//! *Locks.* None. *Go:* `TestStress`, `TestAtomicStop` of os/signal.

use goruntime::channel::{TryRecvError, bounded};
use goruntime::context::{ContextError, background};
use goruntime::signal::{self, Signal, SignalReceived};
use goruntime::sync::WaitGroup;

use super::{Context, SLOWER, pause};
use crate::check::{ensure, fail};
use crate::rand::Rand;

/// SS2; few, so that listeners share them.
const FIRST: u64 = 40;
const LAST: u64 = 46;

fn draw(rand: &mut Rand) -> Vec<Signal> {
    let number = |rand: &mut Rand| i32::try_from(rand.range(FIRST, LAST)).unwrap_or_default();
    (0..rand.range(1, 4)).filter_map(|_| Signal::from_raw(number(rand)).ok()).collect()
}

fn must<T>(what: &str, result: Result<T, signal::SignalError>) -> T {
    result.unwrap_or_else(|error| fail(&format!("{what}: {error}")))
}

/// Goroutines and plain threads listen, raise, stop, and look whether anything comes then.
pub(crate) fn listeners(_: &Context, mut rand: Rand) -> u64 {
    let (workers, rounds) = (rand.range(1, 12 / SLOWER + 2), rand.range(1, 60 / SLOWER));
    let group = WaitGroup::new();
    for number in 0..workers {
        let mut own = rand.fork();
        let mut work = move || {
            for _ in 0..rounds {
                if own.one_in(4) { one_context(&mut own) } else { one_channel(&mut own) }
            }
        };
        group.add(1);
        let group = group.clone();
        if number % 3 == 2 {
            std::thread::spawn(move || {
                work();
                group.done();
            });
        } else {
            goruntime::go(move || {
                work();
                group.done();
            });
        }
    }
    group.wait();
    workers * rounds
}

fn one_channel(rand: &mut Rand) {
    let (tx, rx) = bounded(rand.pick(&[1, 1, 3]));
    let mut wants = Vec::new();
    for _ in 0..rand.range(1, 3) {
        wants.extend(draw(rand));
        must("notify", signal::notify(&tx, &wants));
    }
    for _ in 0..rand.range(1, 5) {
        must("raise", signal::raise(rand.pick(&wants)));
        if rand.one_in(2) {
            let Ok(got) = rx.recv() else { fail("the channel of a listener is closed") };
            ensure!(wants.contains(&got), "{got:?} came, not one of {wants:?}");
        }
    }
    if rand.one_in(3) {
        pause(rand);
    }
    signal::stop(&tx);
    while rx.try_recv().is_ok() {}
    if rand.one_in(2) {
        pause(rand);
    }
    ensure!(rx.try_recv() == Err(TryRecvError::Empty), "a signal came after the stop");
    drop(tx);
    ensure!(rx.try_recv() == Err(TryRecvError::Disconnected), "the stop has left a sender behind");
}

fn one_context(rand: &mut Rand) {
    let wants = draw(rand);
    let (ctx, stop) = must("notify_context", signal::notify_context(&background(), &wants));
    let raised = rand.one_in(2);
    if raised {
        must("raise", signal::raise(rand.pick(&wants)));
        // Nothing is ever sent on it.
        _ = ctx.done().recv();
        let cause = ctx.cause().and_then(|cause| cause.downcast_ref::<SignalReceived>().map(SignalReceived::signal));
        ensure!(
            cause.is_some_and(|signal| wants.contains(&signal)),
            "the context ended by {cause:?}, not by one of {wants:?}"
        );
    }
    stop.stop();
    ensure!(ctx.err() == Some(ContextError::Canceled), "the stop has not ended the context");
}
