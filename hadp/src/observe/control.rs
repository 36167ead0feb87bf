//! The control socket: one JSON request a line, one JSON answer a line.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Write as _},
    net::IpAddr,
    os::unix::{fs::PermissionsExt as _, net::UnixStream as Client},
    path::Path,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    sync::{mpsc, oneshot},
    time::timeout,
};
use tracing::{debug, warn};

pub use super::reload::{Changes, Reload, Reloaded};
use super::snapshot::{ActiveRouter, Snapshot};

/// The longest request line accepted, in octets.
const MAX_REQUEST: u64 = 4096;
/// How long a client may take over a request or an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest interval of adverts, in whole seconds, that v2 can carry.
const LONGEST_INTERVAL: Duration = Duration::from_secs(255);

/// How long the daemon may take to read its configuration, and to put it in force.
pub(crate) const READING: Duration = Duration::from_secs(60);

/// What a client may ask.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", tag = "command")]
pub enum Request {
    /// The state of the node.
    Status,
    /// That another node takes a virtual router over.
    Failover {
        /// The router's name.
        instance: String,
    },
    /// That the configuration is read again.
    Reload,
}

impl Request {
    /// Returns how long to wait for the answer: a successor may wait out its Skew_Time, which is an interval at most, and is asked
    /// twice.
    fn patience(&self) -> Duration {
        match self {
            Self::Status => PATIENCE,
            Self::Failover { .. } => 2 * LONGEST_INTERVAL + PATIENCE,
            Self::Reload => READING + PATIENCE,
        }
    }
}

/// What it is answered.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The state of the node.
    Status(Box<Snapshot>),
    /// What became of a failover.
    Failover(Failover),
    /// What became of a reload.
    Reload(Reload),
    /// Why there is no better answer.
    Error(String),
}

/// What became of a failover that was asked for.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failover {
    /// Another node is Active.
    HandedOver {
        /// Its address.
        to: IpAddr,
        /// How long it took from the request to its first advert, in microseconds.
        took_us: u64,
    },
    /// Nobody took over, and this node is Active as before.
    Kept,
    /// This node was not Active, or something else ended that first.
    NotActive {
        /// The state it is in.
        state: String,
        /// The Active router it follows, if it knows one.
        active: Option<ActiveRouter>,
    },
    /// There is no such router.
    Unknown {
        /// Those there are.
        instances: Vec<String>,
    },
}

/// A request with the place for its answer.
pub type Asked = (Request, oneshot::Sender<Answer>);

/// Listens on `path`, mode 0600, and passes requests on to `asked`.
///
/// A socket file that a dead daemon left is replaced; the lock on the pins tells that it is dead.
///
/// # Errors
///
/// When the socket cannot be created.
pub fn serve(path: &Path, asked: mpsc::Sender<Asked>) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let asked = asked.clone();
                    tokio::spawn(async move {
                        if let Err(error) = converse(stream, asked).await {
                            debug!(%error, "control connection ended early");
                        }
                    });
                }
                Err(error) => {
                    // Out of descriptors, as a rule: wait for some to come back.
                    warn!(%error, "cannot accept a control connection");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    });
    Ok(())
}

async fn converse(stream: UnixStream, asked: mpsc::Sender<Asked>) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = Vec::new();
    let mut limited = tokio::io::BufReader::new(read.take(MAX_REQUEST));
    timeout(PATIENCE, limited.read_until(b'\n', &mut line)).await??;
    let answer = match serde_json::from_slice::<Request>(&line) {
        Ok(request) => {
            let (reply, replied) = oneshot::channel();
            match asked.send((request, reply)).await {
                Ok(()) => {
                    replied.await.unwrap_or_else(|_| Answer::Error("the daemon is stopping".to_owned()))
                }
                Err(_) => Answer::Error("the daemon is stopping".to_owned()),
            }
        }
        Err(error) => Answer::Error(format!("request not understood: {error}")),
    };
    let mut text = serde_json::to_vec(&answer)?;
    text.push(b'\n');
    timeout(PATIENCE, write.write_all(&text)).await?
}

/// Asks the daemon that listens on `path`.
///
/// # Errors
///
/// When none listens, or it does not answer in time.
pub fn ask(path: &Path, request: &Request) -> io::Result<Answer> {
    let mut stream = Client::connect(path)?;
    stream.set_read_timeout(Some(request.patience()))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut text = serde_json::to_vec(request)?;
    text.push(b'\n');
    stream.write_all(&text)?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nonsense_is_answered_with_its_reason() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control");
        let (asked, mut requests) = mpsc::channel(1);
        serve(&path, asked).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        for (sent, fragment) in [
            (&b"{\"command\":\"reboot\"}\n"[..], "unknown variant `reboot`"),
            (b"\xff\xfe\n", "request not understood"),
            (&[b'['; 6000], "request not understood"),
        ] {
            let mut stream = UnixStream::connect(&path).await.unwrap();
            stream.write_all(sent).await.unwrap();
            stream.shutdown().await.ok();
            let mut answer = String::new();
            // A client that sends more than is read may see a reset behind the answer.
            stream.read_to_string(&mut answer).await.ok();
            assert!(answer.contains(fragment) || sent.len() > 4096, "{answer}");
        }
        assert!(requests.try_recv().is_err());
        let client = tokio::task::spawn_blocking(move || ask(&path, &Request::Status));
        let (request, reply) = requests.recv().await.unwrap();
        assert!(matches!(request, Request::Status));
        reply.send(Answer::Error("busy".to_owned())).unwrap();
        assert!(matches!(client.await.unwrap().unwrap(), Answer::Error(reason) if reason == "busy"));
    }
}
