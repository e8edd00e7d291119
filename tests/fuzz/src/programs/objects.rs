//! Locks, permits, counters and timers in the hands of one goroutine, and what a model knows of them.
//!
//! Why here: a part of `programs`.
//!
//! *Invariants*
//! - OB1. [`Holder`] has every guard that exists, so whether a lock is free follows from its fields.
//!
//! *Locks*: those of [`Objects`], which are what is tested.
//!
//! *Go:* none.

use std::time::{Duration, Instant};

use arbitrary::{Result, Unstructured};
use goruntime::channel::{TryRecvError, after};
use goruntime::context::Context;
use goruntime::sync::{
    Condvar, Mutex, MutexGuard, Once, OnceLock, RwLock, RwLockReadGuard, RwLockWriteGuard, Semaphore, SemaphorePermit,
    WaitGroup,
};
use goruntime::time::{AfterFunc, Timer, after_func, sleep, sleep_ctx, sleep_until};

const HOUR: Duration = Duration::from_secs(3600);

/// What is operated on.
pub(super) struct Objects {
    mutex: Mutex<u64>,
    condvar: Condvar,
    rwlock: RwLock<u64>,
    semaphore: Semaphore,
    permits: usize,
}

impl Objects {
    pub(super) fn new(permits: usize) -> Objects {
        let semaphore = Semaphore::new(permits);
        Objects { mutex: Mutex::new(0), condvar: Condvar::new(), rwlock: RwLock::new(0), semaphore, permits }
    }
}

/// Who has the guards, and the state of the model.
pub(super) struct Holder<'a> {
    objects: &'a Objects,
    guard: Option<MutexGuard<'a, u64>>,
    locked: u64,
    reads: Vec<RwLockReadGuard<'a, u64>>,
    write: Option<RwLockWriteGuard<'a, u64>>,
    written: u64,
    permits: Vec<SemaphorePermit<'a>>,
    /// Permits that nobody has.
    free: usize,
    group: WaitGroup,
    counted: i64,
    once: Once,
    ran: usize,
    cell: OnceLock<u64>,
    value: Option<u64>,
    call: AfterFunc,
    call_is_armed: bool,
    timer: Timer,
    /// Whether the time of the timer has come; None if it is stopped, or its value was received.
    due: Option<bool>,
}

