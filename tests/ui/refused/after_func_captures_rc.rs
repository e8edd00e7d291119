//! E0277: the function is called on another thread.

fn main() {
    let shared = std::rc::Rc::new(1);
    goruntime::time::after_func(goruntime::time::Duration::ZERO, move || assert_eq!(*shared, 1));
}

#[allow(dead_code)]
fn control() {
    let shared = std::sync::Arc::new(1);
    goruntime::time::after_func(goruntime::time::Duration::ZERO, move || assert_eq!(*shared, 1));
}
