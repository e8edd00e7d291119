//! E0277: a goroutine-local value need not be for others to use.

goruntime::goroutine_local! {
    static COUNT: std::cell::Cell<u32> = std::cell::Cell::new(1);
}

fn main() {
    COUNT.with(|count| goruntime::scope(|s| s.go(|| count.set(2))));
}

#[allow(dead_code)]
fn control() {
    COUNT.with(|count| goruntime::scope(|_| count.set(2)));
}
