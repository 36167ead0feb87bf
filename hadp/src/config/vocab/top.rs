//! What stands outside all blocks.

use super::{Vocab, bfd, global::GLOBAL, group, instance, kw, server, track};

/// What stands outside all blocks.
pub(in crate::config) static TOP: Vocab = Vocab {
    name: "the configuration",
    keywords: &[
        kw("global_defs", 0, 0).done().block(&GLOBAL),
        kw("vrrp_instance", 1, 1).done().block(&instance::INSTANCE),
        kw("vrrp_sync_group", 1, 1).block(&group::SYNC_GROUP),
        kw("garp_group", 0, 1).block(&group::GARP_GROUP),
        kw("track_group", 1, 1).block(&group::TRACK_GROUP),
        kw("vrrp_script", 1, 1).block(&track::SCRIPT),
        kw("vrrp_track_process", 1, 1).block(&track::PROCESS),
        kw("track_file", 1, 1).block(&track::FILE),
        kw("vrrp_track_file", 1, 1).block(&track::FILE),
        kw("bfd_instance", 1, 1).done().block(&bfd::INSTANCE),
        kw("virtual_server", 1, 2).block(&server::SERVER),
        kw("virtual_server_group", 1, 1).entries(),
        kw("SSL", 0, 0).block(&server::SSL),
        kw("static_ipaddress", 0, 0).entries(),
        kw("static_routes", 0, 0).entries(),
        kw("static_rules", 0, 0).entries(),
        kw("linkbeat_interfaces", 0, 0).entries(),
        kw("interface_up_down_delays", 0, 0).entries(),
        kw("net_namespace", 1, 1),
        kw("net_namespace_ipvs", 0, 1),
        kw("namespace_with_ipsets", 0, 0),
        kw("instance", 1, 1),
        kw("use_pid_dir", 0, 0),
        kw("linkbeat_use_polling", 0, 0),
        kw("child_wait_time", 1, 1),
    ],
};
