//! E0277: a pin belongs to the goroutine that has made it.

fn main() {
    let guard = goruntime::runtime::pin();
    goruntime::go(move || drop(guard));
}

#[allow(dead_code)]
fn control() {
    goruntime::go(|| drop(goruntime::runtime::pin()));
}
