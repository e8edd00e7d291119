//! Items that `#[goruntime::main]` refuses. They are emitted, or `main` would not compile.

#[goruntime::main]
pub struct Program {
    pub field: u8,
}

#[goruntime::main]
unsafe impl Sync for Program {}

#[goruntime::main]
#[allow(missing_docs)]
const LIMIT: u8 = 3;

#[goruntime::main]
pub mod inner {
    pub fn main() {}
}

fn main() {
    let program = Program { field: LIMIT };
    inner::main();
    drop(program);
}
