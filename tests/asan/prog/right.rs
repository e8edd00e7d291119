//! Programs that leave stacks behind in every way, and use them again.
//!
//! Why here: see `main`.
//!
//! *Invariants.* AP3. None uses memory that is not its own, nor loses any.
//!
//! *Locks*: none.
//!
//! *Go:* `cmd/cgo/internal/testsanitizers/testdata`, the programs `asan*` that pass.

use std::collections::HashMap;
use std::hint::black_box;
use std::panic::{self, AssertUnwindSafe, catch_unwind};

use goruntime::runtime::{goexit, yield_now};
use goruntime::{channel, go, scope, spawn};

pub(super) const PROGRAMS: &[(&str, fn())] = &[
    ("returns", returns),
    ("panics", panics),
    ("goexits", goexits),
    ("catches", catches),
    ("migrations", migrations),
    ("tracebacks", tracebacks),
    ("left_parked", left_parked),
    ("left_queued", left_queued),
];

const ROUNDS: usize = 64;

/// Calls itself so often, with an array in every frame, then `end`.
#[inline(never)]
fn descend(depth: usize, end: &dyn Fn()) -> u64 {
    let mut array = [depth as u64; 8];
    black_box(&mut array);
    let below = if depth == 0 {
        end();
        0
    } else {
        descend(depth - 1, end)
    };
    below + black_box(array)[7]
}

/// Frames of the deepest call.
const DEPTH: usize = 100;
/// What `descend` returns for it.
const SUM: u64 = 5050;

/// The next goroutine on the same stack uses all of it.
fn use_again() {
    assert_eq!(spawn(|| descend(DEPTH, &yield_now)).join().expect("it returns"), SUM);
}

fn returns() {
    (0..ROUNDS).for_each(|_| use_again());
}

fn panics() {
    panic::set_hook(Box::new(|_| {}));
    for depth in 0..ROUNDS {
        assert!(spawn(move || descend(depth, &|| panic!("on purpose"))).join().is_err());
        use_again();
    }
}

fn goexits() {
    for depth in 0..ROUNDS {
        assert!(spawn(move || descend(depth, &|| goexit())).join().is_err());
        use_again();
    }
}

/// The goroutine goes on where the frames of a panic were.
fn catches() {
    panic::set_hook(Box::new(|_| {}));
    let body = || {
        for depth in 0..ROUNDS {
            let deep = || descend(depth, &|| panic!("on purpose"));
            assert!(catch_unwind(AssertUnwindSafe(deep)).is_err());
            yield_now();
            assert_eq!(descend(DEPTH, &yield_now), SUM);
        }
    };
    spawn(body).join().expect("it catches all of them");
}

/// What the affinity guard looks at: parked stacks with arrays on them, some with thread-local state.
fn migrations() {
    scope(|s| {
        for _ in 0..ROUNDS {
            s.spawn(|| {
                let mut map = HashMap::new();
                for round in 0..ROUNDS {
                    descend(round % 8, &yield_now);
                    map.insert(round, HashMap::<u8, u8>::new());
                }
                assert_eq!(map.len(), ROUNDS);
            });
        }
    });
}

/// Goroutines that walk their own stacks for others.
fn tracebacks() {
    let (release, released) = channel::bounded::<()>(0);
    let parked: Vec<_> = (0..4)
        .map(|_| {
            let released = released.clone();
            spawn(move || descend(4, &|| assert!(released.recv().is_err())))
        })
        .collect();
    yield_now();
    let mut text = Vec::new();
    goruntime::debug::write_goroutines(&mut text).expect("a vector takes everything");
    assert!(!text.is_empty());
    drop(release);
    assert!(parked.into_iter().all(|one| one.join().is_ok()));
}

/// At the end there are goroutines that own memory and wait.
fn left_parked() {
    let (_tx, rx) = channel::bounded::<Vec<u64>>(0);
    let (ready, started) = channel::bounded(0);
    for size in 0..ROUNDS {
        let (rx, ready) = (rx.clone(), ready.clone());
        go(move || {
            let owned = vec![7; 1000 + size];
            ready.send(()).expect("main waits");
            drop(rx.recv());
            black_box(owned);
        });
        started.recv().expect("it has allocated");
    }
}

/// At the end there are goroutines that own memory and have never run.
fn left_queued() {
    for size in 0..ROUNDS {
        let owned = vec![7; 1000 + size];
        go(move || drop(black_box(owned)));
    }
}
