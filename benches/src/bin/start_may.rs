//! What does one coroutine of may add to an empty program?

fn main() {
    may::go!(|| {}).join().expect("an empty coroutine does not panic");
}
