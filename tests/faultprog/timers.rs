//! Sleeps, tickers, time limits and callbacks, beside a poller that sleeps for them.
//!
//! Why here: what is asked of the clock.
//!
//! *Invariants*: none. *Locks*: none. *Go:* none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use goruntime::channel::{RecvTimeoutError, after, bounded, tick, unbounded};
use goruntime::net::UdpSocket;
use goruntime::sync::WaitGroup;
use goruntime::time::{Duration, Instant, after_func, sleep};
use goruntime::{go, select, spawn};

use crate::{Table, again};

pub(crate) const PROGRAMS: Table = &[("timers", timers)];

fn timers() {
    // From here on the thread that watches the timers sleeps in the poller, if there is one.
    let socket = again("bind", || UdpSocket::bind("127.0.0.1:0"));
    socket.set_read_timeout(Some(Duration::from_millis(2))).expect("a timeout");
    again("a silent socket", || match socket.recv(&mut [0; 8]) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock && error.raw_os_error().is_none() => Ok(()),
        Err(error) => Err(error),
        Ok(_) => panic!("nobody has sent anything"),
    });
    let sleepers: Vec<_> = (0..100_u64)
        .map(|index| {
            spawn(move || {
                let (begun, time) = (Instant::now(), Duration::from_micros(97 * index));
                sleep(time);
                assert!(begun.elapsed() >= time);
            })
        })
        .collect();
    let ticks = tick(Duration::from_millis(1));
    for _ in 0..5 {
        ticks.recv().expect("a ticker goes on");
    }
    let fired = Arc::new(AtomicU32::new(0));
    let group = WaitGroup::new();
    for index in 0..20 {
        let (count, done) = (fired.clone(), group.clone());
        group.add(1);
        let callback = after_func(Duration::from_micros(200 * index), move || {
            count.fetch_add(1, Ordering::Relaxed);
            done.done();
        });
        if index % 4 == 3 && callback.stop() {
            fired.fetch_add(1, Ordering::Relaxed);
            group.done();
        }
    }
    group.wait();
    assert_eq!(fired.load(Ordering::Relaxed), 20);
    let (tx, rx) = bounded::<u32>(0);
    assert_eq!(rx.recv_timeout(Duration::from_millis(3)), Err(RecvTimeoutError::Timeout));
    go(move || {
        sleep(Duration::from_millis(2));
        drop(tx);
    });
    let (_quiet, never) = unbounded::<u32>();
    select! {
        recv(never) -> _ => panic!("nobody has sent anything"),
        recv(after(Duration::from_secs(200))) -> _ => panic!("the sender was not dropped"),
        recv(rx) -> ended => assert!(ended.is_err()),
    }
    sleepers.into_iter().for_each(|sleeper| sleeper.join().expect("it does not panic"));
}
