//! E0277: a pool gives values to other threads.

fn main() {
    let _: Option<goruntime::sync::Pool<std::rc::Rc<u8>>> = None;
}

#[allow(dead_code)]
fn control() {
    let _: Option<goruntime::sync::Pool<std::sync::Arc<u8>>> = None;
}
