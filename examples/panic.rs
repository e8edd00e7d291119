//! A panic that nobody can observe ends the program, as in Go.
//!
//! Prints `starting` and then ends with status 2 and Go's block on stderr: `panic: index 5 is beyond 3`, an empty line, `goroutine N [running]:`
//! with the stack, and `created by`. Destructors of the goroutine run; `main` does not go on.

use goruntime::{go, thread};

struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        println!("the guard is dropped");
    }
}

fn look_up(index: usize) -> u8 {
    let table = [1, 2, 3];
    *table.get(index).unwrap_or_else(|| panic!("index {index} is beyond {}", table.len()))
}

#[goruntime::main]
fn main() {
    println!("starting");
    go(|| {
        let _guard = Guard;
        println!("found {}", look_up(5));
    });
    loop {
        thread::park();
    }
}
