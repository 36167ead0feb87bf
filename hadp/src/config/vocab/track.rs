//! What instances and servers track.

use super::{ANY, Vocab, kw};

/// `vrrp_script`.
pub(super) static SCRIPT: Vocab = Vocab {
    name: "vrrp_script",
    keywords: &[
        kw("script", 1, ANY),
        kw("interval", 1, 1),
        kw("timeout", 1, 1),
        kw("weight", 1, 2),
        kw("rise", 1, 1),
        kw("fall", 1, 1),
        kw("user", 1, 2),
        kw("init_fail", 0, 0),
    ],
};

/// `vrrp_track_process`.
pub(super) static PROCESS: Vocab = Vocab {
    name: "vrrp_track_process",
    keywords: &[
        kw("process", 1, ANY),
        kw("param_match", 0, 1),
        kw("weight", 1, 2),
        kw("quorum", 1, 1),
        kw("quorum_max", 1, 1),
        kw("delay", 1, 1),
        kw("terminate_delay", 1, 1),
        kw("fork_delay", 1, 1),
        kw("full_command", 0, 0),
    ],
};

/// `track_file` and `vrrp_track_file`.
pub(super) static FILE: Vocab =
    Vocab { name: "track_file", keywords: &[kw("file", 1, 1), kw("weight", 1, 2), kw("init_file", 0, 2)] };
