//! A lock that its holder may take again: std's `ReentrantLock` over nothing, owned by a goroutine instead of a thread.
//!
//! *Why here.* Floor 7, over `raw_mutex`; the handles of standard output are under such locks.
//!
//! *Invariants.* RC1. `owner` is the id of the goroutine or plain thread that has the lock; only that one writes its own id or takes it away. So
//! whoever finds its own id there has the lock, however old the value is that it sees of others. RC2. `depth` belongs to the holder.
//!
//! *Locks.* None besides itself. *Go:* none.

use core::marker::PhantomData;
use core::panic::Location;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::gmp::WaitReason;
use crate::proc::{enter, goid};
use crate::sync::raw_mutex::RawMutex;

/// A lock for output.
pub(crate) struct Reentrant {
    raw: RawMutex,
    /// 0 without one (RC1).
    owner: AtomicU64,
    /// How often the holder has taken it beyond the first time.
    depth: AtomicU32,
}

/// The lock is held; ends when dropped. It belongs to the goroutine, which may park and be moved to another thread meanwhile.
pub(crate) struct Held<'a> {
    lock: &'a Reentrant,
    /// Not `Send`, but `Sync`, as the guards of std.
    not_send: PhantomData<std::sync::MutexGuard<'static, ()>>,
}

impl Reentrant {
    /// Unlocked.
    pub(crate) const fn new() -> Reentrant {
        Reentrant { raw: RawMutex::new(), owner: AtomicU64::new(0), depth: AtomicU32::new(0) }
    }

    /// Takes the lock, waiting for it unless the caller has it already.
    pub(crate) fn lock(&self, at: &'static Location<'static>) -> Held<'_> {
        let me = goid::of_caller(enter().g());
        if self.owner.load(Ordering::Relaxed) == me {
            let depth = self.depth.load(Ordering::Relaxed).checked_add(1).expect("the lock count overflows");
            self.depth.store(depth, Ordering::Relaxed);
        } else {
            self.raw.lock(WaitReason::MutexLock, at);
            self.owner.store(me, Ordering::Relaxed);
        }
        Held { lock: self, not_send: PhantomData }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        match self.lock.depth.load(Ordering::Relaxed) {
            0 => {
                self.lock.owner.store(0, Ordering::Relaxed);
                self.lock.raw.unlock();
            }
            depth => self.lock.depth.store(depth - 1, Ordering::Relaxed),
        }
    }
}
