//! Attributes that exclude each other.

mod twice {
    #[goruntime::init]
    #[goruntime::init]
    fn prepare() {}
}

mod ours {
    #[goruntime::init]
    #[goruntime::test]
    fn prepare() {}
}

mod theirs {
    #[goruntime::init]
    #[tokio::test]
    async fn prepare() {}
}

mod plain {
    #[goruntime::init]
    #[test]
    fn prepare() {}
}

fn main() {}
