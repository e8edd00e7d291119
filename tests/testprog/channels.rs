//! Programs in which channels are what everybody waits for.
//!
//! Why here: driven by `tests/order.rs` and `tests/deadlocks.rs`.
//!
//! *Invariants*: OR1 of `order`. *Locks*: none.
//!
//! *Go:* `GO-RUNTIME.md` §3.12, §4.5.

use std::sync::atomic::Ordering;

use goruntime::{channel, go};

use crate::Program::Body;
use crate::Table;
use crate::order::{ARRIVED, finish, note, until_arrived};

pub(crate) const PROGRAMS: Table =
    &[("order_close", Body(order_close)), ("order_send", Body(order_send)), ("dead_channels", Body(dead_channels))];

fn order_close() {
    let (tx, rx) = channel::bounded::<()>(0);
    for number in 0..6 {
        let rx = rx.clone();
        go(move || {
            ARRIVED.fetch_add(1, Ordering::Relaxed);
            rx.recv().unwrap_err();
            note(number);
        });
        until_arrived(number + 1);
    }
    drop(tx);
    finish();
}

fn order_send() {
    let (tx, rx) = channel::bounded(0);
    for number in 0..6 {
        let rx = rx.clone();
        go(move || {
            ARRIVED.fetch_add(1, Ordering::Relaxed);
            assert_eq!(rx.recv(), Ok(number), "receivers get values in the order in which they came");
            note(number);
        });
        until_arrived(number + 1);
    }
    for number in 0..6 {
        tx.send(number).unwrap();
    }
    finish();
}

/// One goroutine that receives, one that sends to a full channel, one that nobody listens to.
fn dead_channels() {
    let (quiet, listener) = channel::bounded::<()>(0);
    let (full, rest) = channel::bounded(1);
    let (unheard, deaf) = channel::bounded(0);
    full.send(()).unwrap();
    go(move || full.send(()).unwrap());
    go(move || unheard.send(()).unwrap());
    listener.recv().unwrap();
    drop((quiet, rest, deaf));
}
