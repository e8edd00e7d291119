//! E0277: a lock is given back by the goroutine that has taken it.

fn main() {
    let lock = goruntime::sync::RwLock::new(1);
    let guard = lock.read().unwrap();
    goruntime::scope(|s| s.go(move || drop(guard)));
}

#[allow(dead_code)]
fn control() {
    let lock = goruntime::sync::RwLock::new(1);
    let guard = lock.read().unwrap();
    goruntime::scope(|s| s.go(|| assert_eq!(*guard, 1)));
}
