//! lifetime may not live long enough: a goroutine-local value dies with its goroutine, not with the program.

goruntime::goroutine_local! {
    static COUNT: std::cell::Cell<u32> = std::cell::Cell::new(1);
}

fn main() {
    let _: &std::cell::Cell<u32> = COUNT.with(|count| count);
}

#[allow(dead_code)]
fn control() {
    let _: u32 = COUNT.with(|count| count.get());
}
