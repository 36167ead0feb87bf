//! How the two nodes of a failover bench are configured.

use std::{fmt::Write, net::Ipv4Addr, time::Duration};

use crate::lab::{KEEPALIVED_REALTIME, Software};

/// The address the client probes.
pub(super) const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);

/// One configuration of both nodes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    /// As the table shows it.
    pub(super) name: &'static str,
    /// The adverts' interval, and as the configuration has it.
    pub(super) interval: Duration,
    pub(super) advert_int: &'static str,
    pub(super) version: u8,
    /// The priorities of the Active node and the Backup.
    pub(super) priorities: [u8; 2],
    /// The BFD interval in microseconds; `None` without BFD. Three of them make the detection time.
    pub(super) bfd_us: Option<u32>,
    /// Whether sessions that flap are followed all the same.
    pub(super) undamped: bool,
    /// `on_daemon_death`.
    pub(super) on_daemon_death: &'static str,
    /// How many virtual routers there are, and how many addresses each has.
    pub(super) instances: u16,
    pub(super) vips: u16,
    /// How often the client probes.
    pub(super) probe: Duration,
    /// How many LANs fit on two cores at once without disturbing what is measured.
    pub(super) parallel: bool,
}

impl Setting {
    /// keepalived at its fastest, for a Backup of middling priority.
    pub(super) const FAST: Self = Self {
        name: "v3, 10 ms, Backup priority 100",
        interval: Duration::from_millis(10),
        advert_int: "0.01",
        version: 3,
        priorities: [150, 100],
        bfd_us: None,
        undamped: false,
        on_daemon_death: "failover",
        instances: 1,
        vips: 1,
        probe: Duration::from_micros(100),
        parallel: false,
    };

    /// keepalived at its fastest.
    pub(super) const FASTEST: Self =
        Self { name: "v3, 10 ms, Backup priority 253", priorities: [254, 253], ..Self::FAST };

    /// The default of most deployments.
    pub(super) const SLOW: Self = Self {
        name: "v2, 1 s, Backup priority 100",
        interval: Duration::from_secs(1),
        advert_int: "1",
        version: 2,
        priorities: [150, 100],
        probe: Duration::from_millis(1),
        parallel: true,
        ..Self::FAST
    };

    /// BFD beside adverts every 10 ms.
    pub(super) const BFD_250: Self = Self { name: "BFD 250 us x 3", bfd_us: Some(250), ..Self::FASTEST };
    pub(super) const BFD_100: Self =
        Self { name: "BFD 100 us x 3, undamped", bfd_us: Some(100), undamped: true, ..Self::FASTEST };

    /// Returns the keepalived.conf of node `own` (0 or 1).
    pub(super) fn conf(&self, own: usize, software: Software) -> String {
        let mut text = String::new();
        let hadp = software == Software::Hadp;
        if hadp {
            let _ = writeln!(text, "global_defs {{\n    on_daemon_death {}\n}}", self.on_daemon_death);
        } else {
            text.push_str(KEEPALIVED_REALTIME);
        }
        if self.vips > 1 {
            // The last one is the switch's, which carries what is announced: `Lan::set_switch_apart`.
            text.push_str("global_defs {\n    vrrp_cpu_affinity 0\n}\n");
        }
        let bfd = self.bfd_us.filter(|_| hadp);
        if let Some(us) = bfd {
            let neighbor = 2 - own;
            let damping = if self.undamped { "off" } else { "on" };
            let _ = writeln!(
                text,
                "bfd_instance peer {{\n    neighbor_ip 10.77.0.{neighbor}\n    source_ip 10.77.0.{}\n    \
                 min_rx {us}us\n    min_tx {us}us\n    multiplier 3\n    flap_damping {damping}\n}}",
                own + 1
            );
        }
        let priority = self.priorities.get(own).copied().unwrap_or(100);
        let Self { advert_int, version, .. } = self;
        for instance in 0..self.instances {
            let _ = writeln!(
                text,
                "vrrp_instance VI_{instance} {{\n    state BACKUP\n    interface eth0\n    version {version}\n    \
                 virtual_router_id {}\n    priority {priority}\n    advert_int {advert_int}",
                instance + 1
            );
            if bfd.is_some() {
                let _ = writeln!(text, "    fast_failover");
            }
            let mut addresses = (0..self.vips).map(|vip| self.vip(instance, vip));
            let _ = writeln!(text, "    virtual_ipaddress {{");
            for addr in addresses.by_ref().take(200) {
                let _ = writeln!(text, "        {addr}/16 dev eth0");
            }
            let _ = writeln!(text, "    }}");
            // An advert lists 255 addresses at most.
            if self.vips > 200 {
                let _ = writeln!(text, "    virtual_ipaddress_excluded {{");
                for addr in addresses {
                    let _ = writeln!(text, "        {addr}/16 dev eth0");
                }
                let _ = writeln!(text, "    }}");
            }
            let _ = writeln!(text, "}}");
        }
        text
    }

    /// Returns an address of an instance: the first of the first is [`VIP`].
    pub(super) fn vip(&self, instance: u16, vip: u16) -> Ipv4Addr {
        let [high, low] = (instance * self.vips + vip).to_be_bytes();
        match (high, low) {
            (0, 0) => VIP,
            _ => Ipv4Addr::new(10, 77, 100 + high, low),
        }
    }

    /// Returns how many addresses there are.
    pub(super) fn addresses(&self) -> usize {
        usize::from(self.instances) * usize::from(self.vips)
    }
}
