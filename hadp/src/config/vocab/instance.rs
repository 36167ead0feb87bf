//! `vrrp_instance` and its blocks.

use super::{ANY, Vocab, kw};

/// `vrrp_instance`.
pub(super) static INSTANCE: Vocab = Vocab {
    name: "vrrp_instance",
    keywords: &[
        kw("state", 1, 1).done(),
        kw("interface", 1, 1).done(),
        kw("version", 1, 1).done(),
        kw("virtual_router_id", 1, 1).done(),
        kw("priority", 1, 1).done(),
        kw("advert_int", 1, 1).done(),
        kw("mcast_src_ip", 1, 1).done(),
        kw("unicast_src_ip", 1, 1).done(),
        kw("mcast_dst_ip", 1, 1).done(),
        kw("unicast_peer", 0, 0).done().entries(),
        kw("check_unicast_src", 0, 1).done(),
        kw("unicast_ttl", 1, 1).done(),
        kw("unicast_fault_no_peer", 0, 0).done(),
        kw("v3_checksum_as_v2", 0, 1).done(),
        // The virtual MAC is XDP's, not an interface's, so its name is nobody's.
        kw("use_vmac", 0, 2).done(),
        kw("vmac_xmit_base", 0, 0),
        kw("authentication", 0, 0).done().block(&AUTHENTICATION),
        kw("virtual_ipaddress", 0, 0).done().entries(),
        kw("virtual_ipaddress_excluded", 0, 0).done().entries(),
        kw("accept", 0, 0).done(),
        kw("no_accept", 0, 0).done(),
        kw("preempt", 0, 0).done(),
        kw("nopreempt", 0, 0).done(),
        kw("preempt_delay", 1, 1).done(),
        kw("garp_master_delay", 1, 1).done(),
        kw("garp_master_repeat", 1, 1).done(),
        kw("garp_master_refresh", 1, 1).done(),
        kw("garp_master_refresh_repeat", 1, 1).done(),
        kw("garp_lower_prio_delay", 1, 1).done(),
        kw("garp_lower_prio_repeat", 1, 1).done(),
        kw("garp_interval", 1, 1).done(),
        kw("gna_interval", 1, 1),
        kw("down_timer_adverts", 1, 1).done(),
        kw("lower_prio_no_advert", 0, 1).done(),
        kw("higher_prio_send_advert", 0, 1).done(),
        // As for vrrp_skip_check_adv_addr.
        kw("skip_check_adv_addr", 0, 1).done(),
        kw("native_ipv6", 0, 0).obsolete("the virtual addresses decide the family"),
        kw("lvs_sync_daemon_interface", 1, 1).obsolete("use `lvs_sync_daemon` in `global_defs`"),
        kw("linkbeat_use_polling", 0, 0).obsolete("use `linkbeat_interfaces`"),
        kw("strict_mode", 0, 1),
        kw("old_unicast_checksum", 0, 1),
        kw("auth_hmac", 0, 0).block(&AUTH_HMAC),
        kw("use_vmac_addr", 0, 0),
        kw("use_ipvlan", 0, 3),
        kw("vrf", 1, 1),
        kw("dont_track_primary", 0, 0),
        kw("track_src_ip", 0, 0),
        kw("track_interface", 0, 0).done().entries(),
        kw("track_script", 0, 0).entries(),
        kw("track_file", 0, 0).entries(),
        kw("track_process", 0, 0).entries(),
        kw("track_bfd", 0, 0).done().entries(),
        // hadp's own.
        kw("fast_failover", 0, ANY).done(),
        kw("no_virtual_ipaddress", 0, 0),
        kw("virtual_routes", 0, 0).entries(),
        kw("virtual_rules", 0, 0).entries(),
        kw("promote_secondaries", 0, 0),
        kw("notify", 1, ANY),
        kw("notify_master", 1, ANY),
        kw("notify_backup", 1, ANY),
        kw("notify_fault", 1, ANY),
        kw("notify_stop", 1, ANY),
        kw("notify_deleted", 0, ANY),
        kw("notify_master_rx_lower_pri", 1, ANY),
        kw("notify_priority_changes", 0, 1),
        kw("smtp_alert", 0, 1),
        kw("garp_extra_if", 1, 2),
        kw("vmac_garp_intvl", 1, 2),
        kw("owner_ignore_adverts", 0, 1),
        kw("kernel_rx_buf_size", 1, 1),
        kw("timer_expired_backup", 0, 1),
        kw("thread_timer_expired", 0, 1),
        kw("debug", 0, 1),
    ],
};

/// `authentication`.
pub(super) static AUTHENTICATION: Vocab =
    Vocab { name: "authentication", keywords: &[kw("auth_type", 1, 1).done(), kw("auth_pass", 1, 1).done()] };

/// `auth_hmac`, of keepalived 2.4.
pub(super) static AUTH_HMAC: Vocab = Vocab {
    name: "auth_hmac",
    keywords: &[
        kw("key", 1, 3),
        kw("active_key", 1, 1),
        kw("anti_replay", 0, 1),
        kw("time_window", 1, 1),
        kw("mode", 1, 1),
    ],
};
