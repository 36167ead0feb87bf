//! The BFD sessions in the status.

use std::time::Duration;

use super::{
    lateness::Lateness,
    messages::SessionView,
    neighbors::Neighbor,
    report::{millis, reason},
    supervisor::Supervisor,
};
use crate::{
    observe::snapshot::{self, Bucket},
    proto::bfd::SessionId,
    units::Time,
};

/// Describes every session of the configuration.
pub(super) fn describe(supervisor: &Supervisor, views: &[SessionView], now: Time) -> Vec<snapshot::Session> {
    let view = |id| views.iter().find(|view| view.id == id);
    let mut neighbors: Vec<_> =
        supervisor.reach.neighbors.iter().filter(|(_, neighbor)| !neighbor.leaving).collect();
    neighbors.sort_by_key(|(_, neighbor)| neighbor.position);
    neighbors.into_iter().map(|(id, neighbor)| session(supervisor, id, neighbor, view(id), now)).collect()
}

fn session(
    supervisor: &Supervisor,
    id: SessionId,
    neighbor: &Neighbor,
    view: Option<&SessionView>,
    now: Time,
) -> snapshot::Session {
    let sent = supervisor.threads.heartbeat.shown().sent(id);
    let site = neighbor.site.as_ref();
    let state = view.map_or("Waiting", |view| view.state.name());
    let last_heard = view.map(|view| view.last_heard).filter(|at| *at != Time::ZERO);
    snapshot::Session {
        name: neighbor.instance.name.clone(),
        neighbor: neighbor.instance.neighbor,
        source: site.map(|site| site.source),
        interface: site.map(|site| site.interface.1.clone()),
        state: state.to_owned(),
        reason: view.and_then(|view| reason(view.diag)).map(str::to_owned),
        since_ms: view.map_or(0, |view| millis(now, view.since)),
        remote: view.and_then(|view| view.remote).map(|remote| snapshot::Remote {
            state: remote.state.name().to_owned(),
            diag: remote.diag,
            min_tx_us: micros(remote.desired_min_tx),
            min_rx_us: micros(remote.required_min_rx),
            multiplier: remote.multiplier,
        }),
        transmit_us: view.and_then(|view| view.transmit).map_or(0, micros),
        detection_us: view.and_then(|view| view.detection).map_or(0, micros),
        last_packet_us: last_heard.map(|at| micros(now.since(at))),
        received: view.map_or(0, |view| view.heard),
        sent: sent.packets,
        unsent: sent.failures,
        kept_us: sent.kept.map(micros),
        ups: view.map_or(0, |view| view.counts.ups),
        downs: view.map_or(0, |view| view.counts.downs),
        damped: view.is_some_and(|view| view.damped),
    }
}

/// Describes how late a thread wakes up.
pub(super) fn lateness(lateness: &Lateness) -> snapshot::Lateness {
    let buckets = (0..).zip(lateness.counts()).filter(|(_, count)| *count > 0);
    snapshot::Lateness {
        longest_us: lateness.longest_us(),
        buckets: buckets.map(|(power, count)| Bucket { below_us: 1 << power, count }).collect(),
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
