//! The runtime's own channels against loom's atomics: hand-off, buffer, close, time limits, selects, and the end of both sides.
//!
//! *What.* As `src/lib.rs`, with `channel::hchan`, `transfer`, `promise`, `buffer`, `half`, `patience` and the select's `search` and `operation` from the runtime. A test
//! of its own, because there the select runs over shorter channels. Left out are clocks and the tickets of async code, which stand under the same lock.
//!
//! *Why here.* As in `src/lib.rs`.
//!
//! *Invariants.* L1 to L3 of `src/lib.rs`.
//!
//! *Locks.* Loom's only.
//!
//! *Go:* none.

#[path = "../../../runtime/src/base"]
mod base {
    #[path = "../../../tests/models/src/lock.rs"]
    pub(crate) mod lock;
    #[path = "../../../tests/models/src/shim.rs"]
    #[allow(dead_code, unused_imports, reason = "these models use a part of it")]
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
    }
}

#[path = "../../../runtime/src/gmp"]
#[allow(dead_code, reason = "these models use a part of each file")]
mod gmp {
    mod reason;
    pub(crate) mod status;
    pub(crate) mod timers;

    pub(crate) use crate::goroutines::GPtr;
    pub(crate) use reason::WaitReason;

    pub(crate) mod g {
        use crate::goroutines::GPtr;

        pub(crate) type ParkCommit = fn(GPtr, *mut ()) -> bool;
    }
}

#[path = "../../../runtime/src/sync"]
#[allow(dead_code, reason = "these models use a part of each file")]
mod sync {
    pub(crate) mod cancel;
    pub(crate) mod spin;
    pub(crate) mod sudog;
}

/// What channels stand on, made of [`goroutines`].
mod proc {
    pub(crate) use crate::goroutines::{Entered, enter, enter_preemptible, gopark, goready};

    pub(crate) mod park {
        pub(crate) use crate::goroutines::{check_goexit, note_place};
    }

    pub(crate) mod timer {
        pub(crate) use crate::goroutines::{arm_on_g0, goroutine_of};
    }
}

#[path = "../../../runtime/src/channel"]
#[allow(dead_code, reason = "these models use a part of each file")]
mod channel {
    mod buffer;
    mod half;
    mod hchan;
    mod patience;
    mod promise;
    mod transfer;

    #[path = "select"]
    mod select {
        pub(super) mod operation;
        pub(super) mod search;
    }

    /// No channel here is filled by a clock.
    pub(crate) mod clock {
        use core::marker::PhantomData;

        pub(crate) struct Clock<T>(PhantomData<T>);

        impl<T> Clock<T> {
            pub(super) fn due(&self) -> Option<i64> {
                unreachable!("there are no clocks")
            }

            pub(super) fn shows(&self) -> bool {
                unreachable!("there are no clocks")
            }

            pub(super) fn is_due(&self, _: i64) -> bool {
                unreachable!("there are no clocks")
            }

            pub(super) fn take(&self, _: i64, _: i64) -> Option<T> {
                unreachable!("there are no clocks")
            }
        }
    }

    /// No value comes back here.
    mod ticket {
        use core::marker::PhantomData;

        use super::hchan::Hchan;

        pub(super) struct Returned<T>(PhantomData<T>);

        impl<T> Hchan<T> {
            pub(super) fn take_returned(&self) -> Returned<T> {
                Returned(PhantomData)
            }
        }

        impl<T> Iterator for Returned<T> {
            type Item = T;

            fn next(&mut self) -> Option<T> {
                None
            }
        }
    }

    /// The handles, without their methods.
    pub(crate) struct Sender<T> {
        half: half::Half<T, true>,
    }

    pub(crate) struct Receiver<T> {
        half: half::Half<T, false>,
    }

    #[path = "../../../tests/models/src/channel_model.rs"]
    mod channel_model;
}

#[path = "../src/goroutines.rs"]
#[allow(dead_code, reason = "these models use a part of it")]
mod goroutines;
#[path = "../src/os.rs"]
#[allow(dead_code, reason = "these models use a part of it")]
mod os;

/// Runs `scenario` in all interleavings with at most `preemptions`, or as many as `LOOM_MAX_PREEMPTIONS` says.
fn explore_up_to(preemptions: usize, scenario: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    builder.check(scenario);
}
