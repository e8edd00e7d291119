//! What does a multi-thread tokio runtime add to an empty program?

fn main() {
    let rt = tokio::runtime::Builder::new_multi_thread().enable_time().build().expect("a tokio runtime");
    rt.block_on(async {});
}
