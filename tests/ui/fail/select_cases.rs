//! Cases that `select!` does not know, and lists of them that are not separated well.

use goruntime::channel::{bounded, select};

fn main() {
    let (tx, rx) = bounded::<i32>(1);
    select! {
        receive(rx) -> value => drop(value),
        recv(rx) -> _ => {}
    }
    select! {
        "recv" => {}
    }
    select! {
        recv(rx) -> _ => drop(1) recv(rx) -> _ => drop(2),
    }
    select! {
        recv(rx) -> _ => drop(1); recv(rx) -> _ => drop(2),
    }
    select! {
        recv(rx) -> _ => {},,
        send(tx, 1) -> _ => {}
    }
    select! {
        default => {}
        recv(rx) -> _ => {}
        default => {}
    }
    select! {
        recv(rx) -> _ => {}
        default => drop(1) => drop(2),
    }
    select! {
        recv(rx) -> _ => {}
        default =>
    }
    select! {
        recv(rx) -> _ => ,
        default => {}
    }
}
