//! Busy loops that never call the runtime, twice as many as processors, beside a ticker.
//!
//! Prints `tick 1 ..` to `tick 10 ..` with the time of each, then `10 ticks beside N busy loops`: whoever computes keeps his thread, but loses
//! his processor to those who wait.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use goruntime::time::{Duration, Instant, sleep};
use goruntime::{go, runtime};

static STOP: AtomicBool = AtomicBool::new(false);
static SPINNING: AtomicUsize = AtomicUsize::new(0);

fn hog() {
    SPINNING.fetch_add(1, Ordering::Relaxed);
    while !STOP.load(Ordering::Relaxed) {
        spin_loop();
    }
}

#[goruntime::main]
fn main() {
    let hogs = 2 * runtime::gomaxprocs();
    for _ in 0..hogs {
        go(hog);
    }
    while SPINNING.load(Ordering::Relaxed) < hogs {
        runtime::yield_now();
    }
    let start = Instant::now();
    for tick in 1..=10 {
        sleep(Duration::from_millis(10));
        println!("tick {tick} after {} ms", start.elapsed().as_millis());
    }
    println!("10 ticks beside {} busy loops", SPINNING.load(Ordering::Relaxed));
    STOP.store(true, Ordering::Relaxed);
}
