//! Fragments of `macro_rules` come in invisible groups.
#![deny(warnings)]

macro_rules! program {
    ($(#[$attr:meta])* $vis:vis $name:ident -> $output:ty $body:block, $procs:expr, $first:path) => {
        #[goruntime::init(after = [$first])]
        fn second() -> $output $body

        #[goruntime::main(max_procs = $procs)]
        $(#[$attr])*
        $vis fn $name() -> $output $body
    };
}

#[goruntime::init]
fn first() {}

program!(
    /// Runs.
    pub main -> Result<(), String> { Ok(()) },
    1 + 1,
    crate::first
);
