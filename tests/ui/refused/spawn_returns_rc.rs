//! E0277: what a goroutine ends with goes to another thread.

fn main() {
    drop(goruntime::spawn(|| std::rc::Rc::new(1)));
}

#[allow(dead_code)]
fn control() {
    drop(goruntime::spawn(|| std::sync::Arc::new(1)));
}
