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

use goruntime::channel;
use goruntime::sync::{Mutex, WaitGroup};
use goruntime::time::{Duration, after_func};

use super::Plain;

pub(super) const PROGRAMS: &[(&str, fn())] = &[
    ("racy_counter", racy_counter),
    ("racy_after_send", racy_after_send),
    ("racy_half_locked", racy_half_locked),
    ("racy_common_channel", racy_common_channel),
    ("racy_timer", racy_timer),
    ("racy_ended", racy_ended),
];

#[inline(never)]
fn first_culprit(number: &Plain) {
    number.bump();
}

#[inline(never)]
fn second_culprit(number: &Plain) {
    number.bump();
}

/// Two goroutines that know nothing of each other.
fn racy_counter() {
    let number = Arc::new(Plain::new());
    let group = WaitGroup::new();
    let (one, other) = (Arc::clone(&number), Arc::clone(&number));
    group.go(move || first_culprit(&one));
    group.go(move || second_culprit(&other));
    group.wait();
}

/// The sender goes on using what it has sent.
fn racy_after_send() {
    let (tx, rx) = channel::bounded::<Arc<Plain>>(1);
    let group = WaitGroup::new();
    group.go(move || {
        let number = Arc::new(Plain::new());
        tx.send(Arc::clone(&number)).unwrap();
        first_culprit(&number);
    });
    group.go(move || second_culprit(&rx.recv().unwrap()));
    group.wait();
}

/// One of two goroutines forgets the lock.
fn racy_half_locked() {
    let number = Arc::new((Mutex::new(()), Plain::new()));
    let group = WaitGroup::new();
    let (one, other) = (Arc::clone(&number), Arc::clone(&number));
    group.go(move || {
        let _guard = one.0.lock().unwrap();
        first_culprit(&one.1);
    });
    group.go(move || second_culprit(&other.1));
    group.wait();
}

/// Both park and are readied, by the same channel and the same goroutine, but each does its work before.
fn racy_common_channel() {
    let (tx, rx) = channel::bounded::<()>(0);
    let number = Arc::new(Plain::new());
    let group = WaitGroup::new();
    for culprit in [first_culprit, second_culprit] {
        let (number, rx) = (Arc::clone(&number), rx.clone());
        group.go(move || {
            culprit(&number);
            rx.recv().unwrap();
        });
    }
    tx.send(()).unwrap();
    tx.send(()).unwrap();
    group.wait();
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
        goruntime::go(move || {
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
