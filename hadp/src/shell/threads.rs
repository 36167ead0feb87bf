//! The threads that must not be late, as the supervisor starts and ends them.

use std::{sync::Arc, thread::JoinHandle};

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender, WeakUnboundedSender};
use tracing::error;

use super::{
    driver::{self, Parts},
    heartbeat::{self, Heartbeat, Hearts, News, Order},
    lateness::Lateness,
    messages::{Command, Notice},
    placer::Placer,
    recorder::Recorder,
    start::{StartError, failed},
    vital::{Alarm, Vital},
    watch::Senses,
};
use crate::{companion::Lifeline, datapath::Xdp, model::Global, proto::bfd::Followers};

/// The election thread, the one it orders addresses from, and the heartbeat.
pub(super) struct Threads {
    pub(super) placer: Placer,
    pub(super) heartbeat: Heartbeat,
    /// How late the election's timer is.
    pub(super) lateness: Arc<Lateness>,
    commands: UnboundedSender<Command>,
    election: JoinHandle<()>,
    sending: Hearts,
}

impl Threads {
    /// Starts both on the datapath.
    ///
    /// # Errors
    ///
    /// When a thread, its sockets or its timer cannot be had; neither runs then.
    pub(super) fn start(
        datapath: &mut Xdp,
        followers: Followers,
        global: &Global,
        lifeline: Lifeline,
        recorder: Option<Recorder>,
    ) -> Result<(Self, UnboundedReceiver<Notice>), StartError> {
        let (commands, obeyed) = mpsc::unbounded_channel();
        let (told, notices) = mpsc::unbounded_channel();
        let events = datapath.events().map_err(|error| StartError::Events(error.into()))?;
        let events = events.ok_or_else(|| StartError::Events("it is in use already".into()))?;
        let (heartbeat, sending) = heartbeat::spawn(heartbeat::Parts {
            guards: datapath.guards(),
            heard: datapath.bfd_sessions(),
            news: news(commands.clone()),
            alarm: Alarm::new(Vital::Heartbeat, told.clone()),
            realtime: global.bfd.clone(),
        })
        .map_err(failed("start the heartbeat"))?;
        let (progress, placed) = mpsc::unbounded_channel();
        let placer = match Placer::spawn(global.election.clone(), progress, told.clone()) {
            Ok(placer) => placer,
            Err(error) => {
                stop(&heartbeat, sending);
                return Err(failed("start the thread for addresses")(error));
            }
        };
        let lateness = Arc::<Lateness>::default();
        let election = driver::spawn(Parts {
            datapath: datapath.election(),
            events,
            commands: obeyed,
            notices: told,
            realtime: global.election.clone(),
            senses: Senses {
                heartbeat: heartbeat.clone(),
                heard: datapath.bfd_sessions(),
                guards: datapath.guards(),
                followers,
            },
            lateness: Arc::clone(&lateness),
            placer: placer.clone(),
            placed,
            lifeline,
            recorder,
        });
        match election {
            Ok(election) => Ok((Self { placer, heartbeat, lateness, commands, election, sending }, notices)),
            Err(error) => {
                stop(&heartbeat, sending);
                Err(failed("start the election thread")(error))
            }
        }
    }

    /// Gives the election an order.
    pub(super) fn command(&self, command: Command) {
        if self.commands.send(command).is_err() {
            error!("the election thread is gone");
        }
    }

    /// Returns where the election takes orders, for as long as there is one.
    pub(super) fn orders(&self) -> WeakUnboundedSender<Command> {
        self.commands.downgrade()
    }

    /// Ends both, the heartbeat last.
    pub(super) fn end(self) {
        drop(self.commands);
        // The heartbeat can give orders too; the election has ended, or ends when told to.
        stop(&self.heartbeat, self.sending);
        if self.election.join().is_err() {
            error!("the election thread panicked");
        }
    }
}

fn stop(heartbeat: &Heartbeat, hearts: Hearts) {
    heartbeat.order(Order::Stop);
    if !hearts.join() {
        error!("the heartbeat panicked");
    }
}

/// Passes the heartbeat's news on to the election.
fn news(commands: UnboundedSender<Command>) -> Box<dyn Fn(News) + Send> {
    Box::new(move |news| {
        let command = match news {
            News::Lapsed(guard) => Command::GuardLapsed(guard),
            News::Failing(id, error) => Command::Unheard { id, error },
            News::Behind { session, asked, kept } => Command::Behind { id: session, asked, kept },
            News::Packet(id, received) => Command::Packet { id, received },
        };
        // Without an election nothing is renewed, and its leases run out.
        drop(commands.send(command));
    })
}
