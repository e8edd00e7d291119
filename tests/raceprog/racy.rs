//! Programs with a race between `first_culprit` and `second_culprit`.
//!
//! Why here: see `main`.
//!
//! *Invariants.* RP1, RP2. RP3. No order of events hides the race: the accesses are unordered however the goroutines are scheduled, on one
//! processor as well.
//!
//! *Locks*: none.
//!
//! *Go:* `runtime/race/testdata`.

use std::sync::Arc;

use goruntime::sync::{Mutex, WaitGroup};
use goruntime::time::{Duration, after_func};
use goruntime::{channel, go};

use super::Plain;

pub(super) const PROGRAMS: &[(&str, fn())] = &[
    ("racy_counter", racy_counter),
    ("racy_after_send", racy_after_send),
    ("racy_half_locked", racy_half_locked),
    ("racy_common_channel", racy_common_channel),
    ("racy_timer", racy_timer),
    ("racy_ended", racy_ended),
];

/// Accesses of each culprit: two that happen in the very same moment may miss each other.
const BUMPS: usize = 10;

#[inline(never)]
fn first_culprit(number: &Plain) {
    (0..BUMPS).for_each(|_| number.bump());
}

#[inline(never)]
fn second_culprit(number: &Plain) {
    (0..BUMPS).for_each(|_| number.bump());
}

/// Runs two goroutines to their ends. Between their starts the caller touches nothing that the first might have touched: the group's counter would
/// do to order them.
fn run_both(one: impl FnOnce() + Send + 'static, other: impl FnOnce() + Send + 'static) {
    let group = Arc::new(WaitGroup::new());
    group.add(2);
    let (ones, others) = (Arc::clone(&group), Arc::clone(&group));
    go(move || {
        one();
        ones.done();
    });
    go(move || {
        other();
        others.done();
    });
    group.wait();
}

/// Two goroutines that know nothing of each other.
fn racy_counter() {
    let number = Arc::new(Plain::new());
    let (one, other) = (Arc::clone(&number), Arc::clone(&number));
    run_both(move || first_culprit(&one), move || second_culprit(&other));
}

/// The sender goes on using what it has sent.
fn racy_after_send() {
    let (tx, rx) = channel::bounded::<Arc<Plain>>(1);
    // The end of the last sender closes the channel, which would come before the receive if the receiver is late.
    let _open = tx.clone();
    let sender = move || {
        let number = Arc::new(Plain::new());
        tx.send(Arc::clone(&number)).unwrap();
        first_culprit(&number);
    };
    run_both(sender, move || second_culprit(&rx.recv().unwrap()));
}

/// One of two goroutines forgets the lock.
fn racy_half_locked() {
    let number = Arc::new((Mutex::new(()), Plain::new()));
    let (one, other) = (Arc::clone(&number), Arc::clone(&number));
    let locks = move || {
        let _guard = one.0.lock().unwrap();
        first_culprit(&one.1);
    };
    run_both(locks, move || second_culprit(&other.1));
}

/// Both park and are readied, by the same channel and the same goroutine, but each does its work before.
fn racy_common_channel() {
    let (tx, rx) = channel::bounded::<()>(0);
    let number = Arc::new(Plain::new());
    let (one, other, ones) = (Arc::clone(&number), number, rx.clone());
    go(move || {
        tx.send(()).unwrap();
        tx.send(()).unwrap();
    });
    let first = move || {
        first_culprit(&one);
        ones.recv().unwrap();
    };
    run_both(first, move || {
        second_culprit(&other);
        rx.recv().unwrap();
    });
}

/// A timer orders nothing but what came before it was armed.
fn racy_timer() {
    let number = Arc::new(Plain::new());
    let (tx, rx) = channel::bounded(1);
    let late = Arc::clone(&number);
    let _timer = after_func(Duration::from_millis(1), move || {
        second_culprit(&late);
        tx.send(()).unwrap();
    });
    first_culprit(&number);
    rx.recv().unwrap();
}

/// That one goroutine has ended before another one begins, perhaps on the same stack, orders them only for who waits for the end.
fn racy_ended() {
    let number = Arc::new(Plain::new());
    let ends = [first_culprit, second_culprit].map(|culprit| {
        let number = Arc::clone(&number);
        let (tx, end) = channel::bounded(1);
        go(move || {
            culprit(&number);
            tx.send(()).unwrap();
        });
        // Lets it run to its end, where there is one processor.
        for _ in 0..10 {
            goruntime::runtime::yield_now();
        }
        end
    });
    for end in ends {
        end.recv().unwrap();
    }
}
