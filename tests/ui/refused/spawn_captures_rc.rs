//! E0277: what a goroutine starts with goes to another thread.

fn main() {
    let shared = std::rc::Rc::new(1);
    goruntime::spawn(move || assert_eq!(*shared, 1));
}

#[allow(dead_code)]
fn control() {
    let shared = std::sync::Arc::new(1);
    goruntime::spawn(move || assert_eq!(*shared, 1));
}
