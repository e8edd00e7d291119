//! A hundred goroutines in a call that blocks the thread, without telling the runtime.
//!
//! Each sleeps 100 ms with `std::thread::sleep`. Prints `100 blocking calls of 100 ms took T ms` with a T far below the ten seconds that they
//! take one after the other: a goroutine that blocks keeps its thread, and its processor goes on with another one.

use std::thread;

use goruntime::time::{Duration, Instant};

const CALLS: usize = 100;
const PAUSE: Duration = Duration::from_millis(100);

#[goruntime::main]
fn main() {
    let start = Instant::now();
    let calls: Vec<_> = (0..CALLS).map(|_| goruntime::spawn(|| thread::sleep(PAUSE))).collect();
    for call in calls {
        call.join().expect("sleeping does not panic");
    }
    println!("{CALLS} blocking calls of {} ms took {} ms", PAUSE.as_millis(), start.elapsed().as_millis());
}
