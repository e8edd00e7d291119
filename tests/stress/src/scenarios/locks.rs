//! The locks, used by goroutines and plain threads at once: exclusion, no lost wake-up, nothing given twice.
//!
//! *Why here.* See `scenarios`.
//!
//! *Invariants.* SN1. *Locks.* None. *Go:* none.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Instant;

use goruntime::runtime::{goexit, sweep};
use goruntime::sync::{Barrier, Condvar, Mutex, Once, OnceLock, Pool, RwLock, RwLockWriteGuard, Semaphore, mpsc};
use goruntime::{JoinHandle, spawn};

use super::plain::{self, PlainThread};
use super::{Context, SLOWER, pause};
use crate::check::{Ledger, Token, ensure, not_late};
use crate::rand::Rand;

/// Workers of a scenario: most are goroutines, some plain threads.
#[derive(Default)]
struct Workers {
    goroutines: Vec<JoinHandle<()>>,
    threads: Vec<PlainThread<()>>,
}

impl Workers {
    fn start(&mut self, rand: &mut Rand, work: impl FnOnce(Rand) + Send + 'static) {
        let own = rand.fork();
        if rand.one_in(6) {
            self.threads.push(plain::start(move || work(own)));
        } else {
            self.goroutines.push(spawn(move || work(own)));
        }
    }

    fn join(self) {
        for goroutine in self.goroutines {
            ensure!(goroutine.join().is_ok(), "a goroutine panicked");
        }
        for thread in self.threads {
            ensure!(thread.join().is_ok(), "a thread panicked");
        }
    }
}

