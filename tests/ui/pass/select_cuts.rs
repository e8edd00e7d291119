//! Where cases of `select!` end, and their arguments and patterns, whatever has commas in it.

use goruntime::channel::{RecvError, bounded, select, select_biased};

struct Pair<A, B>(A, B);

trait Make<A, B> {
    fn make(self) -> i32;
}

impl<A, B> Make<A, B> for Pair<A, B> {
    fn make(self) -> i32 {
        5
    }
}

macro_rules! braces {
    ($($value:tt)*) => { $($value)* };
}

/// A pattern and an expression that a macro has matched.
macro_rules! matched {
    ($rx:expr, $pattern:pat, $body:expr) => {
        select! {
            recv($rx) -> $pattern => $body + 1,
        }
    };
}

fn operators(step: u32) -> i32 {
    let (tx, rx) = bounded(8);
    let (limit, mask) = (9usize, 7usize);
    match step {
        0 => select_biased! { send(tx, 1 << 2) -> _ => 1 << 1, recv(rx) -> _ => 8 >> 1 },
        1 => select_biased! { send(tx, 1) -> _ => i32::from(1 as usize & mask < limit), recv(rx) -> _ => 3 >> 1 },
        2 => select_biased! { send(tx, 1) -> _ => match <Pair<i8, u8> as Make<i8, u8>>::make(Pair(1, 2)) { five => five }, recv(rx) -> _ => 0 },
        3 => select_biased! { send(tx, 1) -> _ => braces! { 7 } - 1, default => 0 },
        4 => select_biased! { send(tx, 1) -> _ => 'a: loop { break 'a 9 } - 2, default => 0 },
        5 => select_biased! { send(tx, 1) -> _ => { 9 } - 1, default => 0 },
        _ => select_biased! { send(tx, 1) -> _ => if step > 6 { 0 } else { 1 } + 8, default => 0 },
    }
}

fn main() {
    assert!((0..7).map(operators).eq([2, 1, 5, 6, 7, 8, 9]));
    let (tx, rx) = bounded(4);
    (0..4).for_each(|n| tx.send(n).unwrap());
    select! { recv(rx) -> Ok(_) | Err(_) => {} }
    select! { recv(rx) -> | Ok::<i32, RecvError>(_) | Err::<i32, RecvError>(_) => {} }
    assert_eq!(matched!(rx, Ok(_) | Err(RecvError), 2), 3);
}
