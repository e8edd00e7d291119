//! E0499: of two goroutines of a scope one may change a variable.

fn main() {
    let mut number = 1;
    goruntime::scope(|s| {
        s.go(|| number += 1);
        s.go(|| number += 1);
    });
}

#[allow(dead_code)]
fn control() {
    let mut number = 1;
    goruntime::scope(|s| s.go(|| number += 1));
    goruntime::scope(|s| s.go(|| number += 1));
}
