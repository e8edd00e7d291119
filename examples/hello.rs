//! Three goroutines, one channel.
//!
//! Prints a line for each goroutine, in any order, then `all done`.

use goruntime::{channel, go};

#[goruntime::main]
fn main() {
    let (tx, rx) = channel::bounded(0);
    for id in 0..3 {
        let tx = tx.clone();
        go(move || tx.send(id).unwrap());
    }
    drop(tx);
    for id in rx {
        println!("goroutine says {id}");
    }
    println!("all done");
}
