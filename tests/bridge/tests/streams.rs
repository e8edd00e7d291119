//! Streams and listeners as async code sees them: readiness by wakers, in any executor, beside goroutines that block on the same socket.
//!
//! Why here: in a package of its own, see `src/lib.rs`.
//!
//! *Invariants*
//! - ST1. A test waits for an event, never for a time; a wake-up that is lost is a test that hangs.
//!
//! *Locks*: none.
//!
//! *Go:* none.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use futures::io::{AsyncReadExt, AsyncWriteExt};
use futures::{AsyncRead, FutureExt};
use goruntime::future::{block_on, sleep, timeout};
use goruntime::net::{Closed, TcpListener, TcpStream};
use goruntime::os::unix::net::{UnixListener, UnixStream};
use goruntime_bridge_tests::run;

/// Tells by a channel that it was called, and counts.
struct Told {
    calls: AtomicUsize,
    tx: std::sync::mpsc::Sender<()>,
}

impl Wake for Told {
    fn wake(self: Arc<Self>) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        _ = self.tx.send(());
    }
}

fn told() -> (Arc<Told>, Waker, std::sync::mpsc::Receiver<()>) {
    let (tx, rx) = std::sync::mpsc::channel();
    let told = Arc::new(Told { calls: AtomicUsize::new(0), tx });
    (Arc::clone(&told), Waker::from(told), rx)
}

/// Writes as goroutines and threads do.
fn put<S>(stream: &S, bytes: &[u8])
where
    for<'a> &'a S: std::io::Write,
{
    std::io::Write::write_all(&mut &*stream, bytes).unwrap();
}

/// One poll of a read of one byte.
fn poll_read(stream: &UnixStream, waker: &Waker) -> Poll<std::io::Result<u8>> {
    let mut byte = [0];
    let mut stream = stream;
    let polled = Pin::new(&mut stream).poll_read(&mut Context::from_waker(waker), &mut byte);
    polled.map(|read| read.map(|count| if count == 1 { byte[0] } else { panic!("the end") }))
}

fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

#[test]
fn both_halves_of_a_stream_serve_one_task() {
    run(|| {
        let (client, server) = tcp_pair();
        goruntime::future::go(async move {
            let (mut reader, mut writer) = (&server, &server);
            futures::io::copy(&mut reader, &mut writer).await.unwrap();
            AsyncWriteExt::close(&mut writer).await.unwrap();
        });
        // Far more than the buffers of the system hold, so that each direction waits.
        let data: Vec<u8> = (0..4_000_000_u32).map(|n| (n % 251) as u8).collect();
        let (mut reader, mut writer) = (&client, &client);
        let send = async {
            writer.write_all(&data).await.unwrap();
            AsyncWriteExt::close(&mut writer).await.unwrap();
        };
        let mut back = Vec::new();
        let ((), count) = block_on(async { futures::join!(send, reader.read_to_end(&mut back).map(Result::unwrap)) });
        assert!(count == data.len() && back == data);
    });
}

#[test]
fn a_task_waits_for_several_streams_at_a_time() {
    run(|| {
        let pairs: Vec<_> = (0..10).map(|_| UnixStream::pair().unwrap()).collect();
        let (readers, writers): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let all = futures::future::join_all(readers.iter().map(|mut stream| async move {
            let mut byte = [0];
            stream.read_exact(&mut byte).await.unwrap();
            byte[0]
        }));
        goruntime::go(move || {
            for (number, writer) in writers.iter().enumerate().rev() {
                goruntime::runtime::yield_now();
                put(writer, &[number as u8]);
            }
        });
        assert_eq!(block_on(all), (0..10).collect::<Vec<u8>>());
    });
}

/// A select loop over one idle stream: the same waker comes back for ever and is called when it is due.
#[test]
fn a_task_that_comes_back_often_is_woken() {
    run(|| {
        let (client, server) = UnixStream::pair().unwrap();
        let writer = goruntime::spawn(move || {
            for byte in 0..100 {
                put(&client, &[byte]);
                goruntime::runtime::yield_now();
            }
        });
        let seen = block_on(async {
            let mut seen = Vec::new();
            while seen.len() < 100 {
                let (mut reader, mut byte) = (&server, [0]);
                let mut reading = pin!(reader.read(&mut byte).fuse());
                let mut tick = pin!(sleep(Duration::from_micros(50)).fuse());
                futures::select! {
                    count = reading => assert_eq!(count.unwrap(), 1),
                    () = tick => continue,
                }
                seen.push(byte[0]);
            }
            seen
        });
        writer.join().unwrap();
        assert_eq!(seen, (0..100).collect::<Vec<u8>>());
    });
}

