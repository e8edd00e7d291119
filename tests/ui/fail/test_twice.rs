//! Attributes that exclude each other.

mod twice {
    #[goruntime::test]
    #[goruntime::test]
    fn works() {}
}

mod ours {
    #[goruntime::test]
    #[goruntime::init]
    fn works() {}
}

mod theirs {
    #[goruntime::test]
    #[tokio::test]
    async fn works() {}
}

mod plain {
    #[goruntime::test]
    #[test]
    fn works() {}
}

fn main() {}
