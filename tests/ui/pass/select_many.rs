//! More cases than anybody needs: there is no limit.

use goruntime::channel::{Receiver, never, select, unbounded};

macro_rules! forty {
    ($never:ident, $rx:ident) => {
        select! {
            recv($never) -> _ => 0, recv($never) -> _ => 1, recv($never) -> _ => 2, recv($never) -> _ => 3,
            recv($never) -> _ => 4, recv($never) -> _ => 5, recv($never) -> _ => 6, recv($never) -> _ => 7,
            recv($never) -> _ => 8, recv($never) -> _ => 9, recv($never) -> _ => 10, recv($never) -> _ => 11,
            recv($never) -> _ => 12, recv($never) -> _ => 13, recv($never) -> _ => 14, recv($never) -> _ => 15,
            recv($never) -> _ => 16, recv($never) -> _ => 17, recv($never) -> _ => 18, recv($never) -> _ => 19,
            recv($never) -> _ => 20, recv($never) -> _ => 21, recv($never) -> _ => 22, recv($never) -> _ => 23,
            recv($never) -> _ => 24, recv($never) -> _ => 25, recv($never) -> _ => 26, recv($never) -> _ => 27,
            recv($never) -> _ => 28, recv($never) -> _ => 29, recv($never) -> _ => 30, recv($never) -> _ => 31,
            recv($never) -> _ => 32, recv($never) -> _ => 33, recv($never) -> _ => 34, recv($never) -> _ => 35,
            recv($never) -> _ => 36, recv($never) -> _ => 37, recv($never) -> _ => 38, recv($rx) -> value => value.unwrap(),
        }
    };
}

fn main() {
    let (tx, rx) = unbounded();
    tx.send(39).unwrap();
    let nothing: Receiver<i32> = never();
    assert_eq!(forty!(nothing, rx), 39);
}
