//! E0277: a hook runs on the thread that ends the process.

fn main() {
    let shared = std::rc::Rc::new(1);
    goruntime::runtime::at_exit(move || assert_eq!(*shared, 1));
}

#[allow(dead_code)]
fn control() {
    let shared = std::sync::Arc::new(1);
    goruntime::runtime::at_exit(move || assert_eq!(*shared, 1));
}
