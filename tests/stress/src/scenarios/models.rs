//! Random operations on channels, locks and timers, each compared with what a sequential model says.
//!
//! *Why here.* See `scenarios`.
//!
//! *Invariants.* SN1. MD1. The objects are touched only by the goroutine that holds the lock of their [`World`], so that the outcome of every operation,
//! of those that could block as well, follows from the operations before it. What is not sequential is the rest: who holds the lock next, on
//! which thread, and what happens to it while it does.
//!
//! *Locks.* That of the world, which is one of those under test. *Go:* none.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use goruntime::channel::{
    self, Receiver, RecvTimeoutError, SendTimeoutError, Sender, TryRecvError, TrySendError, select,
};
use goruntime::sync::{Mutex, MutexGuard, OwnedSemaphorePermit, Semaphore, WaitGroup};
use goruntime::time::{AfterFunc, after_func};
use goruntime::{spawn, thread};

use super::{Context, SLOWER, pause};
use crate::check::{ensure, fail};
use crate::rand::Rand;

const PERMITS: usize = 5;
const HOUR: Duration = Duration::from_secs(3600);
const MOMENT: Duration = Duration::from_nanos(1);

/// A channel, and what it is to hold.
struct Modelled {
    tx: Sender<u64>,
    rx: Receiver<u64>,
    capacity: usize,
    held: VecDeque<u64>,
    closed: bool,
}

/// The objects, and what the model knows of them.
struct World {
    channels: [Modelled; 2],
    next: u64,
    semaphore: Arc<Semaphore>,
    permits: Vec<(usize, OwnedSemaphorePermit)>,
    group: WaitGroup,
    counted: usize,
    timer: AfterFunc,
    armed: bool,
}

/// Some goroutines do random operations on one world.
pub(crate) fn models(_: &Context, mut rand: Rand) -> u64 {
    let (workers, rounds) = (rand.range(1, 9), rand.range(1, 4000 / SLOWER));
    let world = Arc::new(Mutex::new(World::new(&mut rand)));
    let handles: Vec<_> = (0..workers)
        .map(|_| {
            let (world, mut own) = (Arc::clone(&world), rand.fork());
            spawn(move || {
                for _ in 0..rounds {
                    let mut locked = lock(&world);
                    for _ in 0..own.range(1, 8) {
                        locked.step(&mut own);
                    }
                    if own.one_in(64) {
                        pause(&mut own);
                    }
                    drop(locked);
                    if own.one_in(256) {
                        pause(&mut own);
                    }
                }
            })
        })
        .collect();
    for handle in handles {
        ensure!(handle.join().is_ok(), "a worker panicked");
    }
    lock(&world).end()
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(|_| fail("nobody panics with the world locked"))
}

impl Modelled {
    fn new(rand: &mut Rand) -> Modelled {
        let capacity = rand.range(0, 4) as usize;
        let (tx, rx) = channel::bounded(capacity);
        Modelled { tx, rx, capacity, held: VecDeque::new(), closed: false }
    }

    fn has_room(&self) -> bool {
        self.held.len() < self.capacity
    }

    /// What a receive says now: a value, or whether it would end at once.
    fn take(&mut self) -> Result<u64, bool> {
        self.held.pop_front().ok_or(self.closed)
    }

    fn send(&mut self, value: u64, rand: &mut Rand) {
        let in_time = match rand.range(0, 3) {
            0 => match self.tx.try_send(value) {
                Ok(()) => Ok(()),
                Err(TrySendError::Full(back)) => Err((back, false)),
                Err(TrySendError::Disconnected(back)) => Err((back, true)),
            },
            1 => match self.tx.send_timeout(value, MOMENT) {
                Ok(()) => Ok(()),
                Err(SendTimeoutError::Timeout(back)) => Err((back, false)),
                Err(SendTimeoutError::Disconnected(back)) => Err((back, true)),
            },
            _ if self.has_room() || self.closed => self.tx.send(value).map_err(|error| (error.into_inner(), true)),
            _ => return,
        };
        let expected = match (self.closed, self.has_room()) {
            (true, _) => Err((value, true)),
            (false, true) => Ok(()),
            (false, false) => Err((value, false)),
        };
        ensure!(in_time == expected, "a send said {in_time:?}, the model {expected:?}");
        if expected.is_ok() {
            self.held.push_back(value);
        }
    }

    fn receive(&mut self, rand: &mut Rand) {
        let said = match rand.range(0, 3) {
            0 => self.rx.try_recv().map_err(|error| error == TryRecvError::Disconnected),
            1 => self.rx.recv_timeout(MOMENT).map_err(|error| error == RecvTimeoutError::Disconnected),
            _ if !self.held.is_empty() || self.closed => self.rx.recv().map_err(|_| true),
            _ => return,
        };
        let expected = self.take();
        ensure!(said == expected, "a receive said {said:?}, the model {expected:?}");
    }

