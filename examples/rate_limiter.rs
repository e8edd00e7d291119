//! A ticker paces requests, a buffered channel of tokens lets a few go at once.
//!
//! Prints `request 1` to `request 8`, `a burst of 3, then one each 20 ms`, and `that took at least 100 ms: true`.

use goruntime::time::{Duration, Instant, Ticker};
use goruntime::{channel, go};

const BURST: usize = 3;
const REQUESTS: usize = 8;
const PACE: Duration = Duration::from_millis(20);

#[goruntime::main]
fn main() {
    let begun = Instant::now();
    let (tokens, allowed) = channel::bounded(BURST);
    (0..BURST).for_each(|_| tokens.send(()).expect("there is room for the burst"));
    go(move || {
        let ticker = Ticker::new(PACE);
        // Ends when nobody wants tokens any more.
        ticker.receiver().iter().take_while(|_| tokens.send(()).is_ok()).for_each(drop);
    });
    for request in 1..=REQUESTS {
        allowed.recv().expect("the ticker does not stop");
        println!("request {request}");
    }
    let least = PACE * (REQUESTS - BURST) as u32;
    println!("a burst of {BURST}, then one each {} ms", PACE.as_millis());
    println!("that took at least {} ms: {}", least.as_millis(), begun.elapsed() >= least);
}
