//! Selects against each other, against closes, time limits and plain threads: every value arrives once, nobody is left waiting.
//!
//! *Why here.* See `scenarios`.
//!
//! *Invariants.* SN1. *Locks.* None. *Go:* none.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use goruntime::channel::{self, Receiver, RecvError, Select, Sender, select, select_biased};
use goruntime::{go, spawn};

use super::{Context, SLOWER, pause, plain};
use crate::check::{Ledger, Token, ensure, fail, not_late};
use crate::rand::Rand;

type Value = (u64, Token);

fn some_channel<T>(rand: &mut Rand) -> (Sender<T>, Receiver<T>) {
    match rand.range(0, 6) {
        0 => channel::unbounded(),
        1 | 2 => channel::bounded(0),
        3 | 4 => channel::bounded(1),
        _ => channel::bounded(rand.range(2, 20) as usize),
    }
}

/// Runs work on a goroutine, or now and then on a plain thread.
fn start(rand: &mut Rand, work: impl FnOnce() + Send + 'static) -> Box<dyn FnOnce()> {
    if rand.one_in(6) {
        let thread = plain::start(work);
        return Box::new(move || ensure!(thread.join().is_ok(), "a thread panicked"));
    }
    let goroutine = spawn(work);
    Box::new(move || ensure!(goroutine.join().is_ok(), "a goroutine panicked"))
}

/// Sends one value by some select; false when the channels are closed.
fn send_one(a: &Sender<Value>, b: &Sender<Value>, number: u64, ledger: &Ledger, rand: &mut Rand) -> bool {
    loop {
        let limit = rand.micros(0, 200);
        let begun = Instant::now();
        let value = || (number, ledger.token());
        let sent = match rand.range(0, 5) {
            0 => select! { send(a, value()) -> sent => sent, send(b, value()) -> sent => sent },
            1 => select! {
                send(a, value()) -> sent => sent,
                send(b, value()) -> sent => sent,
                default(limit) => { not_late("a select", begun, limit); continue }
            },
            2 => select_biased! {
                send(b, value()) -> sent => sent,
                send(a, value()) -> sent => sent,
                recv(channel::after(limit)) -> _ => { not_late("an after", begun, limit); continue }
            },
            3 => select! {
                send(b, value()) -> sent => sent,
                send(b, value()) -> sent => sent,
                default => { pause(rand); continue }
            },
            _ => a.send(value()),
        };
        return sent.is_ok();
    }
}

/// Receives by some select until both channels have ended; returns the sum.
fn receive_all(a: &Receiver<Value>, b: &Receiver<Value>, rand: &mut Rand) -> u64 {
    let (mut sum, mut open, ended) = (0, [true; 2], channel::never());
    while open != [false; 2] {
        let (first, second) = (if open[0] { a } else { &ended }, if open[1] { b } else { &ended });
        let limit = rand.micros(0, 200);
        let (which, value) = match rand.range(0, 5) {
            0 => select! { recv(first) -> value => (0, value), recv(second) -> value => (1, value) },
            1 => select! {
                recv(second) -> value => (1, value),
                recv(first) -> value => (0, value),
                recv(second) -> value => (1, value),
                default(limit) => continue,
            },
            2 => select! { recv(first) -> value => (0, value), default => { pause(rand); continue } },
            3 => {
                let mut select = Select::new();
                let (_, _) = (select.recv(first), select.recv(second));
                let Ok(operation) = select.select_timeout(limit) else { continue };
                let which = operation.index();
                (which, operation.recv([first, second][which]))
            }
            _ => match second.recv_timeout(limit) {
                Err(error) if error.is_timeout() => continue,
                value => (1, value.map_err(|_| RecvError)),
            },
        };
        match value {
            Ok((number, _token)) => sum += number,
            Err(RecvError) => open[which] = false,
        }
    }
    sum
}

/// Both sides select over two channels, which end by themselves or by a close in the middle.
pub(crate) fn selects(_: &Context, mut rand: Rand) -> u64 {
    let (ledger, sums) = (Ledger::default(), Arc::new([const { AtomicU64::new(0) }; 2]));
    let ((tx1, rx1), (tx2, rx2)) = (some_channel::<Value>(&mut rand), some_channel::<Value>(&mut rand));
    let (workers, each, closes) = (rand.range(1, 6), rand.range(1, 200 / SLOWER), rand.one_in(3));
    let mut joins = Vec::new();
    for _ in 0..workers {
        let (tx1, tx2, ledger, sent, mut own) =
            (tx1.clone(), tx2.clone(), ledger.clone(), Arc::clone(&sums), rand.fork());
        joins.push(start(&mut rand, move || {
            for number in 1..=each {
                if send_one(&tx1, &tx2, number, &ledger, &mut own) {
                    sent[0].fetch_add(number, Ordering::Relaxed);
                } else {
                    ensure!(closes, "an open channel refused a value");
                }
                if own.one_in(50) {
                    pause(&mut own);
                }
            }
        }));
        let (rx1, rx2, received, mut own) = (rx1.clone(), rx2.clone(), Arc::clone(&sums), rand.fork());
        joins.push(start(&mut rand, move || {
            _ = received[1].fetch_add(receive_all(&rx1, &rx2, &mut own), Ordering::Relaxed)
        }));
    }
    if closes {
        for sender in [&tx1, &tx2] {
            pause(&mut rand);
            sender.close();
        }
    }
    drop((tx1, tx2));
    joins.into_iter().for_each(|join| join());
    let [sent, received] = sums.each_ref().map(|sum| sum.load(Ordering::Relaxed));
    ensure!(sent == received, "{sent} was sent, {received} was received");
    drop((rx1, rx2));
    ledger.settle("every value is dropped once");
    2 * workers * each
}

