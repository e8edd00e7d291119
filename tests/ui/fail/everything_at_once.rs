//! Everything that is wrong is reported in one go, arguments and signature alike.

mod entry {
    #[goruntime::main(max_procs = 0, stack_size = "big", threads = 4)]
    #[tokio::main]
    pub async fn start<T>(value: T) {
        drop(value);
    }
}

mod task {
    #[goruntime::init(after = 4, early = true)]
    pub(super) const fn prepare(_value: u8) {}
}

fn main() {
    drop(entry::start(1));
    task::prepare(1);
}
