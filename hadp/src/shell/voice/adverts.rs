//! Sending adverts, and finding out whether the ones before have left.

use std::{collections::btree_map::Entry, io, time::Duration};

use super::{Advertised, Road, Stuck, Voice};
use crate::{
    net::{
        frames::{Line, Message},
        lanes::{Flow, Lanes},
        packet::{PacketSocket, Sent},
    },
    shell::{clock, orders::Due},
    units::Time,
};

impl Voice {
    /// Sends adverts: those by multicast of one interface and pace together, as far as one system call goes. Appends what
    /// became of each.
    pub(in crate::shell) fn advertise(&mut self, batch: &[Due], out: &mut Vec<Advertised>) {
        let mut together = std::mem::take(&mut self.together);
        for due in batch {
            match self.outlets.get(due.slot).map(|outlet| outlet.message(due.priority)) {
                Some(Message::Multicast(frame)) => together.push((frame.ifindex, *due)),
                Some(Message::Unicast(_)) => out.push(self.unicast(*due)),
                // Without frames nothing leaves, and nothing is news.
                None => out.push(Advertised {
                    due: *due,
                    at: clock::now(),
                    result: Err(None),
                    stuck: None,
                    lost: false,
                }),
            }
        }
        if !together.is_sorted_by_key(|due| self.road(due)) {
            together.sort_by_key(|due| self.road(due));
        }
        let mut rest = together.as_slice();
        while let Some(first) = rest.first() {
            let road = self.road(first);
            let count = rest.iter().take_while(|other| self.road(other) == road).count();
            let (these, others) = rest.split_at(count.max(1));
            self.multicast(road, these, out);
            rest = others;
        }
        together.clear();
        self.together = together;
    }

    fn road(&self, (ifindex, due): &(u32, Due)) -> Road {
        (*ifindex, self.outlets.get(due.slot).map_or(Duration::ZERO, |outlet| outlet.every))
    }

    /// Sends adverts by multicast on one interface.
    fn multicast(&mut self, road: Road, dues: &[(u32, Due)], out: &mut Vec<Advertised>) {
        let begun = out.len();
        let mut left = dues;
        while let Some(((_, due), others)) = left.split_first() {
            // Read before they leave: no lease must run from later than the peers' timers do.
            let at = clock::now();
            let lanes = match self.roads.entry(road) {
                Entry::Occupied(lanes) => Ok(lanes.into_mut()),
                Entry::Vacant(none) => lay(road).map(|lanes| none.insert(lanes)),
            };
            let outlets = &self.outlets;
            let send = |socket: &PacketSocket| {
                let sent = socket.send(left.iter().filter_map(|(_, due)| {
                    match outlets.get(due.slot)?.message(due.priority) {
                        Message::Multicast(frame) => Some(frame),
                        Message::Unicast(_) => None,
                    }
                }));
                (sent.count > 0, sent)
            };
            let (lane, sent) = match lanes {
                Ok(lanes) => lanes.send(at, send),
                Err(error) => (None, Some(Sent { count: 0, error: Some(error) })),
            };
            if let (Some(lane), Some(Sent { count, .. })) = (lane, &sent) {
                let (done, others) = left.split_at((*count).min(left.len()));
                for (_, due) in done {
                    self.failing.remove(&due.slot);
                    if let Some(trail) = self.trails.get_mut(due.slot).filter(|_| due.priority > 0) {
                        trail.sent(lane, at);
                    }
                    out.push(Advertised { due: *due, at, result: Ok(()), stuck: None, lost: false });
                }
                left = others;
            } else {
                // Why the kernel stopped in the middle it says when asked again.
                let error =
                    sent.and_then(|sent| sent.error).unwrap_or_else(|| io::ErrorKind::WriteZero.into());
                let result = Err(self.failed(due.slot, "advert", error));
                out.push(Advertised { due: *due, at, result, stuck: None, lost: false });
                left = others;
            }
        }
        let Some(lanes) = self.roads.get_mut(&road) else { return };
        let mut flow = lanes.flow(clock::now());
        if lanes.take_losses()
            && let Some(first) = out.get_mut(begun)
        {
            first.lost = true;
        }
        for advertised in out.iter_mut().skip(begun) {
            if let Some(trail) = self.trails.get_mut(advertised.due.slot) {
                advertised.stuck = stuck(&mut flow, trail.left(lanes));
            }
        }
    }

    /// Sends an advert to each peer; it has left if one of them could be reached.
    ///
    /// Whether it is kept in a queue is not asked: what goes to a peer that does not answer ARP is kept too, by the kernel, for
    /// seconds and again and again, and a node whose peers are all dead must not lose its lease by that.
    fn unicast(&mut self, due: Due) -> Advertised {
        let at = clock::now();
        let mut result = Err(io::ErrorKind::NotConnected.into());
        if let Some(outlet) = self.outlets.get(due.slot)
            && let (Message::Unicast(peers), Line::Peers(socket)) =
                (outlet.message(due.priority), &outlet.line)
        {
            for (peer, message) in peers {
                // One peer out of reach does not keep the others from hearing.
                let sent = socket.send(message, *peer);
                if result.is_err() {
                    result = sent;
                }
            }
        }
        let result = match result {
            Ok(()) => {
                self.failing.remove(&due.slot);
                Ok(())
            }
            Err(error) => Err(self.failed(due.slot, "advert", error)),
        };
        Advertised { due, at, result, stuck: None, lost: false }
    }
}

/// Makes the lanes of a road.
pub(super) fn lay((_, every): Road) -> io::Result<Lanes<PacketSocket>> {
    let [a, b, c, d, e, f] = std::array::from_fn(|_| PacketSocket::urgent());
    Ok(Lanes::shared([a?, b?, c?, d?, e?, f?], every))
}

/// Returns what to tell of an advert; what is news is so of one alone.
fn stuck(flow: &mut Flow, left: Time) -> Option<Stuck> {
    match flow {
        Flow::Leaves => None,
        Flow::Stuck { is_news } => Some(Stuck { left, is_news: std::mem::take(is_news) }),
    }
}
