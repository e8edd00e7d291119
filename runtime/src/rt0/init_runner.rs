//! Runs the registered init functions on goroutine 1.
//!
//! *Why here.* Floor 9.
//!
//! *Invariants.* RT1.
//!
//! *Locks.* None.
//!
//! *Go:* `doInit`, `doInit1`.

use crate::base::env::DEBUG;
use crate::base::throw::{print, print_facts, throw};
use crate::debug;
use crate::os;
use crate::proc::boot;
use crate::rt0::inits::{Begin, InitTask, format_inittrace, ordered};

/// Runs every init in order; an error or a cycle ends the program with exit status 2.
pub(super) fn run_all() {
    let tasks = match ordered() {
        Ok(tasks) => tasks,
        Err(cycle) => {
            print_facts(format_args!("{cycle}"));
            os::exit_now(2);
        }
    };
    for task in tasks {
        run(task);
    }
}

fn run(task: &'static InitTask) {
    match task.begin() {
        Begin::Run => {}
        Begin::Recursive => throw("recursive call during initialization - linker skew"),
        Begin::Done => return,
    }
    let traced = DEBUG.inittrace.is_on();
    if traced {
        debug::start_counting();
    }
    let begun = os::nanotime();
    let outcome = (task.run)();
    let ended = os::nanotime();
    let counts = traced.then(debug::stop_counting).flatten();
    task.finish();
    if let Err(error) = outcome {
        print(format_args!("goruntime: init function `{}` failed: {error}\n", task.name));
        os::exit_now(2);
    }
    if traced {
        let (start, duration) = ((begun - boot::start_time()) as u64, (ended - begun) as u64);
        print(format_args!("{}\n", format_inittrace(task.name, start, duration, counts)));
    }
}
