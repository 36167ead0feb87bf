//! From what an instance says to a router, with every default filled in.

use std::time::Duration;

use hadp_common::addr::Family;

use super::{
    draft::{Attempt, Draft},
    fast::Reach,
    global::Defaults,
    sessions::Sessions,
    unique::Unique,
    vip::VipDraft,
};
use crate::{
    config::diag::Problems,
    model::{Auth, ChecksumMode, Delivery, InitialState, LowerPriority, Preempt, Router, Version, Vip},
    units::{Centis, Priority, Vrid},
};

/// The default priority of a Backup.
const DEFAULT_PRIORITY: u8 = 100;
/// The longest v3 interval: 12 bits of centiseconds (RFC 9568 §5.2.7).
const MAX_V3: u16 = 4095;

impl Draft<'_> {
    /// Returns the router, or `None` if something it needs is missing or it is not implemented yet.
    ///
    /// What is missing ends nothing: all of the instance is looked at, so that all that is wrong is reported at once.
    pub(super) fn finish(
        &self,
        defaults: &Defaults,
        sessions: &Sessions,
        unique: &mut Unique,
        problems: &mut Problems,
    ) -> Option<Router> {
        let interface = self.interface(defaults, problems);
        let vrid = self.vrid(problems);
        self.report_no_address(problems);
        let family = self.family();
        let priority = self.priority();
        let preempt = self.preempt(priority, problems);
        let version = self.version(family, defaults, problems);
        let interval = self.interval(version, problems);
        let delivery = self.delivery(family, defaults, problems);
        let (vips, excluded) = self.addresses(family, interface.as_deref(), problems);
        unique.vips(self.name, vips.iter().chain(&excluded), problems);
        let tracks = self.tracks(interface.as_deref(), priority, sessions, problems);
        let down_timer_adverts = self.down_timer_adverts.unwrap_or(defaults.down_timer_adverts);
        let silence = interval.map(|interval| interval.duration() * u32::from(down_timer_adverts));
        let reach = Reach { family, delivery: &delivery, silence };
        let fast_failover = self.fast_failover(reach, sessions, &mut unique.limits, problems);
        let left_out = family == Family::V6;
        if !left_out {
            unique.limits.router(self.name, problems);
            unique.limits.vips(vips.iter().chain(&excluded), problems);
        } else if !self.vips.is_empty() {
            let message = format!("`{}` is an IPv6 router, which is not implemented yet", self.name.text);
            let problem = problems.warning(self.name.span, message);
            problem.label("left out").help("leave these addresses to keepalived, or to another node");
        }
        let (interface, vrid) = interface.zip(vrid)?;
        if !unique.key(self.name, &interface, family, vrid, problems) || left_out {
            return None;
        }
        let unicast = matches!(delivery, Delivery::Unicast { .. });
        let no_advert = self.lower_prio_no_advert.unwrap_or(defaults.lower_prio_no_advert);
        Some(Router {
            name: self.name.text.clone(),
            interface,
            vrid,
            family,
            version,
            state: self.state,
            priority,
            interval: interval?,
            delivery,
            source: self.source.as_ref().map(|source| source.value),
            ttl: self.peers.ttl.filter(|_| unicast).unwrap_or(255),
            preempt,
            down_timer_adverts,
            lower_priority: if no_advert { LowerPriority::Discard } else { LowerPriority::Advertise },
            advert_on_yield: self.higher_prio_send_advert.unwrap_or(defaults.higher_prio_send_advert),
            virtual_mac: self.virtual_mac,
            accept: self.accept,
            announce: self.schedule.over(&defaults.schedule, defaults.min_garp),
            tracks,
            fast_failover,
            vips: vips.into_iter().map(model).collect(),
            excluded_vips: excluded.into_iter().map(model).collect(),
        })
    }

    fn interface(&self, defaults: &Defaults, problems: &mut Problems) -> Option<String> {
        match (&self.interface, &defaults.interface) {
            (Attempt::Given(name), _) | (Attempt::Missing, Some(name)) => Some(name.clone()),
            (Attempt::Wrong, _) => None,
            (Attempt::Missing, None) => {
                let problem =
                    problems.error(self.name.span, format!("`{}` has no interface", self.name.text));
                problem
                    .label("`interface` is missing")
                    .help("add `interface NAME`, or default_interface globally");
                None
            }
        }
    }

    fn vrid(&self, problems: &mut Problems) -> Option<Vrid> {
        match self.vrid {
            Attempt::Given(vrid) => Some(vrid),
            Attempt::Wrong => None,
            Attempt::Missing => {
                let problem =
                    problems.error(self.name.span, format!("`{}` has no virtual_router_id", self.name.text));
                problem
                    .label("`virtual_router_id` is missing")
                    .help("the same number on all routers, from 1 to 255");
                None
            }
        }
    }

    fn report_no_address(&self, problems: &mut Problems) {
        if self.vips.is_empty() && self.wrong_vip.is_none() {
            let message = format!("`{}` has no address in virtual_ipaddress", self.name.text);
            let problem = problems.error(self.name.span, message);
            problem.label("`virtual_ipaddress` is missing or empty");
            problem.help("an advert without an address is discarded by every router (RFC 9568 §7.1)");
        }
    }

    /// Returns the priority; like keepalived, MASTER without a priority is the addresses' owner.
    fn priority(&self) -> Priority {
        let default = match self.state {
            InitialState::Active => Some(Priority::OWNER),
            InitialState::Backup => Priority::new(DEFAULT_PRIORITY),
        };
        self.priority.or(default).unwrap_or(Priority::OWNER)
    }

    /// Returns the preemption, with keepalived's exceptions: neither restriction goes with MASTER or with the owner.
    fn preempt(&self, priority: Priority, problems: &mut Problems) -> Preempt {
        let exception = match (priority == Priority::OWNER, self.state) {
            (true, _) => Some("priority 255"),
            (false, InitialState::Active) => Some("state MASTER"),
            (false, InitialState::Backup) => None,
        };
        let delay = self.preempt_delay.filter(|delay| delay.value > Duration::ZERO);
        if let Some(exception) = exception {
            let spans = [
                ("nopreempt", self.nopreempt.map(|given| given.span)),
                ("preempt_delay", delay.map(|d| d.span)),
            ];
            for (keyword, span) in spans {
                let Some(span) = span else { continue };
                let problem = problems.warning(span, format!("{keyword} has no effect with {exception}"));
                problem.label("ignored").help("use `state BACKUP` and another priority on every router");
            }
            return Preempt::Always;
        }
        match (self.nopreempt, delay) {
            (Some(nopreempt), Some(delay)) => {
                let problem = problems.warning(delay.span, "preempt_delay has no effect with nopreempt");
                problem.label("ignored").related(nopreempt.span, "never preempts");
                Preempt::Never
            }
            (Some(_), None) => Preempt::Never,
            (None, Some(delay)) => Preempt::After(delay.value),
            (None, None) => Preempt::Always,
        }
    }

    fn version(&self, family: Family, defaults: &Defaults, problems: &mut Problems) -> Version {
        let number = self.version.map_or(defaults.version, |given| given.value);
        if family == Family::V6 || number == 3 {
            if let Some(given) = self.version.filter(|given| given.value != 3) {
                let problem = problems.warning(given.span, "VRRP over IPv6 is version 3");
                problem.label("ignored");
            }
            if let Some(authentication) = &self.authentication {
                authentication.ignored_in_v3(problems);
            }
            let message_only = self.v3_checksum_as_v2.unwrap_or(defaults.v3_checksum_as_v2);
            let mode = if message_only { ChecksumMode::Message } else { ChecksumMode::WithPseudoHeader };
            return Version::V3(mode);
        }
        Version::V2(
            self.authentication.as_ref().map_or(Auth::None, |authentication| authentication.v2(problems)),
        )
    }

    fn interval(&self, version: Version, problems: &mut Problems) -> Option<Centis> {
        let Some(given) = self.interval else { return Some(Centis::SECOND) };
        let micros = given.value.as_micros();
        let centis = u16::try_from((micros + 5_000) / 10_000).ok()?;
        match version {
            Version::V2(_) if given.value.subsec_micros() != 0 => {
                let problem = problems.error(given.span, "advert_int of VRRP version 2 is in whole seconds");
                problem
                    .label("a fraction of a second")
                    .help("set `version 3`, whose interval is 0.01 to 40.95 s");
                return None;
            }
            Version::V3(_) if centis > MAX_V3 => {
                let problem = problems.error(given.span, "advert_int of VRRP version 3 is at most 40.95");
                problem.label("out of range");
                return None;
            }
            Version::V3(_) if micros % 10_000 != 0 => {
                let message = format!(
                    "advert_int is in hundredths of a second: rounded to {}",
                    f64::from(centis) / 100.0
                );
                problems.warning(given.span, message).label("rounded");
            }
            Version::V2(_) | Version::V3(_) => {}
        }
        Centis::new(centis)
    }
}

/// Returns the address without its place.
fn model(draft: VipDraft) -> Vip {
    draft.vip
}
