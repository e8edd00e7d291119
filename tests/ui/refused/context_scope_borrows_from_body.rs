//! E0597: what goroutines of a scope borrow outlives the scope's body.

fn main() {
    let _ = goruntime::context::scope(&goruntime::context::background(), |s| {
        let number = 1;
        let borrow = &number;
        s.go(move |_| Ok(assert_eq!(*borrow, 1)));
        Ok(())
    });
}

#[allow(dead_code)]
fn control() {
    let number = 1;
    let _ = goruntime::context::scope(&goruntime::context::background(), |s| {
        let borrow = &number;
        s.go(move |_| Ok(assert_eq!(*borrow, 1)));
        Ok(())
    });
}
