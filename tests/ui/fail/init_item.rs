//! Items that `#[goruntime::init]` refuses. They are emitted, or `main` would not compile.

#[goruntime::init]
pub struct Program {
    pub field: u8,
}

#[goruntime::init]
unsafe impl Sync for Program {}

#[goruntime::init]
#[allow(missing_docs)]
const LIMIT: u8 = 3;

#[goruntime::init]
pub mod inner {
    pub fn prepare() {}
}

fn main() {
    let program = Program { field: LIMIT };
    inner::prepare();
    drop(program);
}
