//! `Pool`: keeps values that are not needed now for whoever needs one next.
//!
//! *Why here.* Floor 7. What drops idle values is in `pool_sweep`.
//!
//! A pool has a shard for each processor, and one for plain threads. A goroutine uses the shard of the processor that it is on when it asks, under that
//! shard's lock: the shard is a matter of locality, the lock one of safety, so that neither a migration nor a change of GOMAXPROCS matters. Each shard
//! has two generations: `fresh`, where values are put, and `old`. A sweep drops what is old and makes old what is fresh; a value that nobody takes goes
//! with the second sweep.
//!
//! *Invariants.* PL1. Under a shard's lock no user code runs and nothing is allocated or freed: vectors grow, and values are dropped, outside. PL2. `len` is
//! the number of values in both generations, written under the lock and read without it as a hint.
//!
//! *Locks.* Those of the shards, rank 1, one at a time.
//!
//! *Go:* pool.go: `private` and `shared` are our `fresh`, `victim` our `old`.

use core::fmt;
use core::mem;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use crate::gmp::SCHED;
use crate::proc::{Entered, enter};
use crate::sync::once_lock::OnceLock;
use crate::sync::pool_sweep::{self, Sweepable, drop_each};
use crate::sync::queue::Queue;

/// Room of a shard when it first holds something.
const FIRST_ROOM: usize = 8;

/// Keeps values that are not needed now for whoever needs one next, so that they need not be made anew: buffers, for example.
///
/// A value that was put comes back from some `get`, on whatever goroutine, or it is dropped: by the runtime, after it has lain idle for one to two
/// seconds, so that a burst does not leave its memory behind. Which of several values comes back is not specified. A value comes back as it was put: clear
/// buffers before or after.
///
/// Values are kept by processor; `get` and `put` take some nanoseconds and wait for nobody.
///
/// # Examples
///
/// ```
/// use goruntime::sync::Pool;
///
/// static BUFFERS: Pool<Vec<u8>> = Pool::new(Vec::new);
///
/// goruntime::run(|| {
///     let mut buffer = BUFFERS.get();
///     buffer.extend(b"some text");
///     buffer.clear();
///     BUFFERS.put(buffer);
///     assert!(BUFFERS.get().capacity() >= 9);
/// });
/// ```
pub struct Pool<T: Send + 'static, F = fn() -> T> {
    new: F,
    shards: OnceLock<Arc<Shards<T>>>,
}

/// What the pool and the sweeper share.
struct Shards<T>(Box<[Shard<T>]>);

#[repr(align(128))]
struct Shard<T> {
    /// See PL2.
    len: AtomicUsize,
    /// For its lock; nobody waits in it.
    values: Queue<Generations<T>>,
}

struct Generations<T> {
    fresh: Vec<T>,
    old: Vec<T>,
}

impl<T: Send + 'static, F: Fn() -> T> Pool<T, F> {
    /// Makes an empty pool; `new` makes a value when there is none.
    pub const fn new(new: F) -> Pool<T, F> {
        Pool { new, shards: OnceLock::new() }
    }

    /// Takes a value out of the pool, or makes one.
    ///
    /// # Panics
    ///
    /// If the function that makes values does.
    pub fn get(&self) -> T {
        self.try_get().unwrap_or_else(&self.new)
    }
}

impl<T: Send + 'static, F> Pool<T, F> {
    /// Takes a value out of the pool, if there is one.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::sync::Pool;
    ///
    /// let pool = Pool::new(|| 7);
    /// assert_eq!(pool.try_get(), None);
    /// pool.put(1);
    /// assert_eq!(pool.try_get(), Some(1));
    /// ```
    pub fn try_get(&self) -> Option<T> {
        self.shards.get()?.take()
    }

    /// Puts a value into the pool.
    pub fn put(&self, value: T) {
        let shards = self.shards.get_or_init(|| {
            let shards = Arc::new(Shards::new());
            let for_sweeper: Weak<Shards<T>> = Arc::downgrade(&shards);
            pool_sweep::register(for_sweeper);
            shards
        });
        shards.put(value);
        pool_sweep::note_value();
    }
}

