//! `bfd_instance`.

use super::{Vocab, kw};

/// `bfd_instance`.
pub(super) static INSTANCE: Vocab = Vocab {
    name: "bfd_instance",
    keywords: &[
        kw("neighbor_ip", 1, 1),
        kw("neighbour_ip", 1, 1),
        kw("source_ip", 1, 1),
        kw("min_rx", 1, 1),
        kw("min_tx", 1, 1),
        kw("idle_tx", 1, 1),
        kw("multiplier", 1, 1),
        kw("passive", 0, 0),
        kw("ttl", 1, 1),
        kw("hoplimit", 1, 1),
        kw("max_hops", 1, 1),
        kw("multihop", 0, 1),
        kw("weight", 1, 2),
        kw("vrrp", 0, 0),
        kw("checker", 0, 0),
    ],
};
