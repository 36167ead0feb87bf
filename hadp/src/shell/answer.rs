//! What the daemon answers on its control socket.

use std::{net::IpAddr, time::Duration};

use tokio::{
    sync::{mpsc::WeakUnboundedSender, oneshot},
    time,
};

use super::{
    clock,
    messages::{Command, Handover},
    supervisor::Supervisor,
};
use crate::{
    observe::{
        control::{Answer, Failover, Request},
        snapshot::ActiveRouter,
    },
    proto::Slot,
};

/// How long the election thread may take over a description of itself.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often a router is offered to the others.
const TRIES: u32 = 2;

impl Supervisor {
    /// Answers a request; one that takes long is answered while other work goes on.
    pub(super) async fn answer(&mut self, request: Request, reply: oneshot::Sender<Answer>) {
        match request {
            Request::Status => {
                let (tell, told) = oneshot::channel();
                self.command(Command::Inspect(tell));
                // The asker may have gone, here and below.
                drop(reply.send(match time::timeout(PATIENCE, told).await {
                    Ok(Ok(views)) => Answer::Status(Box::new(self.snapshot(&views))),
                    _ => silent(),
                }));
            }
            // Answered once the file has been read.
            Request::Reload => self.reload.ask(Some(reply)),
            Request::Failover { instance } => {
                let mut known = self.roster.iter().filter(|(_, entry)| !entry.leaving);
                let Some((slot, _)) = known.find(|(_, entry)| entry.router.name == instance) else {
                    let known = self.roster.iter().filter(|(_, entry)| !entry.leaving);
                    let instances = known.map(|(_, entry)| entry.router.name.clone()).collect();
                    drop(reply.send(Answer::Failover(Failover::Unknown { instances })));
                    return;
                };
                let election = self.threads.orders();
                tokio::spawn(async move {
                    let handover = hand_over(&election, slot).await;
                    drop(reply.send(handover.map_or_else(silent, |how| Answer::Failover(describe(how)))));
                });
            }
        }
    }
}

/// Has a router handed over, and returns what became of that once a successor has been heard or could not come any more;
/// `None` where the election does not say.
///
/// What nobody took is offered once more: the resignation may have been lost, or who heard it may have been at something else
/// for longer than it had.
async fn hand_over(election: &WeakUnboundedSender<Command>, slot: Slot) -> Option<Handover> {
    let began = clock::now();
    let mut handover = None;
    for _ in 0..TRIES {
        let (tell, told) = oneshot::channel();
        election.upgrade()?.send(Command::Resign { slot, reply: tell }).ok()?;
        let before = handover.take();
        handover = match told.await.ok() {
            Some(Handover::Done { to, .. }) if before.is_some() => {
                Some(Handover::Done { to, took: clock::now().since(began) })
            }
            told => told.or(before),
        };
        if !matches!(handover, Some(Handover::Kept)) {
            break;
        }
    }
    handover
}

fn silent() -> Answer {
    Answer::Error("the election thread does not answer".to_owned())
}

fn describe(handover: Handover) -> Failover {
    let router = |(addr, priority): (IpAddr, u8)| ActiveRouter { addr, priority };
    match handover {
        Handover::Done { to, took } => {
            Failover::HandedOver { to, took_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX) }
        }
        Handover::Kept => Failover::Kept,
        Handover::NotActive { state, following } => {
            Failover::NotActive { state: state.name().to_owned(), active: following.map(router) }
        }
    }
}
