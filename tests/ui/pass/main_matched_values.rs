//! An expression that `macro_rules` has matched stays one in a value: read as `1 + 2 * 2 - 6` it would be too small for `usize`, which the compiler refuses.
#![deny(warnings)]

macro_rules! program {
    ($sum:expr, $condition:expr, $type:ty, $block:block, $pattern:pat) => {
        #[goruntime::main(
            max_procs = $sum * 2 - 6 + 1,
            main_stack_size = if let &$pattern = &3 { $sum as $type << 16 } else { 0 },
            stack_size = if $condition $block else { 0 } * 1024,
        )]
        fn main() {}
    };
}

program!(1 + 2, 1 + 1 == 2, usize, { 64 }, 3 | 4);