/// Tasks and goroutines read the same socket: each byte comes to one of them, and as many of them end.
#[test]
fn tasks_and_goroutines_share_a_side() {
    run(|| {
        let (client, server) = UnixStream::pair().unwrap();
        let server = Arc::new(server);
        let total = Arc::new(AtomicUsize::new(0));
        let mut readers = Vec::new();
        for id in 0..6 {
            let (server, total) = (Arc::clone(&server), Arc::clone(&total));
            readers.push(goruntime::spawn(move || {
                let (mut stream, mut byte) = (&*server, [0]);
                loop {
                    let count = if id % 2 == 0 {
                        std::io::Read::read(&mut stream, &mut byte).unwrap()
                    } else {
                        block_on(AsyncReadExt::read(&mut stream, &mut byte)).unwrap()
                    };
                    if count == 0 {
                        return;
                    }
                    total.fetch_add(usize::from(byte[0]), Ordering::Relaxed);
                }
            }));
        }
        for byte in 1..=200 {
            put(&client, &[byte]);
            goruntime::runtime::yield_now();
        }
        drop(client);
        for reader in readers {
            reader.join().unwrap();
        }
        assert_eq!(total.load(Ordering::Relaxed), (1..=200).sum::<usize>());
    });
}

/// More tasks than have a place from the start: none is forgotten, and while nothing comes none is polled any more.
#[test]
fn many_tasks_may_wait_for_one_side() {
    run(|| {
        let (client, server) = UnixStream::pair().unwrap();
        let server = Arc::new(server);
        let polls = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..12)
            .map(|_| {
                let (server, polls) = (Arc::clone(&server), Arc::clone(&polls));
                goruntime::future::spawn(async move {
                    let (mut stream, mut byte) = (&*server, [0]);
                    let mut reading = pin!(stream.read_exact(&mut byte));
                    poll_fn(|cx| {
                        polls.fetch_add(1, Ordering::Relaxed);
                        reading.as_mut().poll(cx)
                    })
                    .await
                    .unwrap();
                    usize::from(byte[0])
                })
            })
            .collect();
        let mut last = 0;
        while last < 12 || last != polls.load(Ordering::Relaxed) {
            last = polls.load(Ordering::Relaxed);
            goruntime::time::sleep(Duration::from_millis(20));
        }
        for byte in 0..12 {
            put(&client, &[byte]);
            goruntime::runtime::yield_now();
        }
        assert_eq!(tasks.into_iter().map(|task| task.join().unwrap()).sum::<usize>(), (0..12).sum());
    });
}

#[test]
fn a_close_wakes_the_task() {
    run(|| {
        let (_client, server) = tcp_pair();
        let other = server.try_clone().unwrap();
        let task = goruntime::future::spawn(async move { (&server).read(&mut [0; 8]).await });
        goruntime::runtime::yield_now();
        other.close().unwrap();
        assert!(Closed::is_source_of(&task.join().unwrap().unwrap_err()));
    });
}

#[test]
fn a_deadline_wakes_the_task_and_holds_for_later_polls() {
    run(|| {
        let (client, server) = tcp_pair();
        let begin = Instant::now();
        server.set_read_deadline(Some(begin + Duration::from_millis(20))).unwrap();
        let error = block_on((&server).read(&mut [0; 8])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(error.to_string().ends_with(": i/o timeout"), "{error}");
        assert!(begin.elapsed() >= Duration::from_millis(20));
        put(&client, b"x");
        assert_eq!(block_on((&server).read(&mut [0; 8])).unwrap_err().kind(), ErrorKind::TimedOut);
        server.set_read_deadline(None).unwrap();
        assert_eq!(block_on((&server).read(&mut [0; 8])).unwrap(), 1);
    });
}

#[test]
fn a_deadline_that_is_set_while_a_task_waits_wakes_it() {
    run(|| {
        let (_client, server) = tcp_pair();
        let other = server.try_clone().unwrap();
        let task = goruntime::future::spawn(async move { (&server).read(&mut [0; 8]).await });
        goruntime::runtime::yield_now();
        other.set_deadline(Some(Instant::now())).unwrap();
        assert_eq!(task.join().unwrap().unwrap_err().kind(), ErrorKind::TimedOut);
    });
}

/// A read that is given up takes nothing away.
#[test]
fn a_read_that_is_dropped_loses_no_data() {
    run(|| {
        let (client, server) = UnixStream::pair().unwrap();
        let mut buf = [0; 8];
        block_on(timeout(Duration::from_millis(1), (&server).read(&mut buf))).unwrap_err();
        put(&client, b"kept");
        assert_eq!(block_on((&server).read(&mut buf)).unwrap(), 4);
        assert_eq!(&buf[..4], b"kept");
    });
}

/// A waker of another runtime is called by a goroutine, once for an announcement.
#[test]
fn a_foreign_waker_is_called_once() {
    let (told, waker, rx) = told();
    run(move || {
        let (client, server) = UnixStream::pair().unwrap();
        assert!(poll_read(&server, &waker).is_pending());
        assert!(poll_read(&server, &waker).is_pending());
        put(&client, b"ab");
        rx.recv().unwrap();
        assert_eq!(told.calls.load(Ordering::SeqCst), 1);
        assert_eq!(poll_read(&server, &waker).map(Result::unwrap), Poll::Ready(b'a'));
        assert_eq!(poll_read(&server, &waker).map(Result::unwrap), Poll::Ready(b'b'));
        assert!(poll_read(&server, &waker).is_pending());
        drop(server);
        // In vain, but it has been told so.
        rx.recv().unwrap();
        assert_eq!(told.calls.load(Ordering::SeqCst), 2);
    });
}

/// What a socket keeps of a task ends with the socket.
#[test]
fn a_socket_that_is_gone_keeps_no_waker() {
    let (told, waker, _rx) = told();
    run(move || {
        let (client, server) = UnixStream::pair().unwrap();
        assert!(poll_read(&server, &waker).is_pending());
        drop((client, server));
        drop(waker);
        while Arc::strong_count(&told) > 1 {
            goruntime::runtime::yield_now();
        }
    });
}

/// The streams in an executor that knows nothing of goroutines, on a plain thread.
#[test]
fn another_executor_on_a_plain_thread_can_wait_for_streams() {
    let (client, server) = UnixStream::pair().unwrap();
    let writer = std::thread::spawn(move || {
        for byte in 0..50 {
            put(&client, &[byte]);
            std::thread::yield_now();
        }
    });
    let mut data = Vec::new();
    futures::executor::block_on((&server).read_to_end(&mut data)).unwrap();
    writer.join().unwrap();
    assert_eq!(data, (0..50).collect::<Vec<u8>>());
}

/// The same in tokio's executor, with tokio's traits, and a goroutine at the other end.
#[test]
fn tokio_can_wait_for_streams() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let echo = goruntime::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut copy = stream.try_clone().unwrap();
        std::io::copy(&mut stream, &mut copy).unwrap();
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let back = runtime.block_on(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let stream = tokio::task::spawn_blocking(move || TcpStream::connect(addr).unwrap()).await.unwrap();
        let (mut reader, mut writer) = tokio::io::split(stream);
        let sending = tokio::spawn(async move {
            writer.write_all(&vec![7; 1_000_000]).await.unwrap();
            writer.shutdown().await.unwrap();
        });
        let mut back = Vec::new();
        reader.read_to_end(&mut back).await.unwrap();
        sending.await.unwrap();
        back
    });
    echo.join().unwrap();
    assert!(back == vec![7; 1_000_000]);
}

