//! Goroutines that borrow from the stack of the one that waits for them.
//!
//! Prints `doubled: [2, 4, 6, 8, 10, 12]`, `sum: 42` and `caught: odd one out`.

use goruntime::scope;

#[goruntime::main]
fn main() {
    let mut numbers = [1, 2, 3, 4, 5, 6];
    scope(|s| {
        for number in &mut numbers {
            s.go(move || *number *= 2);
        }
    });
    println!("doubled: {numbers:?}");

    let (left, right) = numbers.split_at(3);
    let sum = scope(|s| {
        let left = s.spawn(|| left.iter().sum::<i32>());
        let right = s.spawn(|| right.iter().sum::<i32>());
        left.join().unwrap() + right.join().unwrap()
    });
    println!("sum: {sum}");

    let outcome = scope(|s| s.spawn(|| assert!(numbers.contains(&7), "odd one out")).join());
    let payload = outcome.unwrap_err();
    println!("caught: {}", payload.downcast_ref::<&str>().unwrap_or(&"something else"));
}
