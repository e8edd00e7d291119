//! Arrows and patterns that the cases of `select!` refuse.

use goruntime::channel::{bounded, select, select_biased};

fn main() {
    let (tx, rx) = bounded::<i32>(1);
    select! {
        recv(rx) => {}
        send(tx, 1) => {}
        recv(rx) -> => {}
        recv(rx) -> a -> b => {}
        recv(rx) -> a, b => {}
        recv(rx) -> Ok(a) if a > 1 => {}
        recv(rx) = _ => {}
    }
    select_biased! {
        default -> _ => {}
    }
    select_biased! {
        default(limit) -> _ => {}
    }
    select_biased! {
        default then => {}
    }
    select! {
        recv(rx) -> value: Result<i32, RecvError> => {}
        recv(rx) -> _ = 1 => {}
    }
    select! {
        recv(rx) -> _
    }
}
