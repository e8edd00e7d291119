//! Everybody waits for somebody else.
//!
//! Prints `waiting` and then ends with status 2 and Go's report on stderr: `fatal error: all goroutines are asleep - deadlock!`, then each
//! goroutine with its wait reason, the place where it waits, and who created it.

use goruntime::channel::{self, Receiver};
use goruntime::go;

fn wait_for(partner: &Receiver<()>) {
    partner.recv().expect("the partner speaks");
}

#[goruntime::main]
fn main() {
    let (to_a, a) = channel::bounded(0);
    let (to_b, b) = channel::bounded(0);
    go(move || {
        wait_for(&a);
        to_b.send(()).expect("main listens");
    });
    println!("waiting");
    wait_for(&b);
    to_a.send(()).expect("the goroutine listens");
}
