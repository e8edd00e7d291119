//! A search that is over when one of the searchers has found something: the others are told by their context.
//!
//! Prints `found 7919 * 104729`, `told to stop: 3` and `the cause: found`.

use goruntime::context::{self, Context};
use goruntime::runtime::yield_now;
use goruntime::{channel, spawn};

const PRODUCT: u64 = 7919 * 104_729;
const SEARCHERS: u64 = 4;

/// Looks for a divisor in its share of the numbers; None if it is told to stop before. A share that is searched goes on waiting.
fn search(first: u64, ctx: &Context) -> Option<u64> {
    let share = (first..100_000).step_by(SEARCHERS as usize);
    for (round, candidate) in share.enumerate() {
        if PRODUCT.is_multiple_of(candidate) {
            return Some(candidate);
        }
        if round % 64 == 0 {
            if ctx.err().is_some() {
                return None;
            }
            yield_now();
        }
    }
    let _ = ctx.done().recv();
    None
}

#[goruntime::main]
fn main() {
    let (ctx, cancel) = context::with_cancel_cause(&context::background());
    let (found, results) = channel::bounded(1);
    let searchers: Vec<_> = (0..SEARCHERS)
        .map(|number| {
            let (ctx, found) = (ctx.clone(), found.clone());
            spawn(move || match search(2 + number, &ctx) {
                Some(divisor) => {
                    found.send(divisor).expect("main listens");
                    false
                }
                None => true,
            })
        })
        .collect();
    let divisor = results.recv().expect("somebody finds it");
    println!("found {divisor} * {}", PRODUCT / divisor);
    cancel.cancel("found");
    let stopped = searchers.into_iter().filter_map(|searcher| searcher.join().ok()).filter(|&stopped| stopped).count();
    println!("told to stop: {stopped}");
    println!("the cause: {}", ctx.cause().expect("it was cancelled"));
}
