//! Selects under stress: operations chosen at random, by a seed that is printed and can be given as `STRESS_SEED`.
//!
//! Why here: a part of `select`.
//!
//! *Invariants*: T1 and T2 of `common/procs`.
//!
//! *Locks*: none.
//!
//! *Go:* TestSelectStress, TestPseudoRandomSend of chan_test.go.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use goruntime::channel::{Receiver, RecvError, Select, SendError, Sender, after, bounded, never, select, unbounded};
use goruntime::runtime::yield_now;
use goruntime::spawn;

use super::Counted;
use super::procs::with_procs;

/// A small generator of numbers for the stress.
#[derive(Clone)]
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

fn seed() -> u64 {
    let start = SystemTime::UNIX_EPOCH.elapsed().map_or(1, |now| now.as_nanos() as u64);
    let seed = std::env::var("STRESS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(start | 1);
    println!("STRESS_SEED={seed}");
    seed
}

type Value = (u64, Counted);

/// Sends the numbers up to `each`, by selects of all forms over the channels; returns the sum of what was sent.
fn produce(channels: &[Sender<Value>; 3], each: u64, living: &Arc<AtomicUsize>, mut random: Random) -> u64 {
    let [a, b, c] = channels;
    let mut sum = 0;
    for number in 1..=each {
        let message = || (number, Counted::new(living));
        let sent = loop {
            let limit = Duration::from_micros(random.below(60));
            break match random.below(6) {
                0 => {
                    select! { send(a, message()) -> sent => sent, send(b, message()) -> sent => sent, send(c, message()) -> sent => sent }
                }
                1 => {
                    select! { send(a, message()) -> sent => sent, send(a, message()) -> sent => sent, default => { yield_now(); continue } }
                }
                2 => {
                    select! { send(b, message()) -> sent => sent, send(c, message()) -> sent => sent, default(limit) => continue }
                }
                3 => select! { send(c, message()) -> sent => sent, recv(after(limit)) -> _ => continue },
                4 => {
                    let mut select = Select::new();
                    channels.iter().for_each(|sender| _ = select.send(sender));
                    let Ok(operation) = select.select_timeout(limit) else { continue };
                    let index = operation.index();
                    operation.send(&channels[index], message())
                }
                _ => channels[random.below(3) as usize].send(message()),
            };
        };
        match sent {
            Ok(()) => sum += number,
            Err(SendError((back, _))) => assert_eq!(back, number),
        }
    }
    sum
}

/// Receives by selects of all forms until all channels have ended; returns the sum.
fn consume(channels: &[Receiver<Value>; 3], mut random: Random) -> u64 {
    let mut sum = 0;
    let mut open = [true; 3];
    let ended = never();
    while open != [false; 3] {
        let [a, b, c] = [0, 1, 2].map(|i| if open[i] { &channels[i] } else { &ended });
        let limit = Duration::from_micros(random.below(60));
        let (number, result) = match random.below(6) {
            0 => {
                select! { recv(a) -> value => (0, value), recv(b) -> value => (1, value), recv(c) -> value => (2, value) }
            }
            1 => {
                select! { recv(a) -> value => (0, value), recv(b) -> value => (1, value), default => { yield_now(); continue } }
            }
            2 => select! { recv(b) -> value => (1, value), recv(c) -> value => (2, value), default(limit) => continue },
            3 => {
                select! { recv(c) -> value => (2, value), recv(c) -> value => (2, value), recv(after(limit)) -> _ => continue }
            }
            4 => {
                let (mut select, operands) = (Select::new(), [a, b, c]);
                operands.into_iter().for_each(|receiver| _ = select.recv(receiver));
                let Ok(index) = select.ready_timeout(limit) else { continue };
                let Ok(operation) = select.try_select() else { continue };
                assert!(index < 3);
                let index = operation.index();
                (index, operation.recv(operands[index]))
            }
            _ => {
                let number = random.below(3) as usize;
                match [a, b, c][number].recv_timeout(limit) {
                    Err(error) if error.is_timeout() => continue,
                    result => (number, result.map_err(|_| RecvError)),
                }
            }
        };
        match result {
            Ok((value, _)) => sum += value,
            Err(RecvError) => open[number] = false,
        }
    }
    sum
}

/// Threads and goroutines of both sides; the channels end by their senders or by a close in the middle.
fn run(procs: usize, seed: u64, each: u64, is_closed: bool) {
    with_procs(procs, || {
        let living = Arc::new(AtomicUsize::new(0));
        let (sent, received) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let channels: [(Sender<Value>, Receiver<Value>); 3] =
            [bounded(0), bounded(2), if is_closed { bounded(1) } else { unbounded() }];
        let (mut threads, mut goroutines) = (Vec::new(), Vec::new());
        for worker in 0..10u64 {
            let random = Random(seed.wrapping_mul(2 * worker + 3) | 1);
            let work: Box<dyn FnOnce() + Send> = if worker % 2 == 0 {
                let (senders, living, sent) =
                    (channels.each_ref().map(|(tx, _)| tx.clone()), Arc::clone(&living), Arc::clone(&sent));
                Box::new(move || _ = sent.fetch_add(produce(&senders, each, &living, random), Ordering::Relaxed))
            } else {
                let (receivers, received) = (channels.each_ref().map(|(_, rx)| rx.clone()), Arc::clone(&received));
                Box::new(move || _ = received.fetch_add(consume(&receivers, random), Ordering::Relaxed))
            };
            if worker < 2 { threads.push(thread::spawn(work)) } else { goroutines.push(spawn(work)) }
        }
        let (senders, receivers): (Vec<_>, Vec<_>) = channels.into_iter().unzip();
        if is_closed {
            for sender in &senders {
                (0..seed % 50).for_each(|_| yield_now());
                sender.close();
            }
        }
        drop(senders);
        goroutines.into_iter().for_each(|goroutine| goroutine.join().unwrap());
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(sent.load(Ordering::Relaxed), received.load(Ordering::Relaxed));
        if !is_closed {
            assert_eq!(sent.load(Ordering::Relaxed), 5 * each * (each + 1) / 2);
        }
        drop(receivers);
        assert_eq!(living.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn under_stress_each_value_arrives_once() {
    let seed = seed();
    for procs in [1, 2, 4, 16] {
        run(procs, seed, 1000, false);
    }
}

#[test]
fn under_stress_a_close_loses_nothing_that_was_sent() {
    let seed = seed();
    for procs in [1, 2, 4, 16] {
        for round in 0..10 {
            run(procs, seed.wrapping_add(round << 20), 60, true);
        }
    }
}
