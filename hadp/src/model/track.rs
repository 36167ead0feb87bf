//! What a router tracks, and what that does to it.

/// An entry of `track_interface` or `track_bfd`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Track {
    /// What is tracked.
    pub object: Tracked,
    /// What its state does.
    pub effect: Effect,
    /// `reverse`: with weight 0, it counts as failed while it is up; with any other, what would be added is subtracted.
    pub reverse: bool,
}

/// A tracked object.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Tracked {
    /// An interface, by name: up, with carrier.
    Interface(String),
    /// A `bfd_instance`, by name: Up.
    Bfd(String),
}

/// What the state of a tracked object does to a router.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Effect {
    /// Weight 0: while it has failed, the router cannot run.
    Fault,
    /// A positive weight is added to the priority while it is up, a negative one while it has failed; the sum stays
    /// within 1..=254.
    Weight(i16),
}

/// `fast_failover`, hadp's own keyword: BFD-down to the Active router acts as Active_Down_Timer's expiry.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FastFailover {
    /// The `bfd_instance`s that count; none means every one whose neighbour sends the Active router's adverts.
    pub sessions: Vec<String>,
}
