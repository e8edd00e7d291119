//! Programs in which channels are what everybody waits for.
//!
//! Why here: driven by `tests/order.rs` and `tests/deadlocks.rs`.
//!
//! *Invariants*: OR1 of `order`. *Locks*: none.
//!
//! *Go:* `GO-RUNTIME.md` §3.12, §4.5.

use std::sync::atomic::Ordering;

use goruntime::time::Duration;
use goruntime::{channel, go, select};

use crate::Program::Body;
use crate::Table;
use crate::order::{ARRIVED, finish, note, until_arrived};

pub(crate) const PROGRAMS: Table = &[
    ("order_close", Body(order_close)),
    ("order_send", Body(order_send)),
    ("dead_channels", Body(dead_channels)),
    ("dead_selects", Body(dead_selects)),
    ("dead_beside_clocks", Body(dead_beside_clocks)),
    ("alive_clock", Body(alive_clock)),
];

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

/// One goroutine for each kind of select that waits for ever.
fn dead_selects() {
    go(|| select! {});
    go(|| {
        let (tx, rx) = channel::bounded(0);
        select! {
            recv(rx) -> _ => {}
            send(tx, ()) -> _ => {}
        }
    });
    go(|| {
        let nothing = channel::never::<()>();
        let mut select = channel::Select::new();
        select.recv(&nothing);
        select.ready();
    });
    let over = channel::after(Duration::ZERO);
    over.recv().unwrap();
    over.recv().unwrap();
}

/// Clocks that nobody waits for keep nobody alive.
fn dead_beside_clocks() {
    let _clocks = (channel::after(Duration::from_secs(3600)), channel::tick(Duration::from_millis(1)));
    channel::never::<()>().recv().unwrap();
}

/// A goroutine that waits for a clock is not dead.
fn alive_clock() {
    let (over, ticker) = (channel::after(Duration::from_millis(30)), channel::tick(Duration::from_millis(5)));
    loop {
        select! {
            recv(over) -> _ => return,
            recv(ticker) -> _ => {}
        }
    }
}
