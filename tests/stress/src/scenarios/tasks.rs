//! Tasks of async code that give up at random moments, between goroutines, threads, selects and closes: every message arrives once, in its order.
//!
//! *Why here.* See `scenarios`.
//!
//! *Invariants.* SN1. *Locks.* None. *Go:* none.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context as Cx, Poll, Waker};

use goruntime::channel::{self, Receiver, RecvError, Sender, select};
use goruntime::future::{block_on, timeout};
use goruntime::runtime::yield_now;
use goruntime::spawn;

use super::{Context, SLOWER, pause, plain};
use crate::check::{Ledger, Token, ensure};
use crate::rand::Rand;

type Value = (u64, Token);

/// What became of a message.
#[derive(Default)]
struct Fate {
    /// The sender was told that it was sent.
    sent: AtomicU32,
    received: AtomicU32,
}

fn some_channel(rand: &mut Rand) -> (Sender<Value>, Receiver<Value>) {
    match rand.range(0, 6) {
        0 => channel::unbounded(),
        1 | 2 => channel::bounded(0),
        3 | 4 => channel::bounded(1),
        _ => channel::bounded(rand.range(2, 9) as usize),
    }
}

/// Runs work on a goroutine, or now and then on a plain thread.
fn start(rand: &mut Rand, work: impl FnOnce() + Send + 'static) -> Box<dyn FnOnce()> {
    if rand.one_in(6) {
        let thread = plain::start(work);
        return Box::new(move || ensure!(thread.join().is_ok(), "a thread panicked"));
    }
    let goroutine = spawn(work);
    Box::new(move || ensure!(block_on(goroutine).is_ok(), "a goroutine panicked"))
}

/// Polls a few times, or waits for a while, and gives up.
fn hastily<F: Future + Unpin>(mut future: F, rand: &mut Rand) -> Option<F::Output> {
    if rand.one_in(4) {
        return block_on(timeout(rand.micros(0, 100), future)).ok();
    }
    for _ in 0..rand.range(1, 4) {
        if let Poll::Ready(output) = Pin::new(&mut future).poll(&mut Cx::from_waker(Waker::noop())) {
            return Some(output);
        }
        if rand.one_in(2) {
            yield_now();
        }
    }
    None
}

/// Sends in one of many ways: Some(true) if it was sent, None if that is not known. False: the channel is closed.
fn send(tx: &Sender<Value>, value: Value, rand: &mut Rand) -> Option<bool> {
    let number = value.0;
    match rand.range(0, 6) {
        0 => Some(tx.send(value).is_ok()),
        1 => Some(block_on(tx.send_async(value)).is_ok()),
        2 | 3 => Some(hastily(tx.send_async(value), rand)?.is_ok()),
        4 => Some(select! { send(tx, { if number.is_multiple_of(3) { yield_now() } value }) -> sent => sent.is_ok() }),
        _ => match tx.try_send(value) {
            Err(error) if error.is_full() => None,
            sent => Some(sent.is_ok()),
        },
    }
}

/// Receives in one of many ways; None if nothing was received this time.
fn receive(rx: &Receiver<Value>, rand: &mut Rand) -> Option<Result<Value, RecvError>> {
    match rand.range(0, 7) {
        0 => Some(rx.recv()),
        1 => Some(block_on(rx.recv_async())),
        2..=4 => hastily(rx.recv_async(), rand),
        5 => select! { recv(rx) -> value => Some(value), default(rand.micros(0, 100)) => None },
        _ => match rx.try_recv() {
            Err(error) if error.is_empty() => None,
            value => Some(value.map_err(|_| RecvError)),
        },
    }
}

/// Receives until the channel has ended.
fn receive_all(rx: &Receiver<Value>, fates: &[Fate], is_ordered: bool, rand: &mut Rand) {
    let mut last = None;
    loop {
        match receive(rx, rand) {
            Some(Ok((number, _token))) => {
                fates[number as usize].received.fetch_add(1, Ordering::Relaxed);
                ensure!(!is_ordered || last < Some(number), "{number} came after {last:?}");
                last = Some(number);
            }
            Some(Err(RecvError)) => return,
            None => {}
        }
        if rand.one_in(30) {
            pause(rand);
        }
    }
}

/// Several of each side, or one: then the order is seen, too. The channel ends by itself, or by a close in the middle.
pub(crate) fn tasks(_: &Context, mut rand: Rand) -> u64 {
    let (ledger, (tx, rx)) = (Ledger::default(), some_channel(&mut rand));
    let (senders, receivers) = if rand.one_in(3) { (1, 1) } else { (rand.range(1, 5), rand.range(1, 5)) };
    let (each, closes) = (rand.range(1, 400 / SLOWER), rand.one_in(4));
    let fates: Arc<Vec<Fate>> = Arc::new((0..senders * each).map(|_| Fate::default()).collect());
    let mut joins = Vec::new();
    for id in 0..senders {
        let (tx, ledger, fates, mut own) = (tx.clone(), ledger.clone(), Arc::clone(&fates), rand.fork());
        joins.push(start(&mut rand, move || {
            for number in id * each..(id + 1) * each {
                match send(&tx, (number, ledger.token()), &mut own) {
                    Some(true) => fates[number as usize].sent.store(1, Ordering::Relaxed),
                    Some(false) => {
                        ensure!(closes, "an open channel refused a value");
                        return;
                    }
                    None => {}
                }
                if own.one_in(30) {
                    pause(&mut own);
                }
            }
            if closes && id == 0 {
                tx.close();
            }
        }));
    }
    drop(tx);
    for _ in 0..receivers {
        let (rx, fates, mut own) = (rx.clone(), Arc::clone(&fates), rand.fork());
        joins.push(start(&mut rand, move || {
            receive_all(&rx, &fates, senders * receivers == 1, &mut own);
        }));
    }
    joins.into_iter().for_each(|join| join());
    if closes {
        // A send at the moment of the close may have got its value back from a task that gave up, after the last receiver has looked.
        rx.try_iter().for_each(|(number, _)| _ = fates[number as usize].received.fetch_add(1, Ordering::Relaxed));
    }
    for (number, fate) in fates.iter().enumerate() {
        let (sent, received) = (fate.sent.load(Ordering::Relaxed), fate.received.load(Ordering::Relaxed));
        ensure!(received <= 1 && received >= sent, "message {number}: sent {sent}, received {received}");
    }
    drop(rx);
    ledger.settle("every message is gone");
    senders * each
}
