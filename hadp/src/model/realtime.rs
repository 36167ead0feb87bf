//! How the time-critical threads are scheduled.

/// `vrrp_priority`, `vrrp_rt_priority`, `vrrp_cpu_affinity`, `vrrp_no_swap`, `vrrp_rlimit_rttime`, and the same of `bfd_`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Realtime {
    /// `*_rt_priority`: the SCHED_FIFO priority, 1..=99; `None` for hadp's own choice.
    pub rt_priority: Option<u8>,
    /// `*_priority`: the nice value, -20..=19, for a thread that does not run under SCHED_FIFO.
    pub nice: Option<i8>,
    /// `*_cpu_affinity`: the CPUs to run on; empty for all.
    pub cpus: Vec<usize>,
    /// `*_rlimit_rttime`: RLIMIT_RTTIME in microseconds; `None` leaves it as it is.
    pub rttime_us: Option<u64>,
    /// `*_no_swap`: hadp locks its memory in any case; with this keyword a refusal is an error.
    pub no_swap: bool,
}

/// `cpu_dma_latency`, hadp's own keyword: how long idle CPUs may take to wake up while fast BFD sessions are up.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum IdleLatency {
    /// hadp's own choice, by the machine and the sessions' intervals.
    #[default]
    Auto,
    /// As long as they like.
    Unlimited,
    /// So many microseconds; with 0 they do not sleep at all.
    Micros(u32),
}

/// `on_daemon_death`, hadp's own keyword: what the companion does when the daemon dies.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OnDaemonDeath {
    /// Starts it again, and keeps the routers Active meanwhile; hands over when that fails.
    #[default]
    Restart,
    /// Hands over at once.
    Failover,
}
