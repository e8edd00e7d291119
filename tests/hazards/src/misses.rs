//! What the guard cannot help against: thread-local state that nests like a stack, when two goroutines nest on one thread.
//!
//! Why here: no migration is needed for it, so that a pinned goroutine is no better off; one that has the thread for itself is.
//!
//! *Invariants*: HZ1 of the library.
//!
//! *Locks*: none.
//!
//! *Go:* none.

use std::sync::Once;

use goruntime::channel;
use goruntime::runtime::{lock_os_thread, unlock_os_thread};
use goruntime::{spawn, thread};
use scoped_tls::scoped_thread_local;
use tracing::{Span, span};
use tracing_subscriber::Registry;

scoped_thread_local!(static SCOPED: u64);

/// Runs `first` and `second` so that the first enters, the second enters, the first leaves, the second leaves; each is given a function that waits
/// for its turn to leave. With `alone` each has its thread for itself.
fn overlap(alone: bool, body: fn(&dyn Fn()) -> u64) -> u64 {
    let (first_in, first_is_in) = channel::bounded(1);
    let (second_in, second_is_in) = channel::bounded(1);
    let (first_out, first_is_out) = channel::bounded(1);
    let start = move |wait: Box<dyn Fn() + Send>| {
        spawn(move || {
            if alone {
                lock_os_thread();
            }
            let wrong = body(&wait);
            if alone {
                unlock_os_thread();
            }
            wrong
        })
    };
    let first = start(Box::new(move || {
        first_in.send(()).expect("somebody waits for it");
        second_is_in.recv().expect("the second one enters");
    }));
    first_is_in.recv().expect("the first one enters");
    let second = start(Box::new(move || {
        second_in.send(()).expect("somebody waits for it");
        first_is_out.recv().expect("the first one leaves");
    }));
    let mut wrong = first.join().expect("it does not panic");
    first_out.send(()).expect("the second one waits for it");
    wrong += second.join().expect("it does not panic");
    wrong
}

fn scopes(alone: bool) -> u64 {
    let wrong = overlap(alone, |wait| {
        let own = 7;
        SCOPED.set(&own, || {
            wait();
            // Whose value it is can only be told by its address: the other one may be gone.
            u64::from(!SCOPED.is_set() || !SCOPED.with(|value| std::ptr::eq(value, &own)))
        })
    });
    // All scopes have ended. Nothing is read through what may be left.
    wrong + u64::from(SCOPED.is_set())
}

/// Two goroutines set a scoped value.
pub(crate) fn scoped() -> u64 {
    scopes(false)
}

/// The same with threads of their own.
pub(crate) fn locked_scoped() -> u64 {
    scopes(true)
}

fn entered(alone: bool) -> u64 {
    static SUBSCRIBE: Once = Once::new();
    SUBSCRIBE.call_once(|| {
        tracing::subscriber::set_global_default(Registry::default()).expect("nobody else subscribes");
    });
    overlap(alone, |wait| {
        let span = span!(tracing::Level::INFO, "work", goroutine = ?thread::current().id());
        let _entered = span.enter();
        wait();
        (Span::current().id() != span.id()).into()
    })
}

/// Two goroutines enter spans.
pub(crate) fn spans() -> u64 {
    entered(false)
}

/// The same with threads of their own.
pub(crate) fn locked_spans() -> u64 {
    entered(true)
}
