//! Channels under stress: operations chosen at random, by a seed that is printed and can be given as `STRESS_SEED`.
//!
//! Why here: a part of `channel_basic`.
//!
//! *Invariants*: T1 and T2 of `common/procs`.
//!
//! *Locks*: none.
//!
//! *Go:* chan_test.go (`TestPseudoRandomSend`, `TestMultiConsumer`).

use std::time::{Duration, SystemTime};

use goruntime::channel::{
    Receiver, RecvTimeoutError, SendError, SendTimeoutError, Sender, TryRecvError, TrySendError, bounded, unbounded,
};
use goruntime::runtime::yield_now;
use goruntime::{go, spawn};

use super::kinds;
use super::procs::with_procs;

/// A small generator of numbers for the stress.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

const PRODUCERS: u64 = 4;
const EACH: u64 = 20_000;

/// Sends `EACH` values, each naming its producer, by operations chosen at random.
fn produce(tx: &Sender<u64>, id: u64, seed: u64) {
    let mut random = Random(seed);
    for i in 0..EACH {
        let mut value = id * EACH + i;
        loop {
            let unsent = match random.below(4) {
                0 => tx.try_send(value).map_err(TrySendError::into_inner),
                1 => tx
                    .send_timeout(value, Duration::from_micros(random.below(50)))
                    .map_err(SendTimeoutError::into_inner),
                _ => tx.send(value).map_err(SendError::into_inner),
            };
            match unsent {
                Ok(()) => break,
                Err(back) => value = back,
            }
            yield_now();
        }
        if random.below(16) == 0 {
            yield_now();
        }
    }
}

/// Receives until the end by operations chosen at random; the values of one producer come in order.
fn consume(rx: &Receiver<u64>, seed: u64) -> Vec<u64> {
    let mut random = Random(seed);
    let mut values = Vec::new();
    let mut last = [None; PRODUCERS as usize];
    loop {
        let received = match random.below(4) {
            0 => rx.try_recv(),
            1 => rx.recv_timeout(Duration::from_micros(random.below(50))).map_err(|error| match error {
                RecvTimeoutError::Timeout => TryRecvError::Empty,
                RecvTimeoutError::Disconnected => TryRecvError::Disconnected,
            }),
            _ => rx.recv().map_err(TryRecvError::from),
        };
        match received {
            Ok(value) => {
                let last = &mut last[(value / EACH) as usize];
                assert!(last.is_none_or(|last| last < value), "{value} came after {last:?}");
                *last = Some(value);
                values.push(value);
            }
            Err(TryRecvError::Empty) => yield_now(),
            Err(TryRecvError::Disconnected) => return values,
        }
    }
}

#[test]
fn under_stress_each_value_arrives_once() {
    let start = SystemTime::UNIX_EPOCH.elapsed().map_or(1, |now| now.as_nanos() as u64);
    let seed = std::env::var("STRESS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(start | 1);
    println!("STRESS_SEED={seed}");
    for procs in [1, 2, 4] {
        with_procs(procs, || {
            for (number, (tx, rx)) in kinds().into_iter().enumerate() {
                let seed = seed ^ (number as u64) << 32 | 1;
                for id in 0..PRODUCERS {
                    let tx = tx.clone();
                    go(move || produce(&tx, id, seed.wrapping_mul(id + 3)));
                }
                drop(tx);
                let consumers: Vec<_> = (0..4)
                    .map(|id| {
                        let rx = rx.clone();
                        spawn(move || consume(&rx, seed.wrapping_mul(id + 11)))
                    })
                    .collect();
                let mut values: Vec<u64> = consumers.into_iter().flat_map(|c| c.join().unwrap()).collect();
                values.sort_unstable();
                assert!(values.into_iter().eq(0..PRODUCERS * EACH));
            }
        });
    }
}

#[test]
fn under_stress_a_close_loses_nothing_that_was_sent() {
    for procs in [1, 2, 4] {
        with_procs(procs, || {
            for round in 0..200 {
                for (tx, rx) in [bounded(0), bounded(2), unbounded()] {
                    let senders: Vec<_> = (0..3)
                        .map(|_| {
                            let tx = tx.clone();
                            spawn(move || (0..300).take_while(|&i: &u64| tx.send(i).is_ok()).count())
                        })
                        .collect();
                    let receiver = spawn({
                        let rx = rx.clone();
                        move || rx.iter().count()
                    });
                    for _ in 0..round % 7 {
                        yield_now();
                    }
                    tx.close();
                    let sent: usize = senders.into_iter().map(|sender| sender.join().unwrap()).sum();
                    assert_eq!(receiver.join().unwrap(), sent);
                }
            }
        });
    }
}
