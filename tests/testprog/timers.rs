//! Programs that end when nothing is left that could wake them: what a timer or a context leaves behind would keep them alive.
//!
//! Why here: driven by `tests/deadlocks.rs`. The report needs all timer heaps to be without an armed timer, so it is the leak check.
//!
//! *Invariants*: none. *Locks*: none.
//!
//! *Go:* the cases of `NewTimer`, `NewTicker` and `AfterFunc` in `checkdead`.

use goruntime::channel::bounded;
use goruntime::context::{self, background};
use goruntime::sync::{Mutex, WaitGroup};
use goruntime::time::{Duration, Ticker, Timer, after_func, sleep_ctx, timeout};
use goruntime::{spawn, thread};

use crate::Program::Body;
use crate::Table;

pub(crate) const PROGRAMS: Table = &[
    ("dead_beside_timers", Body(dead_beside_timers)),
    ("dead_on_stopped_ticker", Body(dead_on_stopped_ticker)),
    ("dead_after_func", Body(dead_after_func)),
    ("dead_after_stops", Body(dead_after_stops)),
    ("dead_after_contexts", Body(dead_after_contexts)),
    ("dead_under_context", Body(dead_under_context)),
    ("alive_on_ticker", Body(alive_on_ticker)),
    ("alive_under_deadline", Body(alive_under_deadline)),
];

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

fn forever() {
    loop {
        thread::park();
    }
}

/// Timers that nobody waits for cannot wake anybody.
fn dead_beside_timers() {
    let _timers = (Timer::new(HOUR), Ticker::new(MS));
    forever();
}

fn dead_on_stopped_ticker() {
    let ticker = Ticker::new(MS);
    assert!(ticker.receiver().recv().is_ok());
    ticker.stop();
    let _ = ticker.receiver().recv();
}

/// The call comes first, then the report.
fn dead_after_func() {
    after_func(50 * MS, || println!("called"));
    forever();
}

/// Everything that has armed a timer for an hour, and was over before.
fn dead_after_stops() {
    for _ in 0..100 {
        assert!(after_func(HOUR, || unreachable!()).stop());
    }
    let (tx, rx) = bounded(1);
    tx.send(()).unwrap();
    assert!(rx.recv_timeout(HOUR).is_ok());
    let waiter = spawn(move || rx.recv_timeout(HOUR));
    let group = WaitGroup::new();
    group.add(1);
    let theirs = group.clone();
    let other = spawn(move || theirs.wait_timeout(HOUR));
    thread::yield_now();
    tx.send(()).unwrap();
    group.done();
    assert!(waiter.join_timeout(HOUR).is_ok_and(|ended| ended.is_ok()));
    assert!(other.join().unwrap() && timeout(HOUR, |_| 1) == Ok(1));
    forever();
}

fn dead_after_contexts() {
    for round in 0..100 {
        let (ctx, cancel) = context::with_timeout(&background(), HOUR);
        let (below, detached) = context::with_timeout(&ctx, HOUR / 2);
        detached.detach();
        let waiter = spawn(move || sleep_ctx(HOUR, &below).is_err());
        thread::yield_now();
        match round % 2 {
            0 => cancel.cancel(),
            _ => drop(cancel),
        }
        assert!(waiter.join().unwrap());
    }
    // Nobody has it any more, so it need not end.
    let (ctx, cancel) = context::with_timeout(&background(), HOUR);
    cancel.detach();
    drop(ctx);
    forever();
}

/// A wait under a context that nothing ends shows what it waits for.
fn dead_under_context() {
    let (ctx, _cancel) = context::with_cancel(&background());
    let mutex = Mutex::new(());
    let _held = mutex.lock().unwrap();
    let _ = mutex.lock_ctx(&ctx);
}

fn alive_on_ticker() {
    assert_eq!(Ticker::new(20 * MS).receiver().iter().take(3).count(), 3);
}

fn alive_under_deadline() {
    let (ctx, _cancel) = context::with_timeout(&background(), 50 * MS);
    let (_tx, rx) = bounded::<()>(0);
    assert!(rx.recv_ctx(&ctx).is_err() && ctx.done().recv().is_err());
}
