//! Argument lists that the cases of `select!` refuse.

use goruntime::channel::{bounded, select};

fn main() {
    let (tx, rx) = bounded::<i32>(1);
    select! {
        recv() -> _ => {}
        recv(rx, rx) -> _ => {}
        recv(rx; rx) -> _ => {}
        recv[rx] -> _ => {}
        recv rx -> _ => {}
        recv
    }
    select! {
        send() -> _ => {}
        send(tx) -> _ => {}
        send(tx, 1, 2) -> _ => {}
        send(, 1) -> _ => {}
        send -> _ => {}
    }
    select! {
        default(1, 2) => {}
    }
}
