//! lifetime may not live long enough: what is stored as short-lived would be read as long-lived.

use goruntime::sync::Mutex;

fn shorter<'a, 'b>(mutex: &'b Mutex<&'static str>) -> &'b Mutex<&'a str> {
    mutex
}

#[allow(dead_code)]
fn control<'a>(mutex: &Mutex<&'static str>) -> &'a str {
    *mutex.lock().unwrap()
}

fn main() {
    let mutex = Mutex::new("text");
    drop(shorter(&mutex).lock());
}