/// Readers meet readers only, writers nobody; a downgraded writer reads what it wrote.
pub(crate) fn rwlock(_: &Context, mut rand: Rand) -> u64 {
    const WRITER: i64 = 1 << 32;
    let (count, rounds) = (rand.range(2, 20), rand.range(1, 300 / SLOWER));
    let writes = rand.range(2, 20);
    let (lock, inside, written) =
        (Arc::new(RwLock::new(0u64)), Arc::new(AtomicI64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut workers = Workers::default();
    for _ in 0..count {
        let (lock, inside, written) = (Arc::clone(&lock), Arc::clone(&inside), Arc::clone(&written));
        workers.start(&mut rand, move |mut own| {
            for _ in 0..rounds {
                let long = own.one_in(30);
                let linger = |own: &mut Rand| {
                    if long {
                        pause(own)
                    }
                };
                if own.one_in(writes) {
                    let guard = if own.one_in(4) { lock.try_write().ok() } else { lock.write().ok() };
                    let Some(mut guard) = guard else { continue };
                    ensure!(inside.fetch_add(WRITER, Ordering::Relaxed) == 0, "a writer met somebody");
                    linger(&mut own);
                    *guard += 1;
                    written.fetch_add(1, Ordering::Relaxed);
                    inside.fetch_sub(WRITER, Ordering::Relaxed);
                    if own.one_in(4) {
                        let wrote = *guard;
                        let guard = RwLockWriteGuard::downgrade(guard);
                        linger(&mut own);
                        ensure!(*guard == wrote, "somebody wrote beside a reader");
                    }
                } else {
                    let guard = if own.one_in(4) { lock.try_read().ok() } else { lock.read().ok() };
                    let Some(guard) = guard else { continue };
                    let seen = *guard;
                    ensure!(inside.fetch_add(1, Ordering::Relaxed) < WRITER, "a reader met a writer");
                    linger(&mut own);
                    inside.fetch_sub(1, Ordering::Relaxed);
                    ensure!(*guard == seen, "somebody wrote beside a reader");
                }
            }
        });
    }
    workers.join();
    ensure!(
        lock.try_write().is_ok_and(|sum| *sum == written.load(Ordering::Relaxed)),
        "the lock is not as it was left"
    );
    count * rounds
}

/// A bounded queue of a mutex and two condition variables.
struct Slots {
    values: Mutex<Vec<u64>>,
    there: Condvar,
    room: Condvar,
    bound: usize,
}

impl Slots {
    /// Puts `number` in if there is one, else takes one out. Some waits have time limits, some notifications go to all.
    fn exchange(&self, number: Option<u64>, own: &mut Rand) -> u64 {
        let (here, other) = if number.is_some() { (&self.room, &self.there) } else { (&self.there, &self.room) };
        let is_blocked =
            |values: &mut Vec<u64>| if number.is_some() { values.len() >= self.bound } else { values.is_empty() };
        let Ok(mut values) = self.values.lock() else { crate::check::fail("a mutex was poisoned") };
        while is_blocked(&mut values) {
            let (begun, limit) = (Instant::now(), own.micros(1, 500));
            let waited = if own.one_in(3) {
                here.wait(values).ok()
            } else {
                here.wait_timeout_while(values, limit, is_blocked).ok().map(|(values, result)| {
                    if result.timed_out() {
                        not_late("a wait with a time limit", begun, limit);
                    }
                    values
                })
            };
            values = waited.unwrap_or_else(|| crate::check::fail("a mutex was poisoned"));
        }
        let taken = match number {
            Some(number) => {
                values.push(number);
                0
            }
            None => values.pop().unwrap_or(0),
        };
        let kept = own.one_in(2).then_some(values);
        if own.one_in(5) {
            other.notify_all()
        } else {
            other.notify_one()
        }
        drop(kept);
        taken
    }
}

/// Producers and consumers: a lost notification hangs, a value that is lost or taken twice shows in the sum.
pub(crate) fn condvar(_: &Context, mut rand: Rand) -> u64 {
    let (pairs, each, bound) = (rand.range(1, 8), rand.range(1, 300 / SLOWER), rand.range(1, 4) as usize);
    let slots = Arc::new(Slots { values: Mutex::default(), there: Condvar::new(), room: Condvar::new(), bound });
    let sum = Arc::new(AtomicU64::new(0));
    let mut workers = Workers::default();
    for id in 0..2 * pairs {
        let (slots, sum) = (Arc::clone(&slots), Arc::clone(&sum));
        workers.start(&mut rand, move |mut own| {
            for number in 1..=each {
                sum.fetch_add(slots.exchange((id % 2 == 0).then_some(number), &mut own), Ordering::Relaxed);
                if own.one_in(60) {
                    pause(&mut own);
                }
            }
        });
    }
    workers.join();
    let (got, put) = (sum.load(Ordering::Relaxed), pairs * each * (each + 1) / 2);
    ensure!(got == put, "{put} was put in, {got} came out");
    2 * pairs * each
}

/// Never more are inside than there are permits, whatever is asked for, given up or forgotten.
pub(crate) fn semaphore(_: &Context, mut rand: Rand) -> u64 {
    let (count, rounds, most) = (rand.range(2, 20), rand.range(1, 300 / SLOWER), rand.range(1, 6) as usize);
    let (semaphore, inside) = (Arc::new(Semaphore::new(most)), Arc::new(AtomicU64::new(0)));
    let mut workers = Workers::default();
    for _ in 0..count {
        let (semaphore, inside) = (Arc::clone(&semaphore), Arc::clone(&inside));
        workers.start(&mut rand, move |mut own| {
            for _ in 0..rounds {
                let wanted = own.range(0, most as u64 + 1);
                let permits = match own.range(0, 4) {
                    0 => semaphore.try_acquire_many(wanted as usize),
                    1 => semaphore.acquire_many_timeout(wanted as usize, own.micros(0, 300)),
                    _ => Some(semaphore.acquire_many(wanted as usize)),
                };
                let Some(permits) = permits else { continue };
                let now = inside.fetch_add(wanted, Ordering::Relaxed) + wanted;
                ensure!(now <= most as u64, "{now} of {most} permits are held");
                if own.one_in(30) {
                    pause(&mut own);
                }
                inside.fetch_sub(wanted, Ordering::Relaxed);
                if own.one_in(5) {
                    permits.forget();
                    semaphore.release(wanted as usize);
                }
            }
        });
    }
    workers.join();
    ensure!(semaphore.try_acquire_many(most).is_some(), "permits are missing: {semaphore:?} of {most}");
    count * rounds
}

/// Rounds of a barrier do not mix, and each has one leader.
pub(crate) fn barrier(_: &Context, mut rand: Rand) -> u64 {
    let (size, rounds) = (rand.range(1, 16), rand.range(1, 100 / SLOWER + 1));
    let barrier = Arc::new(Barrier::new(size as usize));
    let (arrived, led) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut workers = Workers::default();
    for _ in 0..size {
        let (barrier, arrived, led) = (Arc::clone(&barrier), Arc::clone(&arrived), Arc::clone(&led));
        workers.start(&mut rand, move |mut own| {
            for round in 1..=rounds {
                if own.one_in(30) {
                    pause(&mut own);
                }
                arrived.fetch_add(1, Ordering::Relaxed);
                led.fetch_add(u64::from(barrier.wait().is_leader()), Ordering::Relaxed);
                let seen = arrived.load(Ordering::Relaxed);
                ensure!(
                    (round * size..=(round + 1) * size).contains(&seen),
                    "{seen} of {size} have come to round {round}"
                );
            }
        });
    }
    workers.join();
    ensure!(led.load(Ordering::Relaxed) == rounds, "not one leader in each round");
    size * rounds
}

/// Initializations that panic, end by goexit, or succeed once.
pub(crate) fn once(_: &Context, mut rand: Rand) -> u64 {
    let (count, rounds) = (rand.range(2, 12), rand.range(1, 40 / SLOWER + 1));
    for _ in 0..rounds {
        let (once, value, done) = (Arc::new(Once::new()), Arc::new(OnceLock::new()), Arc::new(AtomicU64::new(0)));
        let mut goroutines = Vec::new();
        for id in 0..count {
            let (once, value, done, mut own) = (Arc::clone(&once), Arc::clone(&value), Arc::clone(&done), rand.fork());
            let leave = rand.range(0, 4);
            goroutines.push(spawn(move || {
                let got = *value.get_or_init(|| {
                    match leave {
                        0 => goexit(),
                        1 => std::panic::resume_unwind(Box::new(())),
                        _ => pause(&mut own),
                    }
                    id
                });
                ensure!(value.get() == Some(&got), "a value changed");
                once.call_once_force(|_| {
                    match leave {
                        2 if own.one_in(2) => std::panic::resume_unwind(Box::new(())),
                        _ => pause(&mut own),
                    }
                    ensure!(done.fetch_add(1, Ordering::Relaxed) == 0, "a Once ran twice to the end");
                });
                ensure!(done.load(Ordering::Relaxed) == 1, "a Once returned before the end");
            }));
        }
        for goroutine in goroutines {
            // Some were to fail.
            let _ = goroutine.join();
        }
        let value = *value.get_or_init(|| count);
        ensure!(value <= count, "a value out of nowhere");
    }
    count * rounds
}

/// A value of a pool has one user, is dropped once, and sweeps and migrations make no difference.
pub(crate) fn pool(_: &Context, mut rand: Rand) -> u64 {
    let (count, rounds) = (rand.range(1, 20), rand.range(1, 200 / SLOWER));
    let ledger = Ledger::default();
    let pool = {
        let ledger = ledger.clone();
        Arc::new(Pool::new(move || (AtomicU64::new(0), ledger.token())))
    };
    let mut workers = Workers::default();
    for id in 1..=count {
        let pool = Arc::clone(&pool);
        workers.start(&mut rand, move |mut own| {
            for _ in 0..rounds {
                let values: Vec<(AtomicU64, Token)> = (0..own.range(1, 6)).map(|_| pool.get()).collect();
                for value in &values {
                    ensure!(value.0.swap(id, Ordering::Relaxed) == 0, "a value was given to two");
                }
                if own.one_in(20) {
                    pause(&mut own);
                }
                if own.one_in(200) {
                    sweep();
                }
                for value in values {
                    ensure!(value.0.swap(0, Ordering::Relaxed) == id, "somebody used a value beside its user");
                    if own.one_in(10) { drop(value) } else { pool.put(value) }
                }
            }
        });
    }
    workers.join();
    drop(pool);
    ledger.settle("every value of a pool is dropped once");
    count * rounds
}

/// The channels of `mpsc`, with and without bounds.
pub(crate) fn mpsc_channels(_: &Context, mut rand: Rand) -> u64 {
    let (senders, each) = (rand.range(1, 12), rand.range(1, 300 / SLOWER));
    let ledger = Ledger::default();
    let (tx, rx) = mpsc::sync_channel(rand.range(0, 4) as usize);
    let (unbounded, rest) = mpsc::channel();
    let mut workers = Workers::default();
    for _ in 0..senders {
        let (tx, unbounded, ledger) = (tx.clone(), unbounded.clone(), ledger.clone());
        workers.start(&mut rand, move |mut own| {
            for number in 1..=each {
                let value = (number, ledger.token());
                let sent = match own.range(0, 3) {
                    0 => tx.try_send(value).or_else(|error| match error {
                        mpsc::TrySendError::Full(value) => unbounded.send(value).map_err(mpsc::TrySendError::from),
                        gone => Err(gone),
                    }),
                    1 => unbounded.send(value).map_err(mpsc::TrySendError::from),
                    _ => tx.send(value).map_err(mpsc::TrySendError::from),
                };
                ensure!(sent.is_ok(), "a channel with a receiver refused a value");
                if own.one_in(60) {
                    pause(&mut own);
                }
            }
        });
    }
    drop((tx, unbounded));
    let sum: u64 = rx.iter().map(|value| value.0).sum::<u64>() + rest.into_iter().map(|value| value.0).sum::<u64>();
    workers.join();
    let sent = senders * each * (each + 1) / 2;
    ensure!(sum == sent, "{sent} was sent, {sum} was received");
    ledger.settle("every value is dropped once");
    senders * each
}
