//! Values that are left in a channel, and whose destructors do not return.
//!
//! Why here: see `channel_basic.rs`.
//!
//! *Invariants*: T1 and T2 of `common/procs`.
//!
//! *Locks*: none.
//!
//! *Go:* none.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use goruntime::channel::{bounded, unbounded};
use goruntime::runtime::{goexit, yield_now};
use goruntime::{Goexit, spawn};

use crate::procs::{panic_text, with_procs};

/// Ends badly when it is dropped, after it was counted.
struct Explosive(usize, fn(usize), Arc<AtomicUsize>);

impl Drop for Explosive {
    fn drop(&mut self) {
        self.2.fetch_add(1, Ordering::Relaxed);
        self.1(self.0);
    }
}

#[test]
fn a_destructor_that_panics_keeps_no_other_value_from_being_dropped() {
    with_procs(1, || {
        for (tx, rx) in [bounded(70), unbounded()] {
            let dropped = Arc::new(AtomicUsize::new(0));
            let end = |number| assert!(number % 35 != 0, "value {number}");
            (0..70).for_each(|number| assert!(tx.send(Explosive(number, end, dropped.clone())).is_ok()));
            assert_eq!(panic_text(|| drop(rx)), "value 0");
            assert_eq!(dropped.load(Ordering::Relaxed), 70);
        }
    });
}

#[test]
fn what_a_destructor_has_thrown_is_dropped() {
    with_procs(1, || {
        let thrown = Arc::new(AtomicUsize::new(0));
        struct Throws(Arc<AtomicUsize>);
        impl Drop for Throws {
            fn drop(&mut self) {
                resume_unwind(Box::new(self.0.clone()));
            }
        }
        let (tx, rx) = unbounded();
        (0..3).for_each(|_| assert!(tx.send(Throws(thrown.clone())).is_ok()));
        drop(catch_unwind(AssertUnwindSafe(|| drop(rx))));
        assert_eq!(Arc::strong_count(&thrown), 1);
    });
}

#[test]
fn a_goexit_in_a_destructor_keeps_no_other_value_from_being_dropped() {
    with_procs(1, || {
        for (tx, rx) in [bounded(70), unbounded()] {
            let dropped = Arc::new(AtomicUsize::new(0));
            let end = |number| if number % 7 == 0 { goexit() } else { yield_now() };
            (0..70).for_each(|number| assert!(tx.send(Explosive(number, end, dropped.clone())).is_ok()));
            assert!(spawn(|| drop(rx)).join().unwrap_err().is::<Goexit>());
            assert_eq!(dropped.load(Ordering::Relaxed), 70);
        }
    });
}
