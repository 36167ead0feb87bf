//! `global_defs` in a reload.

use tracing::warn;

use crate::{
    model::{Global, Realtime},
    observe::control::Reloaded,
    shell::supervisor::Supervisor,
};

impl Supervisor {
    /// Takes up what concerns the whole node, and says what takes effect at the next start only.
    pub(super) fn change_global(&mut self, wanted: &Global, done: &mut Reloaded) {
        done.global = taken_up(&self.global, wanted);
        self.global.router_id.clone_from(&wanted.router_id);
        self.global.on_daemon_death = wanted.on_daemon_death;
        self.will.set_policy(wanted.on_daemon_death);
        self.global.cpu_dma_latency = wanted.cpu_dma_latency;
        let mut later = differences("vrrp", &self.global.election, &wanted.election);
        later.append(&mut differences("bfd", &self.global.bfd, &wanted.bfd));
        if self.attached.values().any(|on| on.asked != wanted.xdp_mode) {
            later.push("xdp_mode of the interfaces that are attached".to_owned());
        }
        self.global.xdp_mode = wanted.xdp_mode;
        if !later.is_empty() {
            let text = format!("takes effect when hadp is started the next time: {}", later.join(", "));
            warn!("{text}");
            done.warnings.push(text);
        }
    }
}

/// Names the keywords that count at once, where two differ by them.
fn taken_up(runs: &Global, wanted: &Global) -> Vec<String> {
    let keywords = [
        ("router_id", runs.router_id != wanted.router_id),
        ("on_daemon_death", runs.on_daemon_death != wanted.on_daemon_death),
        ("cpu_dma_latency", runs.cpu_dma_latency != wanted.cpu_dma_latency),
    ];
    keywords.into_iter().filter(|(_, differs)| *differs).map(|(keyword, _)| keyword.to_owned()).collect()
}

/// Names the keywords by which two differ.
fn differences(prefix: &str, runs: &Realtime, wanted: &Realtime) -> Vec<String> {
    [
        ("rt_priority", runs.rt_priority != wanted.rt_priority),
        ("priority", runs.nice != wanted.nice),
        ("cpu_affinity", runs.cpus != wanted.cpus),
        ("rlimit_rttime", runs.rttime_us != wanted.rttime_us),
        ("no_swap", runs.no_swap != wanted.no_swap),
    ]
    .into_iter()
    .filter(|(_, differs)| *differs)
    .map(|(keyword, _)| format!("{prefix}_{keyword}"))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_named() {
        let runs = Realtime::default();
        assert_eq!(differences("vrrp", &runs, &runs), Vec::<String>::new());
        let wanted = Realtime { rt_priority: Some(20), cpus: vec![1], ..Realtime::default() };
        assert_eq!(differences("bfd", &runs, &wanted), ["bfd_rt_priority", "bfd_cpu_affinity"]);
    }
}