#[test]
fn a_task_can_accept() {
    run(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let server = goruntime::future::spawn(async move {
            let mut sum = 0;
            for _ in 0..20 {
                let (stream, _) = listener.accept_async().await.unwrap();
                let mut byte = [0];
                (&stream).read_exact(&mut byte).await.unwrap();
                sum += u32::from(byte[0]);
            }
            sum
        });
        for byte in 0..20 {
            put(&TcpStream::connect(addr).unwrap(), &[byte]);
        }
        assert_eq!(server.join().unwrap(), (0..20).sum());
    });
}

#[test]
fn an_accept_that_is_dropped_loses_no_connection() {
    run(|| {
        let directory = std::env::temp_dir().join(format!("goruntime-bridge-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        assert!(block_on(timeout(Duration::from_millis(1), listener.accept_async())).is_err());
        let client = UnixStream::connect(&path).unwrap();
        let (mut stream, _) = block_on(listener.accept_async()).unwrap();
        drop(client);
        assert_eq!(std::io::Read::read(&mut stream, &mut [0]).unwrap(), 0);
        std::fs::remove_dir_all(&directory).unwrap();
    });
}

/// Sockets come and go while tasks wait for them: the descriptors are used again, and no wake-up goes astray.
#[test]
fn descriptors_are_used_again_without_loss() {
    run(|| {
        let workers: Vec<_> = (0..8)
            .map(|id| {
                goruntime::spawn(move || {
                    for round in 0..200_u32 {
                        let (client, server) = UnixStream::pair().unwrap();
                        let writer = goruntime::spawn(move || {
                            if (round + id) % 3 != 0 {
                                put(&client, &[1]);
                            }
                        });
                        let count = block_on((&server).read(&mut [0])).unwrap();
                        assert_eq!(count, usize::from((round + id) % 3 != 0));
                        writer.join().unwrap();
                    }
                })
            })
            .collect();
        for worker in workers {
            worker.join().unwrap();
        }
    });
}

#[test]
fn the_end_of_writing_is_no_error_when_the_peer_has_gone() {
    run(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (peer, _) = listener.accept().unwrap();
        // Closed with something left to be read, it resets the connection.
        put(&stream, b"unread");
        drop((peer.peek(&mut [0]).unwrap(), peer));
        block_on(async {
            let error = stream.read(&mut [0]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            AsyncWriteExt::close(&mut stream).await.unwrap();
            tokio::io::AsyncWriteExt::shutdown(&mut stream).await.unwrap();
            std::future::poll_fn(|cx| hyper::rt::Write::poll_shutdown(Pin::new(&mut stream), cx)).await.unwrap();
        });
    });
}
