//! E0597: nobody waits for the goroutine of `go`.

fn main() {
    let number = 1;
    let borrow = &number;
    goruntime::go(move || assert_eq!(*borrow, 1));
}

#[allow(dead_code)]
fn control() {
    let number = 1;
    let borrow = &number;
    goruntime::run(move || assert_eq!(*borrow, 1));
}
