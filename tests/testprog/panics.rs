//! Programs that panic.
//!
//! Why here: driven by `tests/panics.rs`.
//!
//! *Invariants*: none. *Locks*: none.
//!
//! *Go:* `testprog/crash.go`.

use std::panic;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use goruntime::runtime::{at_exit, yield_now};
use goruntime::time::{Duration, sleep};
use goruntime::{Builder, go, spawn, thread};

use crate::Program::Body;
use crate::Table;

pub(crate) const PROGRAMS: Table = &[
    ("panic_in_go", Body(panic_in_go)),
    ("panic_in_main", Body(|| panic!("main fails"))),
    ("panic_newlines", Body(|| panic!("a\n\tb\ngoroutine 1 [running]:"))),
    ("panic_payload", Body(|| panic::panic_any(42))),
    ("panic_nested", Body(panic_nested)),
    ("panic_in_drop_of_local", Body(panic_in_drop_of_local)),
    ("panic_caught", Body(panic_caught)),
    ("panic_joined", Body(panic_joined)),
    ("panic_resumed", Body(panic_resumed)),
    ("panic_named", Body(panic_named)),
    ("panic_many", Body(panic_many)),
    ("panic_beside_parked", Body(panic_beside_parked)),
    ("panic_race", Body(panic_race)),
    ("panic_slow_destructor", Body(panic_slow_destructor)),
    ("panic_skips_hooks", Body(panic_skips_hooks)),
    ("panic_on_thread", Body(panic_on_thread)),
    ("panic_destructors_run", Body(panic_destructors_run)),
    ("panic_deep", Body(panic_deep)),
    ("panic_hook_of_user", Body(panic_hook_of_user)),
    ("panic_in_a_line", Body(panic_in_a_line)),
    ("panic_locked_out", Body(panic_locked_out)),
];

fn forever() -> ! {
    loop {
        thread::park();
    }
}

#[inline(never)]
fn leaf() {
    panic!("boom");
}

fn panic_in_go() {
    go(|| {
        leaf();
    });
    forever()
}

fn panic_nested() {
    struct Second;
    impl Drop for Second {
        fn drop(&mut self) {
            panic!("second");
        }
    }
    go(|| {
        let _second = Second;
        panic!("first");
    });
    forever()
}

fn panic_in_drop_of_local() {
    struct Local;
    impl Drop for Local {
        fn drop(&mut self) {
            panic!("in a local");
        }
    }
    goruntime::goroutine_local! {
        static LOCAL: Local = Local;
    }
    go(|| LOCAL.with(|_| ()));
    forever()
}

fn panic_caught() {
    let caught = spawn(|| panic::catch_unwind(|| panic!("no harm")).is_err()).join().unwrap();
    // The same where nobody could observe it.
    static DONE: AtomicBool = AtomicBool::new(false);
    go(|| DONE.store(panic::catch_unwind(|| panic!("none at all")).is_err(), Ordering::Release));
    while !DONE.load(Ordering::Acquire) {
        yield_now();
    }
    println!("caught {caught}");
}

fn panic_joined() {
    let payload = spawn(|| panic!("for the joiner")).join().unwrap_err();
    println!("joined: {}", payload.downcast_ref::<&str>().unwrap());
}

fn panic_resumed() {
    go(|| {
        let payload = panic::catch_unwind(|| panic!("again")).unwrap_err();
        panic::resume_unwind(payload);
    });
    forever()
}

fn panic_named() {
    let worker = Builder::new().name("worker").spawn(|| panic!("by name")).unwrap();
    worker.join().unwrap_err();
    let unnamed = spawn(|| panic!("without a name"));
    unnamed.join().unwrap_err();
}

fn panic_many() {
    for number in 0..8 {
        go(move || panic!("number {number}"));
    }
    forever()
}

fn panic_beside_parked() {
    static PARKING: AtomicUsize = AtomicUsize::new(0);
    for _ in 0..2 {
        go(|| {
            PARKING.fetch_add(1, Ordering::Release);
            forever()
        });
    }
    while PARKING.load(Ordering::Acquire) < 2 {
        yield_now();
    }
    go(|| {
        leaf();
    });
    forever()
}

/// On one processor: `main` goes on in the middle of the unwinding, and returns.
fn panic_race() {
    static PANICS: AtomicBool = AtomicBool::new(false);
    struct Flag;
    impl Drop for Flag {
        fn drop(&mut self) {
            PANICS.store(true, Ordering::Release);
            (0..10).for_each(|_| yield_now());
        }
    }
    go(|| {
        let _flag = Flag;
        panic!("heard");
    });
    while !PANICS.load(Ordering::Acquire) {
        yield_now();
    }
    println!("main returns");
}

fn panic_slow_destructor() {
    static PANICS: AtomicBool = AtomicBool::new(false);
    struct Slow;
    impl Drop for Slow {
        fn drop(&mut self) {
            PANICS.store(true, Ordering::Release);
            sleep(Duration::from_secs(30));
        }
    }
    go(|| {
        let _slow = Slow;
        panic!("too late");
    });
    while !PANICS.load(Ordering::Acquire) {
        yield_now();
    }
}

fn panic_skips_hooks() {
    at_exit(|| println!("hook"));
    panic!("no hooks");
}

fn panic_on_thread() {
    let outcome = std::thread::spawn(|| panic!("std's own")).join();
    println!("joined: {}", outcome.is_err());
}

fn panic_destructors_run() {
    struct Loud;
    impl Drop for Loud {
        fn drop(&mut self) {
            println!("dropped");
        }
    }
    go(|| {
        let _loud = Loud;
        panic!("after that");
    });
    forever()
}

fn panic_deep() {
    #[inline(never)]
    fn deep(level: u32) -> u32 {
        if level == 0 {
            panic!("at the bottom");
        }
        std::hint::black_box(deep(level - 1) + 1)
    }
    go(|| {
        deep(300);
    });
    forever()
}

fn panic_hook_of_user() {
    panic::set_hook(Box::new(|info| println!("hook: {}", info.payload().downcast_ref::<&str>().unwrap_or(&"?"))));
    go(|| panic!("hooked"));
    forever()
}

fn panic_in_a_line() {
    print!("half a line");
    panic!("in its middle");
}

fn panic_locked_out() {
    let (tell, told) = goruntime::channel::bounded(0);
    std::thread::spawn(move || {
        let _kept = std::io::stdout().lock();
        tell.send(()).unwrap();
        loop {
            std::thread::park();
        }
    });
    told.recv().unwrap();
    panic!("nobody lets me write");
}
