//! lifetime may not live long enough: a handle of a scope's goroutine stays in the scope.

fn main() {
    drop(goruntime::scope(|s| s.spawn(|| 1)));
}

#[allow(dead_code)]
fn control() {
    let _: i32 = goruntime::scope(|s| s.spawn(|| 1).join().unwrap());
}