impl<T> Shards<T> {
    fn new() -> Shards<T> {
        drop(enter());
        let of_processors = (SCHED.procs.load(Ordering::Relaxed).max(1) as usize).next_power_of_two();
        Shards((0..=of_processors).map(|_| Shard::new()).collect())
    }

    /// The shard of the caller's processor; the last one if it has none.
    fn own(&self, inside: &Entered) -> usize {
        let of_processors = self.0.len() - 1;
        inside.p().map_or(of_processors, |pp| pp.id as usize & (of_processors - 1))
    }

    /// From the own shard, then from the others, then what is old.
    fn take(&self) -> Option<T> {
        let inside = enter();
        let own = self.own(&inside);
        if let Some(value) = self.0[own].take(&inside, |values| values.fresh.pop()) {
            return Some(value);
        }
        let (before, from_own) = self.0.split_at(own);
        let in_turn = || from_own.iter().chain(before);
        let fresh = in_turn().skip(1).find_map(|shard| shard.take(&inside, |values| values.fresh.pop()));
        fresh.or_else(|| in_turn().find_map(|shard| shard.take(&inside, |values| values.old.pop())))
    }

    fn put(&self, value: T) {
        let inside = enter();
        let shard = &self.0[self.own(&inside)];
        let refused = shard.put(&inside, value);
        drop(inside);
        if let Err(value) = refused {
            shard.put_growing(value);
        }
    }
}

impl<T> Shard<T> {
    fn new() -> Shard<T> {
        Shard { len: AtomicUsize::new(0), values: Queue::new(Generations { fresh: Vec::new(), old: Vec::new() }) }
    }

    fn take(&self, inside: &Entered, pop: impl FnOnce(&mut Generations<T>) -> Option<T>) -> Option<T> {
        if self.len.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut values = self.values.lock(inside);
        let taken = pop(&mut values);
        self.len.store(values.fresh.len() + values.old.len(), Ordering::Relaxed);
        taken
    }

    /// Puts the value, if there is room (PL1).
    fn put(&self, inside: &Entered, value: T) -> Result<(), T> {
        let mut values = self.values.lock(inside);
        if values.fresh.len() == values.fresh.capacity() {
            return Err(value);
        }
        values.fresh.push(value);
        self.len.store(values.fresh.len() + values.old.len(), Ordering::Relaxed);
        Ok(())
    }

    /// Makes room and puts the value; others may use the shard meanwhile.
    #[cold]
    fn put_growing(&self, mut value: T) {
        let mut room = FIRST_ROOM;
        loop {
            let mut spare = Vec::with_capacity(room);
            let inside = enter();
            let mut values = self.values.lock(&inside);
            if spare.capacity() > values.fresh.capacity() {
                // Moves the values; the capacity suffices.
                spare.append(&mut values.fresh);
                mem::swap(&mut values.fresh, &mut spare);
            }
            room = values.fresh.capacity().saturating_mul(2);
            drop(values);
            let refused = self.put(&inside, value);
            drop(inside);
            // Empty by now, or never filled.
            drop(spare);
            match refused {
                Ok(()) => return,
                Err(back) => value = back,
            }
        }
    }

    /// Makes the fresh values old; returns those that were old.
    fn age(&self) -> Vec<T> {
        if self.len.load(Ordering::Relaxed) == 0 {
            return Vec::new();
        }
        let inside = enter();
        let mut values = self.values.lock(&inside);
        let fresh = mem::take(&mut values.fresh);
        self.len.store(fresh.len(), Ordering::Relaxed);
        mem::replace(&mut values.old, fresh)
    }
}

impl<T: Send> Sweepable for Shards<T> {
    fn sweep(&self) {
        self.0.iter().for_each(|shard| drop_each(shard.age()));
    }

    fn is_empty(&self) -> bool {
        let inside = enter();
        // With the lock: see `pool_sweep`.
        self.0.iter().all(|shard| {
            let values = shard.values.lock(&inside);
            values.fresh.is_empty() && values.old.is_empty()
        })
    }
}

impl<T: Send + 'static, F> fmt::Debug for Pool<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = |shards: &Arc<Shards<T>>| shards.0.iter().map(|shard| shard.len.load(Ordering::Relaxed)).sum();
        f.debug_struct("Pool").field("idle", &self.shards.get().map_or(0_usize, len)).finish_non_exhaustive()
    }
}
