//! E0277: `run` waits, but on another thread.

fn main() {
    let shared = std::rc::Rc::new(1);
    goruntime::run(|| assert_eq!(*shared, 1));
}

#[allow(dead_code)]
fn control() {
    let shared = std::sync::Arc::new(1);
    goruntime::run(|| assert_eq!(*shared, 1));
}
