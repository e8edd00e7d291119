//! Keeps `main` on the process's main thread, as libraries for windows on a screen demand it.
//!
//! An init function takes the lock, and it persists into `main`. Prints `main is on the main thread: true`, `before and after a hundred switches:
//! true`, `others on the main thread: 0`.

use std::thread;

use goruntime::runtime::{lock_os_thread, yield_now};

#[goruntime::init]
fn stay() {
    lock_os_thread();
}

fn is_main_thread() -> bool {
    thread::current().name() == Some("main")
}

#[goruntime::main]
fn main() {
    println!("main is on the main thread: {}", is_main_thread());
    let stays = (0..100).all(|_| {
        yield_now();
        goruntime::spawn(yield_now).join().expect("yielding does not panic");
        is_main_thread()
    });
    println!("before and after a hundred switches: {stays}");
    let others: Vec<_> = (0..100).map(|_| goruntime::spawn(is_main_thread)).collect();
    let strays = others.into_iter().filter_map(|other| other.join().ok()).filter(|&on_main| on_main).count();
    println!("others on the main thread: {strays}");
}
