//! Programs whose init functions do what init functions do wrong.
//!
//! Why here: driven by `tests/inits.rs`. Every program links the init function below, which looks at the name of the program.
//!
//! *Invariants*: none. *Locks*: none.
//!
//! *Go:* `testprog` `InitDeadlock`; `test/init1.go`.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use goruntime::runtime::{goexit, goid, lock_os_thread, yield_now};
use goruntime::{go, spawn, thread};

use crate::Program::Body;
use crate::Table;

pub(crate) const PROGRAMS: Table = &[
    ("init_panics", Body(|| println!("not reached"))),
    ("init_fails", Body(|| println!("not reached"))),
    ("init_goexits", Body(|| println!("not reached"))),
    ("init_deadlocks", Body(|| println!("not reached"))),
    ("init_goes", Body(init_goes)),
    ("init_is_on_the_main_thread", Body(init_is_on_the_main_thread)),
    ("init_locks", Body(init_locks)),
];

static CONCURRENT: AtomicBool = AtomicBool::new(false);
static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn is_main_thread() -> bool {
    std::thread::current().name() == Some("main")
}

#[goruntime::init]
fn by_name() -> Result<(), String> {
    match crate::chosen().map_or("", |entry| entry.0) {
        "init_panics" => panic!("in init"),
        "init_fails" => return Err("no configuration".to_owned()),
        "init_goexits" => {
            go(|| println!("the other ends"));
            goexit()
        }
        "init_deadlocks" => thread::park(),
        "init_goes" => {
            // Runs at once, not after the inits.
            go(|| CONCURRENT.store(true, Ordering::Release));
            while !CONCURRENT.load(Ordering::Acquire) {
                yield_now();
            }
        }
        "init_is_on_the_main_thread" => {
            for _ in 0..100 {
                spawn(yield_now).join().map_err(|_| "yielding panicked")?;
                assert!(is_main_thread() && goid() == 1);
            }
            SEEN.lock().expect("nobody panics").push("init on the main thread".to_owned());
        }
        "init_locks" => lock_os_thread(),
        "sig_init" | "sig_init_library" => crate::signals::listen_in_an_init(),
        _ => {}
    }
    Ok(())
}

fn init_goes() {
    println!("concurrent {}", CONCURRENT.load(Ordering::Acquire));
}

fn init_is_on_the_main_thread() {
    println!("{}", SEEN.lock().unwrap().join("\n"));
    println!("main is goroutine {}", goid());
}

fn init_locks() {
    let stays = (0..100).all(|_| {
        spawn(yield_now).join().unwrap();
        is_main_thread()
    });
    println!("stays {stays}");
}