impl<'a> Holder<'a> {
    pub(super) fn new(objects: &'a Objects) -> Holder<'a> {
        Holder {
            objects,
            guard: None,
            locked: 0,
            reads: Vec::new(),
            write: None,
            written: 0,
            permits: Vec::new(),
            free: objects.permits,
            group: WaitGroup::new(),
            counted: 0,
            once: Once::new(),
            ran: 0,
            cell: OnceLock::new(),
            value: None,
            call: after_func(HOUR, || panic!("a timer fired an hour early")),
            call_is_armed: true,
            timer: Timer::new(HOUR),
            due: Some(false),
        }
    }

    /// Does an operation, and compares. `ended` is a context that has ended.
    pub(super) fn step(&mut self, bytes: &mut Unstructured<'_>, ended: Option<&Context>) -> Result<()> {
        let kind = bytes.int_in_range(0..=7)?;
        match kind {
            0 => self.lock(bytes.int_in_range(0..=4)?, ended),
            1 => self.share(bytes.int_in_range(0..=7)?),
            2 => self.acquire(bytes.int_in_range(1..=7)?, bytes.int_in_range(0..=3)?, ended),
            3 => self.release(bytes.int_in_range(0..=4)?, bytes.int_in_range(0..=3)?),
            4 => self.count(bytes.int_in_range(0..=3)?, bytes.int_in_range(1..=3)?),
            5 => self.once(bytes.int_in_range(0..=3)?, bytes.arbitrary()?),
            6 => self.rearm(bytes.int_in_range(0..=7)?),
            _ => pass_time(bytes.int_in_range(0..=3)?, ended),
        }
        Ok(())
    }

    fn lock(&mut self, how: u8, ended: Option<&Context>) {
        let objects = self.objects;
        if let Some(ended) = ended.filter(|_| how == 4) {
            assert!(objects.mutex.lock_ctx(ended).is_err(), "an ended context looks first");
            return;
        }
        if let Some(guard) = self.guard.take() {
            assert!(objects.mutex.try_lock().is_err(), "locked twice");
            if how == 3 {
                let (guard, said) = objects.condvar.wait_timeout(guard, Duration::ZERO).expect("nobody panics");
                assert!(said.timed_out(), "nobody notifies");
                self.guard = Some(guard);
            }
            return;
        }
        let mut guard = match how {
            0 => objects.mutex.lock().expect("nobody panics"),
            _ => objects.mutex.try_lock().expect("it is free"),
        };
        assert_eq!(*guard, self.locked);
        *guard += 1;
        self.locked += 1;
        self.guard = Some(guard);
    }

    fn share(&mut self, how: u8) {
        let lock = &self.objects.rwlock;
        match how {
            0 | 1 if self.write.is_some() => assert!(lock.try_read().is_err(), "read while it is written"),
            0 => self.reads.push(lock.try_read().expect("nobody writes")),
            1 if self.reads.is_empty() => self.reads.push(lock.read().expect("nobody panics")),
            2 | 3 if self.write.is_some() || !self.reads.is_empty() => {
                assert!(lock.try_write().is_err(), "written while others have it");
            }
            2 | 3 => {
                let mut guard =
                    if how == 2 { lock.write().expect("nobody panics") } else { lock.try_write().expect("it is free") };
                *guard += 1;
                self.written += 1;
                self.write = Some(guard);
            }
            4 => self.write = None,
            5 => drop(self.reads.pop()),
            6 => self.reads.extend(self.write.take().map(RwLockWriteGuard::downgrade)),
            _ => {}
        }
        assert!(self.reads.iter().all(|guard| **guard == self.written), "a reader sees another value");
    }

    fn acquire(&mut self, wanted: usize, how: u8, ended: Option<&Context>) {
        let semaphore = &self.objects.semaphore;
        assert_eq!(semaphore.available(), self.free);
        let is_free = wanted <= self.free;
        let permit = match how {
            0 if is_free => Some(semaphore.acquire_many(wanted)),
            1 => semaphore.acquire_many_timeout(wanted, Duration::ZERO),
            2 if ended.is_some() => {
                let refused = ended.map(|ended| semaphore.acquire_many_ctx(wanted, ended).is_err());
                assert_eq!(refused, Some(true), "an ended context looks first");
                return;
            }
            _ => semaphore.try_acquire_many(wanted),
        };
        assert_eq!(permit.as_ref().map(SemaphorePermit::count), is_free.then_some(wanted));
        if is_free {
            self.free -= wanted;
        }
        self.permits.extend(permit);
    }

    fn release(&mut self, how: u8, more: usize) {
        match (how, self.permits.pop()) {
            (0, permit) => {
                self.objects.semaphore.release(more);
                self.free += more;
                self.permits.extend(permit);
            }
            (1, Some(permit)) => permit.forget(),
            (_, Some(permit)) => self.free += permit.count(),
            (_, None) => {}
        }
    }

    fn count(&mut self, how: u8, delta: i64) {
        match how {
            0 => {
                self.group.add(delta);
                self.counted += delta;
            }
            1 if self.counted >= delta => {
                self.group.add(-delta);
                self.counted -= delta;
            }
            2 if self.counted > 0 => {
                self.group.done();
                self.counted -= 1;
            }
            _ if self.counted == 0 => self.group.wait(),
            _ => assert!(!self.group.wait_timeout(Duration::ZERO), "{} are counted", self.counted),
        }
    }

    fn once(&mut self, how: u8, value: u64) {
        match how {
            0 => {
                self.once.call_once(|| self.ran += 1);
                assert_eq!(self.ran, 1);
            }
            1 => assert_eq!(self.once.is_completed(), self.ran == 1),
            2 => {
                let result = self.cell.set(value);
                assert_eq!(result, self.value.map_or(Ok(()), |_| Err(value)));
                self.value = self.value.or(Some(value));
            }
            _ => {
                assert_eq!(self.cell.get().copied(), self.value);
                assert_eq!(*self.cell.get_or_init(|| value), *self.value.get_or_insert(value));
            }
        }
    }

    fn rearm(&mut self, how: u8) {
        match how {
            0 | 1 => {
                let arm = how == 0;
                let was = if arm { self.call.reset(HOUR) } else { self.call.stop() };
                assert_eq!(was, self.call_is_armed);
                self.call_is_armed = arm;
            }
            2 | 3 => {
                let duration = if how == 2 { HOUR } else { Duration::ZERO };
                assert_eq!(self.timer.reset(duration), self.due.is_some());
                self.due = Some(how == 3);
            }
            4 => assert_eq!(self.timer.stop(), self.due.take().is_some()),
            _ => {
                let received = self.timer.receiver().try_recv();
                match self.due {
                    Some(true) => {
                        assert!(received.is_ok_and(|sent| sent <= Instant::now()), "its time has come");
                        self.due = None;
                    }
                    _ => assert_eq!(received, Err(TryRecvError::Empty)),
                }
            }
        }
    }
}

/// Waits that are over at once, or after a moment.
fn pass_time(how: u8, ended: Option<&Context>) {
    let begun = Instant::now();
    match (how, ended) {
        (0, _) => sleep(Duration::ZERO),
        (1, _) => sleep_until(begun),
        (2, Some(ended)) => assert!(sleep_ctx(HOUR, ended).is_err()),
        _ => {
            let moment = Duration::from_micros(20);
            let fired = after(moment).recv().expect("a clock does not end");
            assert!(fired >= begun + moment && begun.elapsed() >= moment, "a timer fired early");
        }
    }
}
