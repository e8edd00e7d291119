//! A pipeline: stages connected by channels, a stage of several workers, and an early stop.
//!
//! Prints the sum of the squares, then how a pipeline ends whose reader has seen enough.

use goruntime::channel::{Receiver, bounded};
use goruntime::sync::WaitGroup;
use goruntime::{go, select};

/// First stage: the numbers, until all are sent or everybody has stopped listening.
fn numbers(count: u64, stop: Receiver<()>) -> Receiver<u64> {
    let (tx, rx) = bounded(0);
    go(move || {
        for number in 1..=count {
            select! {
                send(tx, number) -> sent => if sent.is_err() { return },
                recv(stop) -> _ => return,
            }
        }
    });
    rx
}

/// Second stage: squares, by several workers that share the input and the output.
fn squares(input: &Receiver<u64>, workers: usize, stop: &Receiver<()>) -> Receiver<u64> {
    let (tx, rx) = bounded(4);
    for _ in 0..workers {
        let (input, tx, stop) = (input.clone(), tx.clone(), stop.clone());
        go(move || {
            for number in input {
                select! {
                    send(tx, number * number) -> sent => if sent.is_err() { return },
                    recv(stop) -> _ => return,
                }
            }
        });
    }
    rx
}

#[goruntime::main]
fn main() {
    let (_stop, stopped) = bounded(0);
    let all = squares(&numbers(1000, stopped.clone()), 4, &stopped);
    println!("sum of the squares up to 1000: {}", all.iter().sum::<u64>());

    let (stop, stopped) = bounded::<()>(0);
    let endless = squares(&numbers(u64::MAX, stopped.clone()), 4, &stopped);
    let ended = WaitGroup::new();
    ended.go(move || {
        let large = endless.iter().find(|&square| square > 10_000).expect("there is no last square");
        println!("found one above 10000: {}", large > 10_000);
        drop(stop);
        // Every stage sees that, and ends; then so does the stream.
        println!("squares on their way are few: {}", endless.iter().count() < 100);
    });
    ended.wait();
}
