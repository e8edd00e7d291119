//! Programs that show the order in which goroutines run on one processor.
//!
//! Why here: driven by `tests/order.rs`, which sets GOMAXPROCS=1.
//!
//! *Invariants*
//! - OR1. A program never leaves its processor between two events of its order: it only parks and yields.
//!
//! *Locks*: none that is ever contended.
//!
//! *Go:* `GO-RUNTIME.md` §3.12.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use goruntime::runtime::{gomaxprocs, num_goroutine, set_gomaxprocs, yield_now};
use goruntime::{go, thread};

use crate::Program::{Body, Plain};
use crate::Table;

pub(crate) const PROGRAMS: Table = &[
    ("order_spawn", Body(order_spawn)),
    ("order_yield", Body(order_yield)),
    ("order_unpark", Body(order_unpark)),
    ("procs", Body(|| println!("{}", gomaxprocs()))),
    ("procs_of_the_attribute", Plain(three::main)),
    ("procs_zero_in_attribute", Plain(zero::main)),
    ("procs_set_to_zero", Body(|| _ = set_gomaxprocs(0))),
    ("procs_set", Body(procs_set)),
];

mod three {
    #[goruntime::main(max_procs = 3)]
    pub(super) fn main() {
        println!("{}", goruntime::runtime::gomaxprocs());
    }
}

mod zero {
    const NONE: usize = usize::MIN;

    #[goruntime::main(max_procs = NONE)]
    pub(super) fn main() {}
}

/// What each change returns is what was in force before it; too many are lowered.
fn procs_set() {
    let before: Vec<String> = [5, 1, 100_000, 2].into_iter().map(|count| set_gomaxprocs(count).to_string()).collect();
    println!("{} {}", before.join(" "), gomaxprocs());
}

static ORDER: Mutex<Vec<usize>> = Mutex::new(Vec::new());
pub(crate) static ARRIVED: AtomicUsize = AtomicUsize::new(0);

pub(crate) fn note(number: usize) {
    ORDER.lock().unwrap().push(number);
}

/// Waits until the other goroutines have ended, and prints in which order they ran.
pub(crate) fn finish() {
    while num_goroutine() > 1 {
        yield_now();
    }
    let order: Vec<String> = ORDER.lock().unwrap().iter().map(ToString::to_string).collect();
    println!("{}", order.join(" "));
}

/// Lets `count` goroutines come to where they park.
pub(crate) fn until_arrived(count: usize) {
    while ARRIVED.load(Ordering::Relaxed) < count {
        yield_now();
    }
}

fn order_spawn() {
    for number in 0..10 {
        go(move || note(number));
    }
    finish();
}

fn order_yield() {
    for number in 0..3 {
        go(move || {
            for _ in 0..3 {
                note(number);
                yield_now();
            }
        });
    }
    finish();
}

fn order_unpark() {
    static PARKED: Mutex<Vec<thread::Thread>> = Mutex::new(Vec::new());
    for number in 0..6 {
        go(move || {
            PARKED.lock().unwrap().push(thread::current());
            ARRIVED.fetch_add(1, Ordering::Relaxed);
            thread::park();
            note(number);
        });
        until_arrived(number + 1);
    }
    for parked in PARKED.lock().unwrap().iter() {
        parked.unpark();
    }
    finish();
}
