//! A connection to the server, and the goroutine that drives it.

use std::error::Error;
use std::future::poll_fn;
use std::io;

use goruntime::JoinHandle;
use goruntime::channel::{Receiver, Sender, unbounded};
use goruntime::future::{self, block_on};
use goruntime::net::TcpStream;
use tokio_postgres::config::Host;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, NoTls, Notification};

use crate::Outcome;

/// A connection.
#[derive(Debug)]
pub(crate) struct Database {
    /// Asks, and may be shared: questions are sent one after the other without waiting for answers.
    pub(crate) client: Client,
    /// What was said on the channels that the connection listens to.
    pub(crate) notifications: Receiver<Notification>,
    driver: JoinHandle<Result<(), tokio_postgres::Error>>,
}

impl Database {
    /// Connects, and starts the goroutine that reads and writes.
    pub(crate) fn connect(config: &Config) -> Result<Database, Box<dyn Error + Send + Sync>> {
        let (client, connection) = block_on(config.connect_raw(dial(config)?, NoTls))?;
        let (tell, notifications) = unbounded();
        let driver = future::spawn(drive(connection, tell));
        Ok(Database { client, notifications, driver })
    }

    /// What has the server cancel the query that runs, from a connection of its own, as the protocol wants it.
    pub(crate) fn canceller(&self, config: &Config) -> impl FnOnce() -> Outcome + Send + use<> {
        let (token, config) = (self.client.cancel_token(), config.clone());
        move || Ok(block_on(token.cancel_query_raw(dial(&config)?, NoTls))?)
    }

    /// Says goodbye, and waits until the connection has ended.
    pub(crate) fn close(self) -> Outcome {
        drop(self.client);
        Ok(self.driver.join().expect("the driver does not panic")?)
    }
}

fn dial(config: &Config) -> io::Result<TcpStream> {
    let Some(Host::Tcp(host)) = config.get_hosts().first() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no host is named"));
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let stream = TcpStream::connect((host.as_str(), port))
        .map_err(|error| io::Error::new(error.kind(), format!("{host}:{port}: {error}")))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Reads and writes until the client is dropped, or the server ends the connection.
async fn drive<T>(
    mut connection: Connection<TcpStream, T>,
    tell: Sender<Notification>,
) -> Result<(), tokio_postgres::Error>
where
    T: tokio_postgres::tls::TlsStream + Unpin,
{
    loop {
        match poll_fn(|cx| connection.poll_message(cx)).await {
            // Nobody may listen.
            Some(Ok(AsyncMessage::Notification(notification))) => _ = tell.send(notification),
            Some(Ok(AsyncMessage::Notice(notice))) => eprintln!("postgres: {notice}"),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(error),
            None => return Ok(()),
        }
    }
}

/// An error with what has caused it: the library's own says `db error` only.
pub(crate) fn in_full(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}
