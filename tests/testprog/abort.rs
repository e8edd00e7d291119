//! Programs of a build with `panic = "abort"`, in which nothing unwinds.
//!
//! Why here: how a program panics belongs to its build, so this is a binary of its own; built and driven by `tests/abort.rs`.
//!
//! *Invariants*: none. *Locks*: none.
//!
//! *Go:* none.

use goruntime::runtime::{goexit, num_goroutine};
use goruntime::{Goexit, go, spawn, thread};

/// Says so when it is dropped, which does not happen here.
struct Loud;

impl Drop for Loud {
    fn drop(&mut self) {
        println!("dropped");
    }
}

fn forever() -> ! {
    loop {
        thread::park();
    }
}

fn panic_in_go() {
    go(|| {
        let _never_dropped = Loud;
        panic!("boom");
    });
    forever()
}

fn panic_in_spawn() {
    drop(spawn(|| panic!("for nobody")).join());
    println!("not reached");
}

fn goexit_joined() {
    let other = spawn(|| -> String {
        let _never_dropped = Loud;
        goexit()
    });
    println!("joined: {}", other.join().unwrap_err().downcast_ref::<Goexit>().unwrap());
    println!("goroutines: {}", num_goroutine());
}

fn goexit_detached() {
    go(|| goexit());
    drop(spawn(|| goexit()));
    // They are gone when they are no longer counted.
    while num_goroutine() > 1 {
        goruntime::runtime::yield_now();
    }
    println!("alone");
}

fn goexit_main_with_another() {
    go(|| forever());
    goexit()
}

#[goruntime::main]
fn main() {
    if cfg!(panic = "unwind") {
        return println!("a program of another build");
    }
    match std::env::args().nth(1).as_deref() {
        Some("panic_in_go") => panic_in_go(),
        Some("panic_in_spawn") => panic_in_spawn(),
        Some("goexit_joined") => goexit_joined(),
        Some("goexit_detached") => goexit_detached(),
        Some("goexit_main") => goexit(),
        Some("goexit_main_with_another") => goexit_main_with_another(),
        other => println!("no such program: {other:?}"),
    }
}
