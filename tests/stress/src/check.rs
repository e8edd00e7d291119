//! What every scenario checks with: failures, counted values, lateness, the identity of the thread.
//!
//! *Why here.* Shared by the scenarios.
//!
//! *Invariants.* CH1. A failure ends the process at once with status 1, from whatever goroutine or thread, whether it is unwinding or not.
//!
//! *Locks.* None. *Go:* none.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use goruntime::runtime::num_goroutine;
use goruntime::time::sleep;

/// How much later than asked for a timer may fire on a machine that does other things, too.
const LATE: Duration = Duration::from_secs(60);

/// Ends the process because something does not hold.
pub(crate) fn fail(what: &str) -> ! {
    eprintln!("stress: FAILED: {what}");
    std::process::exit(1)
}

/// Fails unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            $crate::check::fail(&format!($($text)+));
        }
    };
}
pub(crate) use ensure;

/// Counts values that exist.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger(Arc<[AtomicI64; 2]>);

/// A value that is counted while it exists.
#[derive(Debug)]
pub(crate) struct Token(Ledger);

impl Ledger {
    /// Makes a value.
    pub(crate) fn token(&self) -> Token {
        self.0[0].fetch_add(1, Ordering::Relaxed);
        Token(self.clone())
    }

    /// Waits until every value is gone: those of detached goroutines go when they go.
    pub(crate) fn settle(&self, what: &str) {
        eventually(what, || self.0[0].load(Ordering::Relaxed) == self.0[1].load(Ordering::Relaxed));
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        let ended = self.0.0[1].fetch_add(1, Ordering::Relaxed) + 1;
        ensure!(ended <= self.0.0[0].load(Ordering::Relaxed), "a value was dropped twice");
    }
}

/// Waits for a condition that nothing announces.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    let mut rounds = 0u32;
    while !holds() {
        ensure!(begun.elapsed() < 3 * LATE, "never came true: {what} ({} goroutines)", num_goroutine());
        rounds += 1;
        if rounds < 100 {
            goruntime::runtime::yield_now();
        } else {
            sleep(Duration::from_micros(200));
        }
    }
}

/// Checks that a wait that began at `begun` and was to last `asked` lasted about that.
pub(crate) fn punctual(what: &str, begun: Instant, asked: Duration) {
    let took = begun.elapsed();
    ensure!(took >= asked, "{what} of {asked:?} ended after {took:?}");
    not_late(what, begun, asked);
}

/// Checks only that it did not last much longer.
pub(crate) fn not_late(what: &str, begun: Instant, asked: Duration) {
    let took = begun.elapsed();
    ensure!(took < asked + LATE, "{what} of {asked:?} lasted {took:?}");
}

/// The thread that executes this. Never inlined: a goroutine may be elsewhere at the next call, and the compiler must not reuse an address.
#[inline(never)]
pub(crate) fn thread_here() -> ThreadId {
    std::hint::black_box(std::thread::current().id())
}
