//! Programs without the attribute: the runtime starts with its first use.
//!
//! Why here: driven by `tests/library.rs`.
//!
//! *Invariants*: none. *Locks*: none.
//!
//! *Go:* `testprogcgo`, the c-archive tests of `misc/cgo`.

use std::sync::Arc;
use std::sync::Barrier;
use std::sync::mpsc;
use std::time::Duration;

use goruntime::runtime::{goid, gomaxprocs, num_goroutine, yield_now};
use goruntime::{go, run, scope, spawn, thread};

use crate::Program::Plain;
use crate::Table;

pub(crate) const PROGRAMS: Table = &[
    ("lib_unused", Plain(|| println!("plain"))),
    ("lib_run", Plain(|| println!("{}", run(|| 6 * 7)))),
    ("lib_run_borrows", Plain(lib_run_borrows)),
    ("lib_run_nested", Plain(lib_run_nested)),
    ("lib_run_panics", Plain(lib_run_panics)),
    ("lib_go", Plain(lib_go)),
    ("lib_join", Plain(lib_join)),
    ("lib_scope", Plain(lib_scope)),
    ("lib_many_threads", Plain(lib_many_threads)),
    ("lib_threads_come_and_go", Plain(lib_threads_come_and_go)),
    ("lib_panic_in_go", Plain(lib_panic_in_go)),
    ("lib_silent", Plain(lib_silent)),
    ("lib_procs", Plain(|| println!("{}", gomaxprocs()))),
    ("lib_status", Plain(lib_status)),
    ("lib_goid", Plain(lib_goid)),
    ("lib_park", Plain(lib_park)),
    ("lib_thread_in_program", crate::Program::Body(lib_thread_in_program)),
];

fn lib_run_borrows() {
    let mut numbers = vec![1, 2, 3];
    run(|| numbers.push(4));
    println!("{numbers:?}");
}

fn lib_run_nested() {
    println!("{}", run(|| run(|| spawn(|| run(|| 5)).join().unwrap())));
}

fn lib_run_panics() {
    let payload = std::panic::catch_unwind(|| run(|| panic!("through"))).unwrap_err();
    println!("{}", payload.downcast_ref::<&str>().unwrap());
}

fn lib_go() {
    let (tx, rx) = mpsc::channel();
    for number in 0..100 {
        let tx = tx.clone();
        go(move || tx.send(number).unwrap());
    }
    drop(tx);
    println!("{}", rx.iter().sum::<u32>());
}

fn lib_join() {
    let handle = spawn(|| {
        thread::sleep(Duration::from_millis(20));
        "joined"
    });
    println!("{}", handle.join().unwrap());
}

fn lib_scope() {
    let numbers = [1, 2, 3];
    let sum = scope(|s| {
        let first = s.spawn(|| numbers[0]);
        let rest = s.spawn(|| numbers[1..].iter().sum::<i32>());
        first.join().unwrap() + rest.join().unwrap()
    });
    println!("{sum}");
}

/// All threads use the runtime first.
fn lib_many_threads() {
    let barrier = Arc::new(Barrier::new(16));
    let threads: Vec<_> = (0..16_u32)
        .map(|number| {
            let barrier = Arc::clone(&barrier);
            std::thread::spawn(move || {
                barrier.wait();
                run(move || spawn(move || number).join().unwrap())
            })
        })
        .collect();
    println!("{}", threads.into_iter().map(|thread| thread.join().unwrap()).sum::<u32>());
}

fn lib_threads_come_and_go() {
    let sum: u64 = (0..200).map(|number| std::thread::spawn(move || run(move || number)).join().unwrap()).sum();
    println!("{sum}");
}

fn lib_panic_in_go() {
    go(|| panic!("unobserved"));
    loop {
        std::thread::park();
    }
}

/// A library does not know who may come back: no report.
fn lib_silent() {
    go(|| {
        loop {
            thread::park();
        }
    });
    while num_goroutine() < 1 {
        yield_now();
    }
    std::thread::sleep(Duration::from_millis(300));
    println!("silent");
}

fn lib_status() {
    run(|| ());
    std::process::exit(11);
}

fn lib_goid() {
    println!("{} {}", goid(), run(goid) > 0);
}

fn lib_park() {
    let plain = thread::current();
    go(move || plain.unpark());
    thread::park();
    println!("unparked");
}

/// A plain thread of a program with the attribute.
fn lib_thread_in_program() {
    let thread = std::thread::spawn(|| {
        let handle = spawn(|| run(|| 3));
        run(move || handle.join().unwrap())
    });
    println!("{}", goruntime::runtime::blocking(|| thread.join().unwrap()));
}
