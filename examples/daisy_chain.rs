//! The daisy chain: each goroutine waits for its right neighbour, adds one, and tells its left neighbour.
//!
//! Prints what comes out at the left end; the argument says how many goroutines, 10000 unless given.

use goruntime::channel::{Receiver, Sender, bounded};
use goruntime::go;

fn whisper(left: Sender<u64>, right: Receiver<u64>) {
    let heard = right.recv().expect("the neighbour says something");
    left.send(heard + 1).expect("the neighbour listens");
}

#[goruntime::main]
fn main() {
    let count = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(10_000);
    let (mut left, leftmost) = bounded(0);
    for _ in 0..count {
        let (right, from_right) = bounded(0);
        let to_left = std::mem::replace(&mut left, right);
        go(move || whisper(to_left, from_right));
    }
    go(move || left.send(1).expect("the last one listens"));
    println!("{count} goroutines heard {}", leftmost.recv().expect("the first one says something"));
}
