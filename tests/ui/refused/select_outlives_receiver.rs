//! E0505: a select borrows the handles of its channels.

fn main() {
    let (_tx, rx) = goruntime::channel::unbounded::<i32>();
    let mut select = goruntime::channel::Select::new();
    select.recv(&rx);
    drop(rx);
    let _ = select.try_ready();
}

#[allow(dead_code)]
fn control() {
    let (_tx, rx) = goruntime::channel::unbounded::<i32>();
    let mut select = goruntime::channel::Select::new();
    select.recv(&rx);
    let _ = select.try_ready();
    drop(rx);
}
