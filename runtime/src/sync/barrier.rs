//! `Barrier`: lets nobody go on before all have come.
//!
//! *Why here.* Floor 7.
//!
//! *Invariants.* BA1. The queue's state is the number of those who wait in it; the last to come does not wait, and sets it to zero.
//!
//! *Locks.* The queue's, rank 1.
//!
//! *Go:* none.

use core::fmt;
use core::panic::Location;

use crate::gmp::WaitReason;
use crate::proc::enter_preemptible;
use crate::proc::park::check_goexit;
use crate::sync::queue::{Queue, Wait, wake_all};

/// Lets nobody go on before a number of goroutines have come; see `std::sync::Barrier`, whose interface it has. It can be used again at once.
///
/// # Examples
///
/// ```
/// use goruntime::sync::{Arc, Barrier};
///
/// goruntime::run(|| {
///     let barrier = Arc::new(Barrier::new(3));
///     let others = [(); 2].map(|()| {
///         let barrier = barrier.clone();
///         goruntime::spawn(move || barrier.wait().is_leader())
///     });
///     let mut leaders = usize::from(barrier.wait().is_leader());
///     for other in others {
///         leaders += usize::from(other.join().unwrap());
///     }
///     assert_eq!(leaders, 1);
/// });
/// ```
pub struct Barrier {
    queue: Queue<usize>,
    size: usize,
}

/// Who was the last to come.
pub struct BarrierWaitResult(bool);

impl Barrier {
    /// Makes a barrier for `n`; with 0 or 1 nobody waits.
    #[inline]
    pub const fn new(n: usize) -> Barrier {
        Barrier { queue: Queue::new(0), size: n }
    }

    /// Waits until as many have come as the barrier was made for. One of them, here the last, is told that it is the leader.
    ///
    /// # Blocking
    ///
    /// Parks the goroutine (or the plain thread) until the last has come.
    #[track_caller]
    pub fn wait(&self) -> BarrierWaitResult {
        check_goexit();
        let inside = enter_preemptible();
        let mut waiting = self.queue.lock(&inside);
        if *waiting + 1 < self.size {
            *waiting += 1;
            // It ends with the last to come only.
            let _ = waiting.wait(&inside, &Wait::new(WaitReason::BarrierWait, Location::caller()));
            return BarrierWaitResult(false);
        }
        *waiting = 0;
        let all = waiting.dequeue_all();
        drop(waiting);
        wake_all(all);
        BarrierWaitResult(true)
    }
}

impl BarrierWaitResult {
    /// Whether the caller is the one of its round that leads.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.0
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier").finish_non_exhaustive()
    }
}

impl fmt::Debug for BarrierWaitResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BarrierWaitResult").field("is_leader", &self.is_leader()).finish()
    }
}
