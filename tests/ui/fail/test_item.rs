//! Items that `#[goruntime::test]` refuses. They are emitted, or `main` would not compile.

#[goruntime::test]
pub struct Program {
    pub field: u8,
}

#[goruntime::test]
unsafe impl Sync for Program {}

#[goruntime::test]
#[allow(missing_docs)]
const LIMIT: u8 = 3;

#[goruntime::test]
pub mod inner {
    pub fn works() {}
}

fn main() {
    let program = Program { field: LIMIT };
    inner::works();
    drop(program);
}
