//! The prime sieve of Go's own examples: one goroutine for each prime, chained by unbuffered channels.
//!
//! Prints the first primes in one line; the argument says how many, 20 unless given.

use goruntime::channel::{self, Receiver};
use goruntime::go;

/// 2, 3, 4, ... for as long as somebody listens.
fn generate() -> Receiver<u32> {
    let (tx, rx) = channel::bounded(0);
    go(move || (2..).take_while(|&number| tx.send(number).is_ok()).for_each(drop));
    rx
}

/// What of `numbers` cannot be divided by `prime`.
fn filter(numbers: Receiver<u32>, prime: u32) -> Receiver<u32> {
    let (tx, rx) = channel::bounded(0);
    go(move || {
        numbers.iter().filter(|number| number % prime != 0).take_while(|&number| tx.send(number).is_ok()).for_each(drop)
    });
    rx
}

#[goruntime::main]
fn main() {
    let count = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(20);
    let mut numbers = generate();
    let mut primes = Vec::new();
    while primes.len() < count {
        let prime = numbers.recv().expect("there is no last prime");
        primes.push(prime.to_string());
        numbers = filter(numbers, prime);
    }
    println!("{}", primes.join(" "));
}
