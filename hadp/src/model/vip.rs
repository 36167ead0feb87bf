//! A virtual address as it is put on an interface.

use std::net::IpAddr;

/// An entry of `virtual_ipaddress` or `virtual_ipaddress_excluded`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Vip {
    /// The address.
    pub addr: IpAddr,
    /// The prefix length; 32 or 128 where the configuration gives none.
    pub prefix: u8,
    /// `brd ADDR`, IPv4 only; `brd +` and `brd -` are resolved to an address when read.
    pub broadcast: Option<IpAddr>,
    /// `dev`: the interface that carries it; the router's own where the configuration gives none.
    pub dev: String,
    /// `scope`.
    pub scope: Scope,
    /// `label`, IPv4 only: at most 15 octets, starting with the interface's name.
    pub label: Option<String>,
    /// `peer`: the remote end of a point-to-point link, with its prefix length.
    pub peer: Option<(IpAddr, u8)>,
}

/// An address or route scope, as numbered by the kernel.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Scope(pub u8);

impl Scope {
    /// `global`.
    pub const GLOBAL: Self = Self(0);
    /// `site`.
    pub const SITE: Self = Self(200);
    /// `link`.
    pub const LINK: Self = Self(253);
    /// `host`.
    pub const HOST: Self = Self(254);
}
