//! Signatures that `#[goruntime::main]` refuses.

mod asynchronous {
    #[goruntime::main]
    async fn main() {
        std::future::ready(()).await;
    }
}

mod constant {
    #[goruntime::main]
    const fn main() {}
}

mod unsafety {
    #[goruntime::main]
    unsafe fn main() {}
}

mod foreign {
    #[goruntime::main]
    extern "C" fn main() {}
}

mod generic {
    #[goruntime::main]
    fn main<'a, F: Fn() -> &'a str>() {}
}

mod bounded {
    #[goruntime::main]
    fn main() where u8: Copy, {}
}

mod arguments {
    #[goruntime::main]
    fn main(args: Vec<String>, _: u8) {
        drop(args);
    }
}

mod method {
    pub struct Program(pub u8);

    impl Program {
        #[goruntime::main]
        pub fn main(&self) -> u8 {
            self.0
        }
    }
}

mod without_body {
    pub trait Program {
        #[goruntime::main]
        fn main(&self);
    }
}

mod name {
    // The function is emitted, or this would be a second error.
    pub(super) const START: fn() = start;

    #[goruntime::main]
    fn start() {}
}

mod several {
    #[goruntime::main]
    async unsafe extern "C" fn main<T>(value: T) {
        drop(value);
    }
}

fn main() {}
