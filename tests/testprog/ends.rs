//! Programs that end: by `main`'s return, by `exit`, by `goexit`.
//!
//! Why here: driven by `tests/ends.rs`.
//!
//! *Invariants*: none. *Locks*: none.
//!
//! *Go:* `testprog/deadlock.go`, `testprog/exithooks`.

use std::sync::atomic::{AtomicBool, Ordering};

use goruntime::runtime::{at_exit, exit, goexit, yield_now};
use goruntime::{go, spawn, thread};

use crate::Program::{Body, Plain};
use crate::Table;

pub(crate) const PROGRAMS: Table = &[
    ("return_unit", Body(|| println!("done"))),
    ("return_ok", Plain(|| _ = return_ok::main())),
    ("return_err", Plain(|| _ = return_err::main())),
    ("return_exit_code", Plain(|| _ = return_exit_code::main())),
    ("return_never", Plain(|| return_never::main())),
    ("exit_in_main", Body(|| exit(3))),
    ("exit_in_goroutine", Body(exit_in_goroutine)),
    ("exit_in_thread", Body(exit_in_thread)),
    ("hooks_at_return", Body(hooks)),
    ("hooks_at_exit", Body(hooks_at_exit)),
    ("hook_registers_hook", Body(hook_registers_hook)),
    ("others_are_abandoned", Body(others_are_abandoned)),
    ("main_calls_main", Plain(recursive::main)),
    ("main_after_library", Plain(main_after_library)),
    ("goexit_main_alone", Body(|| goexit())),
    ("goexit_main_then_others", Body(goexit_main_then_others)),
    ("goexit_main_then_exit", Body(goexit_main_then_exit)),
    ("goexit_in_goroutine", Body(goexit_in_goroutine)),
    ("goexit_caught", Body(goexit_caught)),
    ("goexit_then_panic", Body(goexit_then_panic)),
    ("goexit_in_unwinding", Body(goexit_in_unwinding)),
    ("goexit_in_unwinding_caught", Body(goexit_in_unwinding_caught)),
];

mod recursive {
    #[goruntime::main]
    pub(super) fn main() {
        println!("main");
        goruntime::spawn(crate::ends::recursive::main).join().unwrap();
    }
}

fn main_after_library() {
    println!("{}", goruntime::run(|| "library"));
    recursive::main();
}

mod return_ok {
    #[goruntime::main]
    pub(super) fn main() -> Result<(), String> {
        Ok(())
    }
}

mod return_err {
    #[goruntime::main]
    pub(super) fn main() -> Result<(), String> {
        Err("no luck".to_owned())
    }
}

mod return_exit_code {
    #[goruntime::main]
    pub(super) fn main() -> std::process::ExitCode {
        std::process::ExitCode::from(7)
    }
}

mod return_never {
    #[goruntime::main]
    pub(super) fn main() -> ! {
        goruntime::runtime::exit(9)
    }
}

/// Says so when it is dropped.
struct Loud(&'static str);

impl Drop for Loud {
    fn drop(&mut self) {
        println!("dropped {}", self.0);
    }
}

fn exit_in_goroutine() {
    let _never_dropped = Loud("main's");
    go(|| {
        let _never_dropped = Loud("the goroutine's");
        exit(3)
    });
    loop {
        thread::park();
    }
}

fn exit_in_thread() {
    std::thread::spawn(|| exit(4));
    loop {
        thread::park();
    }
}

fn hooks() {
    for name in ["first", "second", "third"] {
        at_exit(move || println!("hook {name}"));
    }
    println!("main");
}

fn hooks_at_exit() {
    hooks();
    exit(5)
}

fn hook_registers_hook() {
    at_exit(|| {
        println!("outer");
        at_exit(|| println!("inner"));
    });
}

fn others_are_abandoned() {
    static RUNNING: AtomicBool = AtomicBool::new(false);
    go(|| {
        let _never_dropped = Loud("the goroutine's");
        RUNNING.store(true, Ordering::Release);
        thread::park();
        println!("not reached");
    });
    while !RUNNING.load(Ordering::Acquire) {
        yield_now();
    }
}

fn goexit_main_then_others() {
    go(|| {
        for _ in 0..10 {
            yield_now();
        }
        println!("the other ends");
    });
    let _dropped = Loud("main's");
    goexit()
}

fn goexit_main_then_exit() {
    go(|| {
        for _ in 0..10 {
            yield_now();
        }
        exit(0)
    });
    goexit()
}

fn goexit_in_goroutine() {
    let other = spawn(|| {
        let _dropped = Loud("the goroutine's");
        let leave = || -> () { goexit() };
        leave();
        println!("not reached");
    });
    let payload = other.join().unwrap_err();
    println!("joined: {}", payload.downcast_ref::<goruntime::Goexit>().unwrap());
}

fn goexit_caught() {
    let other = spawn(|| {
        let caught = std::panic::catch_unwind(|| -> () { goexit() });
        println!("caught: {}", caught.is_err());
        yield_now();
        println!("not reached");
    });
    println!("joined: {}", other.join().unwrap_err().is::<goruntime::Goexit>());
}

fn goexit_then_panic() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            // Does not leave the destructor.
            let caught = std::panic::catch_unwind(|| panic!("in a destructor"));
            println!("caught: {}", caught.is_err());
        }
    }
    let other = spawn(|| {
        let _panics = Panics;
        let leave = || -> () { goexit() };
        leave();
    });
    println!("joined: {}", other.join().unwrap_err().is::<goruntime::Goexit>());
}

/// Calls goexit when it is dropped.
struct Leaves;

impl Drop for Leaves {
    fn drop(&mut self) {
        goexit();
    }
}

/// Two unwinds cannot leave one destructor.
fn goexit_in_unwinding() {
    go(|| {
        let _leaves = Leaves;
        panic!("first");
    });
    loop {
        thread::park();
    }
}

/// A goexit that stays in the destructor is caught, which only delays it: the panic is caught, too, and the goroutine ends.
fn goexit_in_unwinding_caught() {
    struct Catches;
    impl Drop for Catches {
        fn drop(&mut self) {
            let caught = std::panic::catch_unwind(|| drop(Leaves));
            // Waiting is fine here, although the goroutine is to end.
            yield_now();
            println!("caught goexit: {}", caught.is_err());
        }
    }
    let other = spawn(|| {
        let caught = std::panic::catch_unwind(|| {
            let _catches = Catches;
            std::panic::resume_unwind(Box::new("quiet"));
        });
        println!("caught panic: {}", caught.is_err());
        yield_now();
        println!("not reached");
    });
    println!("joined: {}", other.join().unwrap_err().is::<goruntime::Goexit>());
}
