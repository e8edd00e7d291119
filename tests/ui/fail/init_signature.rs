//! Signatures that `#[goruntime::init]` refuses.

mod asynchronous {
    #[goruntime::init]
    async fn prepare() {
        std::future::ready(()).await;
    }
}

mod constant {
    #[goruntime::init]
    const fn prepare() {}
}

mod unsafety {
    #[goruntime::init]
    unsafe fn prepare() {}
}

mod foreign {
    #[goruntime::init]
    extern "C" fn prepare() {}
}

mod generic {
    #[goruntime::init]
    fn prepare<'a, F: Fn() -> &'a str>() {}
}

mod bounded {
    #[goruntime::init]
    fn prepare() where u8: Copy, {}
}

mod arguments {
    #[goruntime::init]
    fn prepare(args: Vec<String>, _: u8) {
        drop(args);
    }
}

mod method {
    pub struct Program(pub u8);

    impl Program {
        #[goruntime::init]
        pub fn prepare(&self) -> u8 {
            self.0
        }
    }
}

mod without_body {
    pub trait Program {
        #[goruntime::init]
        fn prepare(&self);
    }
}

mod several {
    #[goruntime::init]
    async unsafe extern "C" fn prepare<T>(value: T) {
        drop(value);
    }
}

fn main() {}
