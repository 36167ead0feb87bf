//! A whole configuration, validated.

use super::{BfdInstance, IdleLatency, OnDaemonDeath, Realtime, Router};

/// What one keepalived.conf describes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Config {
    /// `global_defs`.
    pub global: Global,
    /// The `vrrp_instance` blocks, in the file's order; names, and (interface, family, VRID), are unique.
    pub routers: Vec<Router>,
    /// The `bfd_instance` blocks, in the file's order.
    pub bfd: Vec<BfdInstance>,
}

/// What concerns the whole node.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Global {
    /// `router_id`; the host name where the configuration gives none.
    pub router_id: Option<String>,
    /// `xdp_mode`, hadp's own keyword.
    pub xdp_mode: XdpMode,
    /// `on_daemon_death`, hadp's own keyword.
    pub on_daemon_death: OnDaemonDeath,
    /// `cpu_dma_latency`, hadp's own keyword.
    pub cpu_dma_latency: IdleLatency,
    /// How the election thread is scheduled: `vrrp_*`.
    pub election: Realtime,
    /// How the thread that sends BFD packets is scheduled: `bfd_*`.
    pub bfd: Realtime,
}

/// How XDP programs are attached.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum XdpMode {
    /// Native where the driver supports it, else generic; generic on veth.
    #[default]
    Auto,
    /// Native, or not at all.
    Native,
    /// Generic.
    Skb,
}
