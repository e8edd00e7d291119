//! E0597: what goroutines of a scope borrow outlives the scope's body.

fn main() {
    goruntime::scope(|s| {
        let number = 1;
        let borrow = &number;
        s.go(move || assert_eq!(*borrow, 1));
    });
}

#[allow(dead_code)]
fn control() {
    let number = 1;
    goruntime::scope(|s| {
        let borrow = &number;
        s.go(move || assert_eq!(*borrow, 1));
    });
}
