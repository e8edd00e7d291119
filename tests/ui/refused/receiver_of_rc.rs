//! E0277: what comes out of a channel on one thread was put in on another.

fn main() {
    let (tx, rx) = goruntime::channel::unbounded();
    tx.send(std::rc::Rc::new(1)).unwrap();
    goruntime::go(move || drop(rx.recv()));
}

#[allow(dead_code)]
fn control() {
    let (tx, rx) = goruntime::channel::unbounded();
    tx.send(std::sync::Arc::new(1)).unwrap();
    goruntime::go(move || drop(rx.recv()));
}
