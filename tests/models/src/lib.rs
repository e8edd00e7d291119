//! Models of goruntime's lock-free protocols: the runtime's own files, compiled against loom's atomics.
//!
//! *What.* `#[path]` takes the files of the protocols from `runtime/src` as they are: the run queue, claim, status word, note, futex lock, timers, the words of permits, joins,
//! the poller and signals, locks, `Once`, `WaitGroup` and `Semaphore` with their queues, and the body of the select. What they stand on is replaced: `base::shim` by
//! loom's types with a ring of four slots, `gmp::barrier` by two `SeqCst` fences, the futex of `os` by a table under a lock, goroutines by threads (`goroutines`).
//! `tests/channels.rs` and `tests/scheduler.rs` are the same for channels and for threads that sleep. Each test is one scenario; loom runs all its interleavings up to
//! two preemptions, or one, as each says. `LOOM_MAX_PREEMPTIONS=3 cargo test --release -p goruntime-models` looks deeper; `scripts/orderings.sh` weakens each ordering in turn
//! and says which model fails (see `README.md` here).
//!
//! *Why here.* Loom's types may not leak into the runtime, and its tests need `pub(crate)` items: so a package of its own.
//!
//! *Invariants.* L1. A model that cannot fail proves nothing: each one names in its doc comment what was broken to see it fail.
//! L2. What loom cannot express is said where it is replaced (`gmp::barrier`, `os`). It also never lets a load see a store that is made
//! later, so that it cannot judge orderings that only keep a load ahead of a store (R3 of `gmp::runq` is argued there). L3. Unit tests
//! inside a modelled file are `cfg(all(test, not(loom)))`; `build.rs` sets `loom`.
//!
//! *Locks.* Loom's only.
//!
//! *Go:* none.

#![cfg(test)]

#[path = "../../../runtime/src/base"]
#[allow(dead_code, reason = "a model uses a part of each file")]
mod base {
    #[path = "../../../tests/models/src/lock.rs"]
    pub(crate) mod lock;
    pub(crate) mod note;
    #[path = "lock.rs"]
    pub(crate) mod raw_lock;
    #[path = "../../../tests/models/src/shim.rs"]
    pub(crate) mod shim;

    /// What the runtime maps is a vector here.
    pub(crate) mod mapvec {
        pub(crate) type MapVec<T> = Vec<T>;
    }

    /// What ends the process ends the model.
    pub(crate) mod throw {
        pub(crate) fn throw(what: &str) -> ! {
            panic!("{what}")
        }

        pub(crate) use throw as fatal;
    }
}

#[path = "../../../runtime/src/gmp"]
#[allow(dead_code, reason = "a model uses a part of each file")]
mod gmp {
    #[path = "../../../tests/models/src/barrier.rs"]
    pub(crate) mod barrier;
    pub(crate) mod claim;
    pub(crate) mod join_word;
    pub(crate) mod permit;
    mod reason;
    pub(crate) mod runq;
    pub(crate) mod status;

    pub(crate) mod timers;

    pub(crate) use crate::goroutines::{GPtr, SCHED, m};
    pub(crate) use reason::WaitReason;

    pub(crate) mod g {
        use crate::goroutines::GPtr;

        pub(crate) type ParkCommit = fn(GPtr, *mut ()) -> bool;
    }
}

#[path = "../../../runtime/src/sync"]
#[allow(dead_code, unreachable_pub, reason = "a model uses a part of each file, and here nothing is public")]
mod sync {
    pub(crate) mod cancel;
    pub(crate) mod once;
    pub(crate) mod permits;
    pub(crate) mod queue;
    mod raw_mutex;
    pub(crate) mod rw_word;
    mod sema;
    pub(crate) mod semaphore;
    pub(crate) mod spin;
    pub(crate) mod sudog;
    pub(crate) mod wait_group;

    #[path = "../../../tests/models/src/locks_model.rs"]
    mod locks_model;
    #[path = "../../../tests/models/src/mutex_model.rs"]
    mod mutex_model;
}

/// What blocking primitives stand on, made of [`goroutines`].
mod proc {
    pub(crate) use crate::goroutines::{Entered, enter, enter_preemptible, gopark, goready};

    pub(crate) mod boot {
        pub(crate) use crate::goroutines::ncpu;
    }

    pub(crate) mod park {
        pub(crate) use crate::goroutines::{check_goexit, is_goexit_unwinding, note_place};
    }

    pub(crate) mod timer {
        pub(crate) use crate::goroutines::{arm_on_g0, goroutine_of};
    }
}

#[path = "../../../runtime/src/channel"]
mod channel {
    #[path = "select"]
    #[allow(dead_code, reason = "a model uses a part of each file")]
    pub(crate) mod select {
        pub(crate) mod search;

        pub(crate) mod operation {
            pub(crate) use crate::select_world::{Attempt, Operation};
        }
    }

    pub(crate) mod buffer {
        pub(crate) use crate::select_world::Spent;
    }

    pub(crate) mod promise {
        pub(crate) use crate::select_world::Right;
    }

    pub(crate) mod patience {
        pub(crate) use crate::select_world::{Limit, Patience};
    }
}

#[path = "../../../runtime/src/netpoll"]
mod netpoll {
    pub(crate) mod edges;
    pub(crate) mod gate;
    pub(crate) mod word;
}

#[path = "../../../runtime/src/sigqueue.rs"]
#[allow(dead_code, reason = "a model uses a part of each file")]
mod sigqueue;

mod cancel_model;
mod claim_model;
mod goroutines;
mod join_model;
mod lock_model;
mod netpoll_model;
mod note_model;
mod os;
mod park_model;
mod permits_model;
mod runq_model;
mod rw_model;
mod select_model;
mod select_world;
mod signal_model;
mod task_model;
mod timer_model;

/// Runs `scenario` in all interleavings with at most two preemptions, or as many as `LOOM_MAX_PREEMPTIONS` says.
fn explore(scenario: impl Fn() + Send + Sync + 'static) {
    explore_up_to(2, scenario);
}

/// The same with another bound. One, where two threads may spin for a lock at a time: loom is not fair, and with a second preemption it
/// lets them spin while the holder stands still, until it gives up.
fn explore_up_to(preemptions: usize, scenario: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    builder.check(scenario);
}
