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
use goruntime::future::{self, block_on, timeout};
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

/// Runs work as a task, which has no stack while it waits, on a goroutine that keeps its own, or now and then on a plain thread.
fn start(rand: &mut Rand, work: impl Future<Output = ()> + Send + 'static) -> Box<dyn FnOnce()> {
    let goroutine = match rand.range(0, 6) {
        0 => {
            let thread = plain::start(|| block_on(work));
            return Box::new(move || ensure!(thread.join().is_ok(), "a thread panicked"));
        }
        1 | 2 => spawn(|| block_on(work)),
        _ => future::spawn(work),
    };
    Box::new(move || ensure!(block_on(goroutine).is_ok(), "a goroutine panicked"))
}

/// Polls a few times, or waits for a while, and gives up.
async fn hastily<F: Future + Unpin>(mut future: F, rand: &mut Rand) -> Option<F::Output> {
    if rand.one_in(4) {
        return timeout(rand.micros(0, 100), future).await.ok();
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
async fn send(tx: &Sender<Value>, value: Value, rand: &mut Rand) -> Option<bool> {
    let number = value.0;
    match rand.range(0, 6) {
        0 => Some(tx.send(value).is_ok()),
        1 => Some(tx.send_async(value).await.is_ok()),
        2 | 3 => Some(hastily(tx.send_async(value), rand).await?.is_ok()),
        4 => Some(select! { send(tx, { if number.is_multiple_of(3) { yield_now() } value }) -> sent => sent.is_ok() }),
        _ => match tx.try_send(value) {
            Err(error) if error.is_full() => None,
            sent => Some(sent.is_ok()),
        },
    }
}

/// Receives in one of many ways; None if nothing was received this time.
async fn receive(rx: &Receiver<Value>, rand: &mut Rand) -> Option<Result<Value, RecvError>> {
    match rand.range(0, 7) {
        0 => Some(rx.recv()),
        1 => Some(rx.recv_async().await),
        2..=4 => hastily(rx.recv_async(), rand).await,
        5 => select! { recv(rx) -> value => Some(value), default(rand.micros(0, 100)) => None },
        _ => match rx.try_recv() {
            Err(error) if error.is_empty() => None,
            value => Some(value.map_err(|_| RecvError)),
        },
    }
}

/// Now and then, lets others run: by blocking, or as a task does.
async fn rest(rand: &mut Rand) {
    match rand.range(0, 60) {
        0 => pause(rand),
        1 => future::sleep(rand.micros(0, 100)).await,
        _ => {}
    }
}

/// Receives until the channel has ended.
async fn receive_all(rx: Receiver<Value>, fates: Arc<Vec<Fate>>, is_ordered: bool, mut rand: Rand) {
    let mut last = None;
    loop {
        match receive(&rx, &mut rand).await {
            Some(Ok((number, _token))) => {
                fates[number as usize].received.fetch_add(1, Ordering::Relaxed);
                ensure!(!is_ordered || last < Some(number), "{number} came after {last:?}");
                last = Some(number);
            }
            Some(Err(RecvError)) => return,
            None => {}
        }
        rest(&mut rand).await;
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
        joins.push(start(&mut rand, async move {
            for number in id * each..(id + 1) * each {
                match send(&tx, (number, ledger.token()), &mut own).await {
                    Some(true) => fates[number as usize].sent.store(1, Ordering::Relaxed),
                    Some(false) => {
                        ensure!(closes, "an open channel refused a value");
                        return;
                    }
                    None => {}
                }
                rest(&mut own).await;
            }
            if closes && id == 0 {
                tx.close();
            }
        }));
    }
    drop(tx);
    for _ in 0..receivers {
        let own = rand.fork();
        joins.push(start(&mut rand, receive_all(rx.clone(), Arc::clone(&fates), senders * receivers == 1, own)));
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
