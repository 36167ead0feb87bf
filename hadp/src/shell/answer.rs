//! What the daemon answers on its control socket.

use std::{net::IpAddr, time::Duration};

use tokio::{sync::oneshot, time};

use super::{
    messages::{Command, Handover},
    supervisor::Supervisor,
};
use crate::observe::{
    control::{Answer, Failover, Request},
    snapshot::ActiveRouter,
};

/// How long the election thread may take over a description of itself.
const PATIENCE: Duration = Duration::from_secs(1);

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
                let (tell, told) = oneshot::channel();
                self.command(Command::Resign { slot, reply: tell });
                // Until a successor has been heard.
                tokio::spawn(async move {
                    let answer =
                        told.await.map_or_else(|_| silent(), |handover| Answer::Failover(describe(handover)));
                    drop(reply.send(answer));
                });
            }
        }
    }
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