/// Messages that take their time, and messages that never come: whoever was promised one gets another.
pub(crate) fn promises(_: &Context, mut rand: Rand) -> u64 {
    let ((tx, rx), ledger) = (some_channel::<Value>(&mut rand), Ledger::default());
    let (senders, each) = (rand.range(1, 5), rand.range(1, 100 / SLOWER));
    let mut joins = Vec::new();
    for _ in 0..senders {
        let (tx, ledger, mut own) = (tx.clone(), ledger.clone(), rand.fork());
        joins.push(start(&mut rand, move || {
            let nothing = channel::never::<()>();
            let mut number = 1;
            while number <= each {
                let (fails, waits) = (own.one_in(4), own.one_in(4));
                let sent = catch_unwind(AssertUnwindSafe(|| {
                    let mut message = || {
                        if waits {
                            pause(&mut own);
                        }
                        if fails { resume_unwind(Box::new(())) } else { (number, ledger.token()) }
                    };
                    select! {
                        send(tx, message()) -> sent => ensure!(sent.is_ok(), "a channel with receivers refused a value"),
                        recv(nothing) -> _ => fail("nothing was received"),
                    }
                }));
                ensure!(sent.is_err() == fails, "a panic in a message was lost");
                number += u64::from(!fails);
            }
        }));
    }
    drop(tx);
    let mut sum = 0;
    loop {
        let limit = rand.micros(1, 300);
        let value = match rand.range(0, 4) {
            0 => rx.recv(),
            1 => match rx.recv_timeout(limit) {
                Err(error) if error.is_timeout() => continue,
                value => value.map_err(|_| RecvError),
            },
            2 => match rx.try_recv() {
                Err(error) if error.is_empty() => {
                    pause(&mut rand);
                    continue;
                }
                value => value.map_err(|_| RecvError),
            },
            _ => select! { recv(rx) -> value => value, default(limit) => continue },
        };
        let Ok((number, _token)) = value else { break };
        sum += number;
    }
    joins.into_iter().for_each(|join| join());
    let sent = senders * each * (each + 1) / 2;
    ensure!(sum == sent, "{sent} was sent, {sum} was received");
    drop(rx);
    ledger.settle("every value is dropped once");
    senders * each
}

/// Those who only watch take nothing away, and nobody's turn.
pub(crate) fn watchers(_: &Context, mut rand: Rand) -> u64 {
    let (tx, rx) = some_channel::<u64>(&mut rand);
    let (each, watching) = (rand.range(1, 200 / SLOWER), rand.range(1, 4));
    let (over_tx, over_rx) = channel::bounded::<()>(0);
    let joins: Vec<_> = (0..watching)
        .map(|_| {
            let (rx, tx, over, mut own) = (rx.clone(), tx.clone(), over_rx.clone(), rand.fork());
            start(&mut rand, move || {
                loop {
                    let mut select = Select::new();
                    let end = select.recv(&over);
                    if own.one_in(2) {
                        select.recv(&rx)
                    } else {
                        select.send(&tx)
                    };
                    if select.ready_timeout(own.micros(1, 500)) == Ok(end) {
                        return;
                    }
                    pause(&mut own);
                }
            })
        })
        .collect();
    go(move || {
        (1..=each).for_each(|number| ensure!(tx.send(number).is_ok(), "a channel with receivers refused a value"))
    });
    let mut sum = 0;
    for _ in 0..each {
        let Ok(number) = rx.recv() else { fail("a channel with senders has ended") };
        sum += number;
    }
    ensure!(sum == each * (each + 1) / 2, "the sum of {each} values is {sum}");
    drop(over_tx);
    joins.into_iter().for_each(|join| join());
    each
}

/// Many wait for one clock: a tick is received once, and the one value of an `after` too.
pub(crate) fn clocks(_: &Context, mut rand: Rand) -> u64 {
    let (workers, wait) = (rand.range(1, 8), rand.micros(1, 2000));
    let (begun, once, ticker) = (Instant::now(), channel::after(wait), channel::tick(rand.micros(50, 500)));
    let got = Arc::new(AtomicU64::new(0));
    let joins: Vec<_> = (0..workers)
        .map(|_| {
            let (once, ticker, got, mut own) = (once.clone(), ticker.clone(), Arc::clone(&got), rand.fork());
            start(&mut rand, move || {
                let mut ticks = Vec::new();
                while ticks.len() < 5 {
                    select! {
                        recv(once) -> when => {
                            ensure!(when.is_ok_and(|when| when <= Instant::now() && begun.elapsed() >= wait), "an after was early");
                            got.fetch_add(1, Ordering::Relaxed);
                        }
                        recv(ticker) -> tick => ticks.extend(tick),
                    }
                    if own.one_in(10) {
                        pause(&mut own);
                    }
                }
                ensure!(ticks.is_sorted_by(|a, b| a < b), "two ticks at one time");
            })
        })
        .collect();
    joins.into_iter().for_each(|join| join());
    let rest = once.recv_timeout(if got.load(Ordering::Relaxed) == 0 { std::time::Duration::MAX } else { wait });
    let count = got.load(Ordering::Relaxed) + u64::from(rest.is_ok());
    ensure!(count == 1, "an after was received {count} times");
    5 * workers
}
