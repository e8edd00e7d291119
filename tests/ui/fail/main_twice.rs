//! Attributes that exclude each other.

mod twice {
    #[goruntime::main]
    #[goruntime::main]
    fn main() {}
}

mod ours {
    #[goruntime::main]
    #[goruntime::test]
    fn main() {}
}

mod theirs {
    #[goruntime::main]
    #[tokio::main]
    async fn main() {}
}

mod plain {
    #[goruntime::main]
    #[test]
    fn main() {}
}

fn main() {}
