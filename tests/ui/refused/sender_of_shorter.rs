//! lifetime may not live long enough: what is sent as short-lived would be received as long-lived.

use goruntime::channel::Sender;

fn shorter<'a>(sender: Sender<&'static str>) -> Sender<&'a str> {
    sender
}

#[allow(dead_code)]
fn control<'a>(sender: Sender<&'static str>) -> impl Fn(&'static str) -> &'a str {
    move |text| sender.send(text).map_or(text, |()| text)
}

fn main() {
    let (tx, _rx) = goruntime::channel::bounded(1);
    drop(shorter(tx));
}
