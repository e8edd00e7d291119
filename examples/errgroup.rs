//! Pages are fetched at the same time, two at most; the first failure ends the others.
//!
//! Prints `3 pages, 36 bytes`, `/slow was given up: no such page: /missing`, and `failed: no such page: /missing`.

use goruntime::context::{self, Cause, Context};
use goruntime::sync::Mutex;
use goruntime::time::{Duration, sleep_ctx};

/// Stands for a request.
fn fetch(page: &str, ctx: &Context) -> Result<String, Cause> {
    match page {
        "/missing" => return Err(Cause::new(format!("no such page: {page}"))),
        "/slow" => {
            let waited = sleep_ctx(Duration::from_secs(3600), ctx);
            waited.inspect_err(|cause| println!("{page} was given up: {cause}"))?;
        }
        _ => sleep_ctx(Duration::from_millis(1), ctx)?,
    }
    Ok(format!("<p>{page:5}</p>"))
}

fn fetch_all(pages: &[&str]) -> Result<Vec<String>, Cause> {
    let fetched = Mutex::new(Vec::new());
    context::scope(&context::background(), |s| {
        s.limit(2);
        for page in pages {
            s.go(|ctx| {
                let text = fetch(page, ctx)?;
                fetched.lock().map_err(|_| "a fetcher panicked")?.push(text);
                Ok(())
            });
        }
        Ok(())
    })?;
    Ok(fetched.into_inner().unwrap_or_default())
}

#[goruntime::main]
fn main() -> Result<(), Cause> {
    let pages = fetch_all(&["/a", "/b", "/c"])?;
    println!("{} pages, {} bytes", pages.len(), pages.iter().map(String::len).sum::<usize>());
    if let Err(cause) = fetch_all(&["/slow", "/missing", "/a"]) {
        println!("failed: {cause}");
    }
    Ok(())
}
