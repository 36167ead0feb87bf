//! The daemon's end of the testament.

use std::{
    future, io,
    os::fd::{AsRawFd, FromRawFd as _, OwnedFd, RawFd},
    sync::Arc,
    time::Duration,
};

use nix::unistd::{self, getppid};
use tokio::io::{Interest, unix::AsyncFd};
use tracing::warn;

use super::{
    child::{self, Inherited},
    lifeline::Lifeline,
    record::{Record, Speech},
    testament::{Phase, Testament, Word},
};
use crate::{
    model::{OnDaemonDeath, Router},
    net::frames::{Outlet, Port},
    proto::{Config, Slot},
    units::Time,
};

/// What a daemon leaves to its companion; without a companion, nothing.
#[derive(Debug, Default)]
pub struct Will(Option<Shared>);

#[derive(Debug)]
struct Shared {
    testament: Arc<Testament>,
    /// Wakes the companion.
    bell: OwnedFd,
    parent: OwnedFd,
}

impl Will {
    /// Takes up the descriptors that a companion left open for this process, as `hadp run` was told of them.
    ///
    /// # Errors
    ///
    /// When they are not what a companion of this build leaves.
    pub fn inherit(fds: Inherited) -> io::Result<Self> {
        // SAFETY: the companion has opened them for this process alone, and they are taken up once.
        let [memory, bell] = [fds.memory, fds.bell].map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
        child::close_on_exec(&memory)?;
        child::close_on_exec(&bell)?;
        let parent = child::pidfd(getppid())?;
        Ok(Self(Some(Shared { testament: Arc::new(Testament::open(memory)?), bell, parent })))
    }

    /// Says what is to be done should this process die.
    pub fn set_policy(&self, policy: OnDaemonDeath) {
        if let Some(shared) = &self.0 {
            shared.testament.set(Word::Policy, policy as u64);
        }
    }

    /// Says how far this process has come.
    pub fn announce(&self, phase: Phase) {
        if let Some(shared) = &self.0 {
            shared.testament.set(Word::Phase, phase as u64);
            shared.ring();
        }
    }

    /// Leaves nothing of a router that has left.
    pub fn erase(&self, slot: Slot) {
        if let Some(shared) = &self.0 {
            shared.testament.write(slot, &[]);
        }
    }

    /// Leaves what is needed to speak for a router; while its peers may still go by the configuration `before`, at no slower a
    /// pace and with no longer leases than that.
    pub fn write(&self, slot: Slot, router: &Router, before: Option<&Config>, port: Port, outlet: &Outlet) {
        let Some(shared) = &self.0 else { return };
        let config = Config::from(router);
        let least =
            |span: fn(&Config) -> Duration| before.map_or(span(&config), |old| span(old).min(span(&config)));
        let speech = |message| Speech::new(message, port.source, router.ttl);
        let record = Record {
            interval: least(Config::advert_every),
            lease_span: least(Config::lease_span),
            virtual_mac: router.virtual_mac.then_some((port.ifindex, port.mac)),
            advert: speech(&outlet.advert),
            resign: speech(&outlet.resign),
        };
        if !shared.testament.write(slot, &record.encode()) {
            shared.testament.write(slot, &[]);
            warn!(
                router = router.name,
                "the adverts are too many or too long to be left to the companion: it cannot speak for this router"
            );
        }
        if router.virtual_mac {
            shared.ring();
        }
    }

    /// Returns how long ago the companion started this process; `None` without one.
    pub fn since_start(&self, now: Time) -> Option<Duration> {
        let shared = self.0.as_ref()?;
        Some(now.since(Time::from_nanos(shared.testament.get(Word::SpawnedAt))))
    }

    /// Returns how often the companion has seen a daemon die; `None` without one.
    pub fn deaths(&self) -> Option<u64> {
        self.0.as_ref().map(|shared| shared.testament.get(Word::Deaths))
    }

    /// Returns what the election thread holds on to while it lives.
    pub fn lifeline(&self) -> Lifeline {
        Lifeline::new(self.0.as_ref().map(|shared| Arc::clone(&shared.testament)))
    }

    /// Returns what tells of the companion's end, on this thread's runtime.
    pub fn companion(&self) -> Companion {
        let parent = self.0.as_ref().and_then(|shared| shared.parent.try_clone().ok());
        // SAFETY: the descriptor owns its file and returns the same number for as long as it lives.
        let register = |fd| unsafe { AsyncFd::register_with_interest(Descriptor(fd), Interest::READABLE) };
        Companion(parent.and_then(|parent| register(parent).ok()))
    }
}

impl Shared {
    fn ring(&self) {
        // A full counter has woken the companion already.
        let _ = unistd::write(&self.bell, &1u64.to_ne_bytes());
    }
}

struct Descriptor(OwnedFd);

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// The companion, as its daemon sees it.
pub struct Companion(Option<AsyncFd<Descriptor>>);

impl Companion {
    /// Waits for its end; for ever where there is none.
    pub async fn ended(&self) {
        match &self.0 {
            Some(parent) => {
                // An error would say that the pidfd cannot be watched, and then no more is known.
                if parent.readable().await.is_err() {
                    future::pending::<()>().await;
                }
            }
            None => future::pending().await,
        }
    }
}
