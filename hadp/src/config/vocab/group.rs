//! Blocks that tie instances or interfaces together.

use super::{ANY, Vocab, kw};

/// `vrrp_sync_group`.
pub(super) static SYNC_GROUP: Vocab = Vocab {
    name: "vrrp_sync_group",
    keywords: &[
        kw("group", 0, 0).entries(),
        kw("track_interface", 0, 0).entries(),
        kw("track_script", 0, 0).entries(),
        kw("track_file", 0, 0).entries(),
        kw("track_process", 0, 0).entries(),
        kw("track_bfd", 0, 0).entries(),
        kw("notify", 1, ANY),
        kw("notify_master", 1, ANY),
        kw("notify_backup", 1, ANY),
        kw("notify_fault", 1, ANY),
        kw("notify_stop", 1, ANY),
        kw("notify_deleted", 0, ANY),
        kw("notify_priority_changes", 0, 1),
        kw("smtp_alert", 0, 1),
        kw("sync_group_tracking_weight", 0, 0),
        kw("global_tracking", 0, 0).obsolete("use `track_*` in the `vrrp_sync_group`"),
    ],
};

/// `garp_group`.
pub(super) static GARP_GROUP: Vocab = Vocab {
    name: "garp_group",
    keywords: &[
        kw("garp_interval", 1, 1),
        kw("gna_interval", 1, 1),
        kw("interface", 1, 1),
        kw("interfaces", 0, 0).entries(),
    ],
};

/// `track_group`.
pub(super) static TRACK_GROUP: Vocab =
    Vocab { name: "track_group", keywords: &[kw("group", 0, 0).entries()] };
