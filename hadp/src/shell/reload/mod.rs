//! Reload: the configuration is read again, and what runs is brought in line with it.
//!
//! ```text
//!   SIGHUP, `hadp reload` ─► read, on a thread that may wait ─► refused: nothing changes, and the asker is told why
//!                                                           └► wanted ─► fit: what differs is done, but for what waits
//!                                                                          ▲           for a router that leaves
//!        a router, or a session, that was to leave has left ───────────────┘
//! ```
//!
//! What is wanted stays until all of it is done. A later reload replaces it, whatever is under way.

mod difference;
mod global;
mod routers;
mod sessions;

use std::{collections::BTreeMap, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    time,
};
use tracing::{error, info, warn};

pub(super) use self::routers::Former;
use super::{start::Paths, supervisor::Supervisor};
use crate::{
    config::{self, Loaded, Severity},
    model::Config,
    observe::control::{Answer, READING, Reload as Outcome, Reloaded},
    proto::Slot,
};

/// Those who wait for an answer.
type Askers = Vec<oneshot::Sender<Answer>>;

/// What has been read, or why nothing has.
pub(super) type Read = Result<Loaded, String>;

/// What has been asked for, and how far it is.
pub(super) struct Reload {
    options: config::Options,
    paths: Paths,
    /// Where what has been read is told.
    read: mpsc::Sender<Read>,
    /// Who asked for what is being read; `None` while nothing is.
    reading: Option<Askers>,
    /// Who asked since: the file may have changed behind what was read.
    again: Option<Askers>,
    /// What is not done yet.
    wanted: Option<Config>,
    /// Routers that are to take something up once the datapath has its tables, and what they run as until then.
    pub(super) untold: BTreeMap<Slot, Former>,
    /// The daemon stops.
    has_ended: bool,
}

impl Reload {
    /// Starts with nothing to do; what is read comes by the other end.
    pub(super) fn new(options: config::Options, paths: Paths) -> (Self, mpsc::Receiver<Read>) {
        let (read, loaded) = mpsc::channel(1);
        (
            Self {
                options,
                paths,
                read,
                reading: None,
                again: None,
                wanted: None,
                untold: BTreeMap::new(),
                has_ended: false,
            },
            loaded,
        )
    }

    /// Has the configuration read, for `asker` if there is one.
    pub(super) fn ask(&mut self, asker: Option<oneshot::Sender<Answer>>) {
        match &mut self.reading {
            Some(_) => self.again.get_or_insert_default().extend(asker),
            None => {
                self.reading = Some(asker.into_iter().collect());
                let (options, path, read) =
                    (self.options.clone(), self.paths.config.clone(), self.read.clone());
                tokio::spawn(async move {
                    let outcome = read_within(READING, move || config::load(&path, &options)).await;
                    // The supervisor may have ended.
                    drop(read.send(outcome).await);
                });
            }
        }
    }

    /// Gives up what is not done yet, and all that may be asked for: the daemon stops.
    pub(super) fn end(&mut self) {
        self.has_ended = true;
        self.wanted = None;
    }

    /// Tells whether the daemon stops.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }
}

impl Supervisor {
    /// Takes up what has been read, and tells who asked.
    pub(super) async fn reload(&mut self, loaded: Read) {
        let askers = self.reload.reading.take().unwrap_or_default();
        let outcome = self.take_up(loaded).await;
        for asker in askers {
            // It may have gone.
            drop(asker.send(Answer::Reload(outcome.clone())));
        }
        if let Some(again) = self.reload.again.take() {
            self.reload.ask(None);
            self.reload.reading = Some(again);
        }
    }

    async fn take_up(&mut self, loaded: Read) -> Outcome {
        let path = self.paths.config.display().to_string();
        let mut problems = Vec::new();
        let refused = |why: String, mut problems: Vec<String>| {
            error!("{why}");
            problems.push(why);
            Outcome::Refused { problems }
        };
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(why) => return refused(format!("{path}: not reloaded: {why}"), problems),
        };
        for problem in loaded.report.diagnostics() {
            let line = problem.compact();
            match problem.severity {
                Severity::Error | Severity::Security => error!("{line}"),
                Severity::Warning | Severity::Unsupported => warn!("{line}"),
            }
            problems.push(line);
        }
        let Some(config) = loaded.config else {
            return refused(format!("{path}: not reloaded: nothing has changed"), problems);
        };
        if self.reload.has_ended {
            return refused(format!("{path}: not reloaded: the daemon is stopping"), problems);
        }
        if let Err(why) = fits(&config) {
            return refused(format!("{path}: not reloaded: {why}"), problems);
        }
        let mut done = Reloaded { warnings: problems, ..Reloaded::default() };
        self.change_global(&config.global, &mut done);
        self.reload.wanted = Some(config);
        self.fit(&mut done).await;
        info!("{path}: reloaded: {}", done.summary());
        Outcome::Done(Box::new(done))
    }

    /// Brings what runs in line with what is wanted, as far as that can be done now.
    pub(super) async fn fit(&mut self, done: &mut Reloaded) {
        let Some(wanted) = self.reload.wanted.take() else {
            // What has left is followed no more.
            self.follow_anew(&BTreeMap::new()).await;
            return;
        };
        let plan = self.routers_to(&wanted.routers);
        self.dismiss(&plan, done);
        let sessions_wait = self.change_sessions(&wanted.bfd, &plan, done);
        let (changed, routers_wait) = self.change_routers(&wanted.routers, &plan, done);
        self.follow_anew(&changed).await;
        if !self.reach.followers.guards().refused().is_empty() {
            // Numbers that were taken until now are free.
            self.follow_anew(&changed).await;
        }
        self.put_in_force(changed);
        self.detach_unneeded();
        if sessions_wait || routers_wait {
            self.reload.wanted = Some(wanted);
        }
    }
}

/// Reads on a thread that may wait. A file system that does not answer, or a fault of the reader, ends that reading and no
/// later one; its thread, if it waits still, is left to itself.
async fn read_within(
    patience: Duration,
    read: impl FnOnce() -> Loaded + Send + 'static,
) -> Result<Loaded, String> {
    match time::timeout(patience, tokio::task::spawn_blocking(read)).await {
        Ok(Ok(loaded)) => Ok(loaded),
        Ok(Err(_)) => Err("the reader has failed, which is a bug of hadp".to_owned()),
        Err(_) => Err(format!("it could not be read within {} s", patience.as_secs())),
    }
}

/// Tells why a configuration would not fit the maps, if it would not.
fn fits(config: &Config) -> Result<(), String> {
    super::roster::Roster::new(config.routers.clone(), &[], |_| None).map_err(|error| error.to_string())?;
    super::neighbors::Neighbors::new(config.bfd.clone()).map_err(|error| error.to_string())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_reading_that_fails_or_takes_too_long_is_answered() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (hang, hangs) = std::sync::mpsc::channel::<()>();
        runtime.block_on(async {
            let load = || config::load(Path::new("/nonexistent"), &config::Options::default());
            let read = read_within(READING, load).await.unwrap();
            assert!(read.config.is_none());
            let failed = read_within(READING, || panic!("a bug")).await.unwrap_err();
            assert!(failed.contains("failed"), "{failed}");
            let hung = move || {
                let _ = hangs.recv(); // until the end of the test
                load()
            };
            let late = read_within(Duration::from_millis(20), hung).await.unwrap_err();
            assert!(late.contains("within"), "{late}");
        });
        drop(hang);
    }
}
