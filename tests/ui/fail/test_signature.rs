//! Signatures that `#[goruntime::test]` refuses.

mod asynchronous {
    #[goruntime::test]
    async fn works() {
        std::future::ready(()).await;
    }
}

mod constant {
    #[goruntime::test]
    const fn works() {}
}

mod unsafety {
    #[goruntime::test]
    unsafe fn works() {}
}

mod foreign {
    #[goruntime::test]
    extern "C" fn works() {}
}

mod generic {
    #[goruntime::test]
    fn works<'a, F: Fn() -> &'a str>() {}
}

mod bounded {
    #[goruntime::test]
    fn works() where u8: Copy, {}
}

mod arguments {
    #[goruntime::test]
    fn works(args: Vec<String>, _: u8) {
        drop(args);
    }
}

mod method {
    pub struct Program(pub u8);

    impl Program {
        #[goruntime::test]
        pub fn works(&self) -> u8 {
            self.0
        }
    }
}

mod without_body {
    pub trait Program {
        #[goruntime::test]
        fn works(&self);
    }
}

mod several {
    #[goruntime::test]
    async unsafe extern "C" fn works<T>(value: T) {
        drop(value);
    }
}

fn main() {}
