//! E0277: a lock is given back by the goroutine that has taken it.

fn main() {
    let mutex = goruntime::sync::Mutex::new(1);
    let guard = mutex.lock().unwrap();
    goruntime::scope(|s| s.go(move || drop(guard)));
}

#[allow(dead_code)]
fn control() {
    let mutex = goruntime::sync::Mutex::new(1);
    goruntime::scope(|s| s.go(|| drop(mutex.lock().unwrap())));
}
