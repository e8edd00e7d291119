//! E0505: a permit goes back to its semaphore.

fn main() {
    let semaphore = goruntime::sync::Semaphore::new(1);
    let permit = semaphore.acquire();
    drop(semaphore);
    drop(permit);
}

#[allow(dead_code)]
fn control() {
    let semaphore = goruntime::sync::Semaphore::new(1);
    let permit = semaphore.acquire();
    drop(permit);
    drop(semaphore);
}
