//! The thread that puts virtual addresses on their interfaces and takes them off.
//!
//! ```text
//!   election thread --Acquire, Release--> placer --netlink--> kernel
//!   supervisor -----Repair, Leave-------->   |  --Placed--> election thread (announcements may go)
//!                                            +--Notice----> supervisor (what failed, what was put back)
//! ```
//!
//! It alone changes the addresses of running routers, so no two changes can cross. It is a thread of its own because
//! every change waits for the kernel's one lock on network configuration, which others hold for as long as they like.

mod jobs;
mod place;

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, mpsc},
    thread,
};

use tokio::sync::{mpsc::UnboundedSender, oneshot};

use self::{
    jobs::{Job, Jobs},
    place::Place,
};
use super::{
    clock,
    messages::Notice,
    realtime::{Role, Turns},
    vital::{Alarm, Vital},
};
use crate::{
    model::Realtime,
    net::{
        addr::AddressError,
        address_set::{AddressSet, AddressSocket, CHUNK, Change, Outcome},
    },
    proto::Slot,
    units::Time,
};

/// What the placer is asked to do.
enum Order {
    /// Put a router's addresses on; report the progress under this number.
    Acquire { slot: Slot, addresses: Arc<AddressSet>, number: u64 },
    /// Take them off.
    Release(Slot),
    /// See to it that they are as last ordered.
    Repair(Slot),
    /// The router has left: finish with it, and tell when nothing is left of it.
    Forget(Slot),
    /// Take everything off, and say what stayed.
    Leave(oneshot::Sender<Vec<AddressError>>),
}

/// How far an acquisition has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    /// Whose.
    pub(crate) slot: Slot,
    /// Its number.
    pub(crate) number: u64,
    /// How many addresses are in place, from the front.
    pub(crate) count: usize,
    /// Since when.
    pub(crate) at: Time,
}

/// The way to the placer. When its last copy is dropped the thread ends and leaves the addresses as they are.
#[derive(Clone, Debug)]
pub(crate) struct Placer {
    orders: mpsc::Sender<Order>,
}

impl Placer {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// When it, or its socket, cannot be had.
    pub(crate) fn spawn(
        realtime: Realtime,
        progress: UnboundedSender<Placed>,
        notices: UnboundedSender<Notice>,
    ) -> io::Result<Self> {
        let socket = AddressSocket::open()?;
        let (orders, received) = mpsc::channel();
        let turns = Turns::of_placer(&realtime);
        let jobs = Jobs::default();
        let alarm = Alarm::new(Vital::Placer, notices.clone());
        let worker = Worker { socket, jobs, places: BTreeMap::new(), progress, notices, turns };
        alarm.spawn("placer", move || {
            worker.turns.enter(Role::Placer, &realtime);
            worker.run(&received);
            Ok(())
        })?;
        Ok(Self { orders })
    }

    /// Puts a router's addresses on, and reports the progress under `number`.
    pub(crate) fn acquire(&self, slot: Slot, addresses: Arc<AddressSet>, number: u64) {
        self.order(Order::Acquire { slot, addresses, number });
    }

    /// Takes off what was put on for a router.
    pub(crate) fn release(&self, slot: Slot) {
        self.order(Order::Release(slot));
    }

    /// Puts a router's addresses on, or takes them off, once more: whatever was ordered last.
    pub(crate) fn repair(&self, slot: Slot) {
        self.order(Order::Repair(slot));
    }

    /// Finishes what there is to do for a router that has left; [`Notice::Forgotten`] tells when none of its addresses is there.
    pub(crate) fn forget(&self, slot: Slot) {
        self.order(Order::Forget(slot));
    }

    /// Takes everything off and returns what failed.
    pub(crate) async fn leave(&self) -> Vec<AddressError> {
        let (reply, left) = oneshot::channel();
        self.order(Order::Leave(reply));
        left.await.unwrap_or_default()
    }

    fn order(&self, order: Order) {
        // The thread ends after all who could order anything.
        drop(self.orders.send(order));
    }
}

struct Worker {
    socket: AddressSocket,
    jobs: Jobs,
    places: BTreeMap<Slot, Place>,
    progress: UnboundedSender<Placed>,
    notices: UnboundedSender<Notice>,
    turns: Turns,
}

