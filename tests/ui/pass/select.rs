//! The whole syntax, in a crate that forbids unsafe code and has its own ideas of the names in the expansion.

#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(non_camel_case_types, dead_code)]

use std::sync::Arc;

use goruntime::channel as crossbeam_channel;
use goruntime::channel::{Receiver, Sender, after, bounded, never, unbounded};
use goruntime::time::Duration;

struct Option;
struct Some;
struct None;
struct Result;
fn unreachable() {}

fn pick<A, B>(rx: &Receiver<i32>) -> &Receiver<i32> {
    rx
}

fn forms(tx: &Sender<i32>, rx: Receiver<i32>) -> i32 {
    goruntime::select! { default => {} }
    goruntime::select! { default() => () }
    goruntime::select! { default(Duration::ZERO) => (), }
    crossbeam_channel::select! { recv(rx) -> _ => {} default => {} };
    crossbeam_channel::select_biased! {
        recv(pick::<u8, u16>(&rx)) -> _ => {},
        recv(&&rx,) -> _ => {}
        recv(Arc::new(rx.clone())) -> _ => (),
        send(tx, <i32 as From<i16>>::from(7),) -> _ => (),
        default(Duration::from_millis(1),) => (),
    }
    let (arm, chosen, value, operand) = (1, 2, 3, 4);
    goruntime::select! {
        recv(rx) -> mut result => {
            result = result.map(|value| value + arm);
            result.unwrap() + chosen + operand
        }
        recv(never::<i32>()) -> ref mut result => *result.as_mut().unwrap(),
        recv(after(Duration::from_secs(3600))) -> _ => { value } - 1,
        recv(rx) -> _ => match rx.len() { 0 => 1, _ => 2 },
        recv(rx) -> _ => { 1 }.max(2)
    }
}

macro_rules! either {
    ($rx:ident, $body:expr) => {
        goruntime::select! { recv($rx) -> _ => $body, default => unreachable!() }
    };
}

fn casts_and_matched_bodies() {
    let (tx, rx) = unbounded();
    (0..4).for_each(|i| tx.send(i).unwrap());
    let (no, limit) = (never::<i32>(), 7);
    assert!(goruntime::select! { recv(rx) -> x => x.unwrap() as u64 <= limit, recv(no) -> x => x.unwrap() > 3 });
    assert!(!goruntime::select! {
        recv(rx) -> _ => &raw const limit as *const Vec<(u8, u8)> < std::ptr::null(),
        recv(no) -> x => x.unwrap() >> 3 > 0,
    });
    assert_eq!(either!(rx, matches! { limit, 7 } as u8), 1);
    assert_eq!(either!(rx, if limit == 7 { 2 } else { 3 } - 1), 1);
}

struct Named {
    a: i32,
}

macro_rules! operands {
    ($tx:ident, $rx:ident, $sum:expr, $path:path, $type:ty) => {
        goruntime::select! {
            send($tx, 2 * $sum) -> _ => goruntime::select! {
                recv($rx) -> x => $sum * $path { a: x.unwrap() }.a * $type::from(1i8),
                default => 0,
            },
            default => if $sum == 3 { $sum } else { 0 },
        }
    };
}

macro_rules! labels {
    ($rx:ident, $outer:lifetime, $inner:lifetime, $e:expr) => {
        $outer: loop {
            goruntime::select! {
                recv($rx) -> _ => break $outer $e * 2,
                default => $inner: loop { break $inner },
            }
            break 0;
        }
    };
}

macro_rules! patterns {
    ($rx:ident, $one:pat, $low:literal, $high:literal) => {
        goruntime::select! {
            recv($rx) -> x => if let Ok(&$one) = x.as_ref() { 1 } else if let 7 | $low..=$high = x.unwrap() { 2 } else { 3 },
            default => { 4 }
        }
    };
}

macro_rules! conditions {
    ($rx:ident, $condition:expr, $e:expr, $type:ty, $block:block) => {
        goruntime::select! {
            recv($rx) -> _ => if $condition { match $e { 4 => $e, _ => 0 } } else if $e as $type < 4 $block else { 3 },
            default => $block,
        }
    };
}

/// With what may have parentheses in other places than expressions, or would warn of those.
fn fragments() {
    let (tx, rx) = bounded(1);
    let fill = |message| tx.send(message).unwrap();
    assert_eq!(labels!(rx, 'a, 'b, 1 + 2), 0);
    fill(0);
    assert_eq!(labels!(rx, 'a, 'b, 1 + 2), 6);
    for (message, result) in [(2, 1), (3, 1), (7, 2), (-5, 2), (-1, 2), (0, 3)] {
        fill(message);
        assert_eq!(patterns!(rx, 2 | 3, -5, -1), result, "{message}");
    }
    for (a, result) in [(3, 4), (2, 5), (4, 3)] {
        fill(0);
        assert_eq!(conditions!(rx, a == 3, a + 1, u64, { 5 }), result, "{a}");
    }
    assert_eq!(conditions!(rx, tx.is_empty(), 1, u8, { 6 }), 6);
}

fn messages_move_only_when_chosen(tx: Sender<Box<dyn Fn(i32, i32) -> i32>>, other: Sender<String>) {
    let text = String::from("one");
    goruntime::select! {
        send(tx, Box::new(|a, b| a + b)) -> sent => drop(sent),
        send(other, text) -> _ => {},
        default => drop(text),
    }
    goruntime::select! {
        send(tx, Box::new(|a, b| a - b)) -> _ => drop(other),
        default => drop((tx, other)),
    }
}

fn control_flow() -> &'static str {
    let (tx, rx) = unbounded();
    tx.send(1).unwrap();
    let found = 'outer: loop {
        for round in 0..3 {
            goruntime::select! {
                recv(rx) -> _ => continue,
                default => if round == 2 { break 'outer "found" },
            }
        }
        return "not found";
    };
    found
}

fn never_returns() -> ! {
    goruntime::select! {}
}

fn main() {
    let (tx, rx) = bounded(1);
    // One of the three cases on the channel with the value.
    assert!([7 + 1 + 2 + 4, 1, 2].contains(&forms(&tx, rx)));
    let ((tx, functions), (other, _texts)) = (bounded(1), bounded(1));
    messages_move_only_when_chosen(tx, other);
    assert!(functions.len() <= 1);
    assert_eq!(control_flow(), "found");
    casts_and_matched_bodies();
    let (tx, rx) = bounded(1);
    assert_eq!(operands!(tx, rx, 1 + 2, self::Named, i32), 3 * 6);
    tx.send(0).unwrap();
    assert_eq!(operands!(tx, rx, 1 + 2, self::Named, i32), 3);
    fragments();
    let _: fn() -> ! = never_returns;
}