    fn look(&self) {
        let said = (self.rx.len(), self.rx.is_empty(), self.tx.is_full());
        let expected = (self.held.len(), self.held.is_empty(), !self.has_room());
        ensure!(said == expected, "length, emptiness and fullness are {said:?}, in the model {expected:?}");
    }
}

impl World {
    fn new(rand: &mut Rand) -> World {
        World {
            channels: [Modelled::new(rand), Modelled::new(rand)],
            next: 0,
            semaphore: Arc::new(Semaphore::new(PERMITS)),
            permits: Vec::new(),
            group: WaitGroup::new(),
            counted: 0,
            timer: after_func(HOUR, || fail("a timer fired an hour early")),
            armed: true,
        }
    }

    /// One operation.
    fn step(&mut self, rand: &mut Rand) {
        self.next += 1;
        let channel = &mut self.channels[rand.range(0, 2) as usize];
        match rand.range(0, 100) {
            0..=24 => channel.send(self.next, rand),
            25..=44 => channel.receive(rand),
            45..=49 => channel.look(),
            50 if channel.closed => *channel = Modelled::new(rand),
            50 => {
                channel.tx.close();
                channel.closed = true;
            }
            51..=69 => self.select(rand),
            70..=79 => self.acquire(rand),
            80..=85 => self.release(rand),
            86..=91 => self.count(rand),
            92..=95 => self.rearm(rand),
            _ => {
                thread::current().unpark();
                thread::park();
            }
        }
    }

    /// Which arm is taken is open where several can be; what it does is not.
    fn select(&mut self, rand: &mut Rand) {
        let value = self.next;
        let [one, other] = &mut self.channels;
        if rand.one_in(2) {
            core::mem::swap(one, other);
        }
        let (sends, receives) = (one.has_room() || one.closed, !other.held.is_empty() || other.closed);
        select! {
            send(one.tx, value) -> sent => {
                ensure!(sends && sent.is_ok() != one.closed, "a select sent to a channel that does not take");
                if sent.is_ok() {
                    one.held.push_back(value);
                }
            }
            recv(other.rx) -> received => {
                ensure!(receives, "a select received from a channel without anything");
                let expected = other.take();
                ensure!(received.map_err(|_| true) == expected, "a select received another value than {expected:?}");
            }
            default => ensure!(!sends && !receives, "a select found nothing to do"),
        }
    }

    fn taken(&self) -> usize {
        self.permits.iter().map(|permit| permit.0).sum()
    }

    fn acquire(&mut self, rand: &mut Rand) {
        let (wanted, free) = (rand.range(1, PERMITS as u64 + 1) as usize, PERMITS - self.taken());
        ensure!(self.semaphore.available() == free, "permits are missing, or there are too many");
        if wanted > free {
            let timed = rand.one_in(4) && self.semaphore.acquire_many_timeout(wanted, MOMENT).is_some();
            ensure!(!timed && self.semaphore.try_acquire_many(wanted).is_none(), "a permit that does not exist");
            return;
        }
        if wanted == 1 {
            let permit = Arc::clone(&self.semaphore).try_acquire_owned();
            self.permits.push((1, permit.unwrap_or_else(|| fail("a free permit was refused"))));
        } else {
            self.permits.push((wanted, Arc::clone(&self.semaphore).acquire_many_owned(wanted)));
        }
    }

    fn release(&mut self, rand: &mut Rand) {
        if !self.permits.is_empty() {
            let index = rand.range(0, self.permits.len() as u64) as usize;
            drop(self.permits.swap_remove(index));
        }
    }

    fn count(&mut self, rand: &mut Rand) {
        match rand.range(0, 3) {
            0 => {
                self.group.add(1);
                self.counted += 1;
            }
            1 if self.counted > 0 => {
                self.group.done();
                self.counted -= 1;
            }
            _ => {
                let over = self.group.wait_timeout(MOMENT);
                ensure!(over == (self.counted == 0), "a group of {} said {over}", self.counted);
            }
        }
    }

    fn rearm(&mut self, rand: &mut Rand) {
        let arm = rand.one_in(2);
        let was = if arm { self.timer.reset(HOUR) } else { self.timer.stop() };
        ensure!(was == self.armed, "a timer said {was}, the model {}", self.armed);
        self.armed = arm;
    }

    /// Everything comes to its end; returns how many operations there were.
    fn end(&mut self) -> u64 {
        self.permits.clear();
        ensure!(self.semaphore.available() == PERMITS, "permits are missing at the end");
        self.timer.stop();
        for channel in &mut self.channels {
            if !channel.closed {
                channel.tx.close();
            }
            let left: Vec<u64> = channel.rx.iter().collect();
            ensure!(channel.held == left, "{left:?} is left, in the model {:?}", channel.held);
        }
        self.next
    }
}
