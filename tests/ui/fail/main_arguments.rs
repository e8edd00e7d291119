//! Arguments that `#[goruntime::main]` refuses.

mod unknown {
    #[goruntime::main(foo = 1, worker_threads = 4, max_proc)]
    fn main() {}
}

mod duplicate {
    #[goruntime::main(max_procs = 1, migrate = true, max_procs = 2, migrate = true)]
    fn main() {}
}

mod zero_procs {
    #[goruntime::main(max_procs = 0)]
    fn main() {}
}

mod negative_procs {
    #[goruntime::main(max_procs = -1)]
    fn main() {}
}

mod string_procs {
    #[goruntime::main(max_procs = "4")]
    fn main() {}
}

mod float_procs {
    #[goruntime::main(max_procs = 4.0)]
    fn main() {}
}

mod boolean_procs {
    #[goruntime::main(max_procs = true)]
    fn main() {}
}

mod other_integer_procs {
    #[goruntime::main(max_procs = 4u32)]
    fn main() {}
}

mod huge_procs {
    #[goruntime::main(max_procs = 100000000000000000000)]
    fn main() {}
}

mod no_stack {
    #[goruntime::main(stack_size = 0, main_stack_size = 0)]
    fn main() {}
}

mod too_large_stacks {
    #[goruntime::main(stack_size = 1073741825, main_stack_size = 0x8000_0000)]
    fn main() {}
}

mod ill_typed_stacks {
    #[goruntime::main(stack_size = "64K", main_stack_size = 'x')]
    fn main() {}
}

mod numeric_migrate {
    #[goruntime::main(migrate = 1)]
    fn main() {}
}

mod named_migrate {
    #[goruntime::main(migrate = yes, crate = 4)]
    fn main() {}
}

mod no_path {
    #[goruntime::main(crate = "not a path")]
    fn main() {}
}

mod no_value {
    #[goruntime::main(max_procs)]
    fn main() {}
}

mod no_equals {
    #[goruntime::main(max_procs =, migrate(true), stack_size: 4)]
    fn main() {}
}

mod no_name {
    #[goruntime::main(4, "max_procs", , migrate = false)]
    fn main() {}
}

fn main() {}