impl Worker {
    fn run(mut self, orders: &mpsc::Receiver<Order>) {
        loop {
            // New orders first: a release must not wait for the rest of a long acquisition.
            let order = if self.jobs.is_empty() {
                self.turns.hurry(true);
                orders.recv().map_err(|_| mpsc::TryRecvError::Disconnected)
            } else {
                orders.try_recv()
            };
            match order {
                Ok(order) => self.obey(order),
                Err(mpsc::TryRecvError::Empty) => self.work(),
                Err(mpsc::TryRecvError::Disconnected) => return,
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Acquire { slot, addresses, number } => {
                let job = Job::new(slot, Arc::clone(&addresses), Change::Add).reporting(number);
                let mut place = Place::new(Arc::clone(&addresses));
                let old = self.places.remove(&slot);
                old.iter().for_each(|old| place.inherit(old));
                self.places.insert(slot, place);
                match old {
                    Some(old) if !Arc::ptr_eq(&old.addresses, &addresses) => self.exchange(slot, &old, job),
                    _ => self.jobs.push(job),
                }
            }
            Order::Release(slot) => {
                if let Some(place) = self.places.get_mut(&slot) {
                    place.wanted = Change::Remove;
                    self.jobs.push(Job::new(slot, place.all(), Change::Remove));
                }
            }
            Order::Repair(slot) => self.repair(slot),
            Order::Forget(slot) => self.part_with(slot),
            Order::Leave(reply) => {
                // Nobody may be listening.
                drop(reply.send(self.leave()));
            }
        }
    }

    fn repair(&mut self, slot: Slot) {
        if self.places.get(&slot).is_some_and(|place| place.has_left) {
            return self.part_with(slot);
        }
        // What is under way comes to the same, but for what was left behind.
        if self.jobs.has(slot) {
            return;
        }
        self.take_off_left(slot);
        if let Some(place) = self.places.get(&slot) {
            self.jobs.push(Job::new(slot, Arc::clone(&place.addresses), place.wanted).repairing());
        }
    }

    /// Takes off once more what could not be taken off before.
    fn take_off_left(&mut self, slot: Slot) {
        let left = self.places.get_mut(&slot).map(Place::take_left).unwrap_or_default();
        let left = place::own(&self.places, slot, &left);
        if !left.is_empty() {
            self.jobs.push(Job::new(slot, Arc::new(AddressSet::new(left)), Change::Remove));
            self.finish(slot);
        }
    }

    /// Finishes with a router that has left. Where an address stays, so does the place, to be tried again: until it is off, the
    /// router's slot must stay too, since by that XDP keeps the kernel silent on it.
    fn part_with(&mut self, slot: Slot) {
        self.finish(slot);
        if let Some(place) = self.places.get_mut(&slot) {
            place.has_left = true;
            if std::mem::replace(&mut place.wanted, Change::Remove) == Change::Add {
                self.jobs.push(Job::new(slot, place.all(), Change::Remove));
                self.finish(slot);
            }
        }
        self.take_off_left(slot);
        if self.places.get(&slot).is_some_and(Place::leaves_something) {
            return;
        }
        self.places.remove(&slot);
        // When the supervisor has ended nobody wants to know.
        drop(self.notices.send(Notice::Forgotten(slot)));
    }

    /// Puts on what is new in another set, or as a rule the whole of it on another interface, and takes off what is not in
    /// it any more; what is in both stays, and so does what another router has got.
    ///
    /// With the first address of a subnet the kernel takes off the others too (net.ipv4.conf.*.promote_secondaries), so all of
    /// them are looked at once more, right behind that.
    fn exchange(&mut self, slot: Slot, old: &Place, job: Job) {
        let again = Job::new(slot, Arc::clone(&job.addresses), Change::Add);
        let gone = place::own(&self.places, slot, old.addresses.without(&job.addresses).placed());
        self.jobs.push(job);
        self.finish(slot);
        if !gone.is_empty() {
            self.jobs.push(Job::new(slot, Arc::new(AddressSet::new(gone)), Change::Remove));
            self.finish(slot);
            self.jobs.push(again);
            self.finish(slot);
        }
    }

    /// Carries out one chunk of the next job.
    fn work(&mut self) {
        let Some(mut job) = self.jobs.pop() else { return };
        let Some(mut outcome) = self.socket.change(&job.addresses, job.next, job.change) else { return };
        let slot = job.slot;
        if job.change == Change::Remove
            && let Some(place) = self.places.get_mut(&slot)
        {
            place.taken_off(job.addresses.part(job.next), std::mem::take(&mut outcome.failed));
        }
        job.next += 1;
        if let Some(number) = job.number {
            let count = job.addresses.len().min(job.next * CHUNK);
            // When the election has ended nobody wants to know.
            let _ = self.progress.send(Placed { slot, number, count, at: clock::now() });
        }
        self.report(&job, outcome);
        if job.next * CHUNK < job.addresses.len() {
            self.jobs.resume(job);
        }
        // What clients wait for most is done; as much work as a thousand routers may have is done behind the announcements
        // of the election, which perhaps has this CPU.
        self.turns.hurry(false);
        thread::yield_now();
    }

    fn report(&self, job: &Job, Outcome { changed, errors, .. }: Outcome) {
        let slot = job.slot;
        if job.is_repair && job.change == Change::Add && !changed.is_empty() {
            drop(self.notices.send(Notice::PutBack { slot, addresses: changed }));
        }
        if !errors.is_empty() {
            drop(self.notices.send(Notice::AddressesFailed { slot, errors }));
        }
    }

    /// Carries out what there is to do for a router.
    fn finish(&mut self, slot: Slot) {
        while self.jobs.has(slot) {
            self.work();
        }
    }

    fn leave(&mut self) -> Vec<AddressError> {
        let mut errors = Vec::new();
        self.jobs = Jobs::default();
        for place in std::mem::take(&mut self.places).into_values() {
            let (addresses, mut next) = (place.all(), 0);
            while let Some(outcome) = self.socket.change(&addresses, next, Change::Remove) {
                errors.extend(outcome.errors);
                next += 1;
            }
        }
        errors
    }
}
