//! The child's side: draws batches from the seed and runs them until the time is over.
//!
//! *Why here.* The driver is a goroutine, so that the process has no thread that would keep a deadlock from being reported.
//!
//! *Invariants.* CD1. Between two batches nothing of the first is left: the number of goroutines is that of the start.
//!
//! *Locks.* None. *Go:* none.

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use goruntime::runtime::num_goroutine;

use crate::check::{ensure, eventually};
use crate::options::Options;
use crate::rand::Rand;
use crate::scenarios::{self, Context, Scenario};

/// Starts the runtime as a program.
pub(crate) mod program {
    use std::process::ExitCode;

    #[goruntime::main]
    pub(crate) fn main() -> ExitCode {
        super::drive()
    }
}

/// Starts the runtime as a program whose goroutines stay on their threads.
pub(crate) mod sticky {
    use std::process::ExitCode;

    #[goruntime::main(migrate = false)]
    pub(crate) fn main() -> ExitCode {
        super::drive()
    }
}

/// Starts the runtime from a plain thread.
pub(crate) fn library() -> ExitCode {
    goruntime::run(drive)
}

/// Runs batches.
fn drive() -> ExitCode {
    let Ok(options) = Options::from_args() else { return ExitCode::from(2) };
    // The panics here are on purpose; what matters is checked without panicking.
    std::panic::set_hook(Box::new(|_| {}));
    let chosen: Vec<Scenario> = match &options.scenarios[..] {
        [] => scenarios::ALL.iter().copied().filter(|scenario| scenario.runs_in(options.child)).collect(),
        names => names.iter().filter_map(|name| scenarios::find(name)).collect(),
    };
    let context = Context::new(options.child);
    let mut rand = Rand::new(options.seed);
    // In library mode the goroutine that started the runtime may still be ending.
    let base = 1;
    eventually("the driver is alone at the start", || num_goroutine() == base);
    let until = Instant::now() + Duration::from_secs(options.seconds);
    let (mut number, mut done) = (0u64, 0u64);
    while options.operations.map_or_else(|| Instant::now() < until, |wanted| done < wanted) {
        number += 1;
        done += batch(number, &chosen, &context, &mut rand);
        eventually("the number of goroutines is that of the start", || num_goroutine() == base);
    }
    ExitCode::SUCCESS
}

/// Runs some scenarios at once, and waits for all. Returns how many operations they did.
fn batch(number: u64, chosen: &[Scenario], context: &Context, rand: &mut Rand) -> u64 {
    let mut done = 0;
    let count = rand.pick(&[1, 2, 3, 5, 8]);
    let drawn: Vec<Scenario> = (0..count).map(|_| rand.pick(chosen)).collect();
    let names: Vec<&str> = drawn.iter().map(|scenario| scenario.name).collect();
    say(&format!("batch {number}: {}", names.join(" ")));
    let handles: Vec<_> = drawn
        .into_iter()
        .map(|scenario| {
            let (context, rand) = (context.clone(), rand.fork());
            (scenario.name, goruntime::spawn(move || (scenario.run)(&context, rand)))
        })
        .collect();
    for (name, handle) in handles {
        match handle.join() {
            Ok(operations) => {
                done += operations;
                say(&format!("done {name} {operations}"));
            }
            Err(payload) => {
                let text = payload
                    .downcast_ref::<String>()
                    .cloned()
                    .or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                ensure!(false, "scenario {name} panicked: {text:?}");
            }
        }
    }
    done
}

/// A line for the parent.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    ensure!(writeln!(out, "{line}").and_then(|()| out.flush()).is_ok(), "the parent does not listen");
}
