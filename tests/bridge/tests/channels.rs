//! Channels and join handles in other executors: tokio's and that of `futures`.
//!
//! Why here: in a package of its own, see `src/lib.rs`.
//!
//! *Invariants*
//! - CN1. A test waits for an event, never for a time; a wake-up that is lost is a test that hangs.
//!
//! *Locks*: none.
//!
//! *Go:* none.

use std::future::Future;
use std::time::Duration;

use futures::{FutureExt, SinkExt, StreamExt, select_biased, stream};
use goruntime::channel::{Receiver, Sender, bounded, unbounded};
use goruntime::future::block_on;
use goruntime_bridge_tests::run;

/// A runtime of tokio's with two threads.
fn tokio<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime
        .block_on(async { tokio::time::timeout(goruntime_bridge_tests::LIMIT, future).await.expect("the test hangs") })
}

/// A goroutine that squares what it gets.
fn squarer(cap: usize) -> (Sender<u64>, Receiver<u64>) {
    let (to, from_task) = bounded(cap);
    let (to_task, from) = bounded(cap);
    goruntime::go(move || from_task.iter().for_each(|n: u64| to_task.send(n * n).unwrap()));
    (to, from)
}

async fn squares(to: Sender<u64>, from: Receiver<u64>) {
    for n in 0..1000 {
        to.send_async(n).await.unwrap();
        assert_eq!(from.recv_async().await, Ok(n * n));
    }
}

#[test]
fn tasks_of_tokio_talk_to_goroutines() {
    tokio(async {
        let tasks: Vec<_> = (0..8)
            .map(|id| {
                tokio::spawn(async move {
                    let (to, from) = squarer(id % 3);
                    squares(to, from).await;
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

#[test]
fn tasks_of_futures_talk_to_goroutines() {
    futures::executor::block_on(async {
        futures::future::join_all((0..8).map(|id| {
            let (to, from) = squarer(id % 3);
            squares(to, from)
        }))
        .await;
    });
}

#[test]
fn handles_are_awaited_by_tokio() {
    tokio(async {
        let handles: Vec<_> = (0..100_u64).map(|n| goruntime::spawn(move || n)).collect();
        let sum = futures::future::join_all(handles).await.into_iter().map(Result::unwrap).sum::<u64>();
        assert_eq!(sum, (0..100).sum());
        let panicked = goruntime::spawn(|| panic!("on a goroutine")).await;
        assert_eq!(*panicked.map(|(): ()| ()).unwrap_err().downcast::<&str>().unwrap(), "on a goroutine");
    });
}

#[test]
fn a_channel_is_a_stream_and_a_sink() {
    run(|| {
        for cap in [0, 1, 10] {
            let (tx, rx) = bounded(cap);
            let sending = goruntime::future::spawn(async move {
                let mut sink = tx.into_sink();
                sink.feed(0).await.unwrap();
                sink.send_all(&mut stream::iter(1..100).map(Ok)).await.unwrap();
                sink.close().await.unwrap();
                assert_eq!(sink.send(100).await.unwrap_err().into_inner(), 100);
            });
            let received: Vec<i32> = block_on(rx.into_stream().collect());
            assert_eq!(received, (0..100).collect::<Vec<_>>());
            block_on(sending).unwrap();
        }
    });
}

#[test]
fn a_stream_that_is_dropped_leaves_its_value_in_the_channel() {
    run(|| {
        let (tx, rx) = bounded(0);
        let mut stream = rx.clone().into_stream();
        assert!(stream.next().now_or_never().is_none());
        tx.send(1).unwrap();
        drop(stream);
        assert_eq!(rx.recv(), Ok(1));
        let mut sink = tx.into_sink();
        assert!(sink.send(2).now_or_never().is_none());
        assert_eq!(rx.try_recv(), Ok(2));
        assert_eq!(sink.flush().now_or_never(), Some(Ok(())));
        drop(sink);
        assert_eq!(block_on(rx.into_stream().next()), None);
    });
}

/// The branches that lose are dropped, whatever they have got already.
#[test]
fn a_select_of_tokio_loses_no_message() {
    let (left, from_left) = bounded::<u32>(0);
    let (right, from_right) = unbounded::<u32>();
    goruntime::go(move || (0..2000).for_each(|n| left.send(n).unwrap()));
    goruntime::go(move || (0..2000).for_each(|n| right.send(n).unwrap()));
    tokio(async {
        let (mut next, mut ended) = ([0, 0], [false, false]);
        while ended != [true, true] {
            let (which, received) = tokio::select! {
                received = from_left.recv_async(), if !ended[0] => (0, received),
                received = from_right.recv_async(), if !ended[1] => (1, received),
                () = tokio::time::sleep(Duration::from_millis(1)) => continue,
            };
            match received {
                Ok(n) => {
                    assert_eq!(n, next[which]);
                    next[which] += 1;
                }
                Err(_) => ended[which] = true,
            }
        }
        assert_eq!(next, [2000, 2000]);
    });
}

#[test]
fn a_select_of_futures_keeps_its_place() {
    run(|| {
        let ((tx, rx), (other, never)) = (bounded(0), bounded::<u32>(0));
        let sender = goruntime::spawn(move || (0..1000_u32).for_each(|n| tx.send(n).unwrap()));
        block_on(async {
            let mut waiting = Box::pin(never.recv_async().fuse());
            for n in 0..1000 {
                let mut receive = Box::pin(rx.recv_async().fuse());
                select_biased! {
                    _ = waiting => panic!("nobody sends"),
                    received = receive => assert_eq!(received, Ok(n)),
                }
            }
            drop(other);
            assert!(waiting.await.is_err());
        });
        sender.join().unwrap();
    });
}

/// Goroutines of a task of tokio's, which gives up: they go on.
#[test]
fn an_aborted_task_of_tokio_leaves_its_messages() {
    let (tx, rx) = bounded::<u32>(0);
    tokio(async {
        for n in 0..100 {
            let receiver = rx.clone();
            let task = tokio::spawn(async move { receiver.recv_async().await });
            tokio::task::yield_now().await;
            let sender = tx.clone();
            let sending = goruntime::spawn(move || sender.send(n));
            task.abort();
            let received = match task.await {
                Ok(received) => received,
                Err(_) => rx.recv_async().await,
            };
            assert_eq!(received, Ok(n));
            sending.await.unwrap().unwrap();
        }
    });
}
