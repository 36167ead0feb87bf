//! `bfd_instance`.

use super::{Vocab, kw};

/// `bfd_instance`.
pub(super) static INSTANCE: Vocab = Vocab {
    name: "bfd_instance",
    keywords: &[
        kw("neighbor_ip", 1, 1).done(),
        kw("neighbour_ip", 1, 1).done(),
        kw("source_ip", 1, 1).done(),
        kw("min_rx", 1, 1).done(),
        kw("min_tx", 1, 1).done(),
        kw("idle_tx", 1, 1).done(),
        kw("multiplier", 1, 1).done(),
        kw("passive", 0, 0).done(),
        kw("ttl", 1, 1).done(),
        kw("hoplimit", 1, 1).done(),
        kw("max_hops", 1, 1).done(),
        kw("multihop", 0, 1).done(),
        kw("weight", 1, 2).done(),
        kw("vrrp", 0, 0).done(),
        kw("checker", 0, 0).done(),
        // hadp's own.
        kw("interface", 1, 1).done(),
        kw("auth_sha1", 2, 3).done(),
        kw("flap_damping", 0, 1).done(),
    ],
};
