//! E0277: a chosen operation may hold a value of any type.

fn main() {
    let (tx, rx) = goruntime::channel::unbounded();
    tx.send(1).unwrap();
    let mut select = goruntime::channel::Select::new();
    select.recv(&rx);
    let operation = select.select();
    goruntime::scope(|s| s.go(|| drop(operation)));
}

#[allow(dead_code)]
fn control() {
    let (tx, rx) = goruntime::channel::unbounded();
    tx.send(1).unwrap();
    let mut select = goruntime::channel::Select::new();
    select.recv(&rx);
    goruntime::scope(|s| s.go(|| drop(select.select().recv(&rx))));
}
