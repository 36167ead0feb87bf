//! Events, actions and configurations of every kind, for property tests.

use super::*;

pub(crate) fn addr() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        8 => (1..5_u8).prop_map(|last| IpAddr::from([10, 77, 0, last])),
        1 => any::<[u8; 16]>().prop_map(IpAddr::from),
    ]
}

pub(crate) fn time() -> impl Strategy<Value = Time> {
    prop_oneof![any::<u64>(), 0..10_000_000_000_u64].prop_map(Time::from_nanos)
}

pub(crate) fn span(limit: Duration) -> impl Strategy<Value = Duration> {
    (0..limit.as_nanos() as u64).prop_map(Duration::from_nanos)
}

pub(crate) fn priority() -> impl Strategy<Value = Priority> {
    (1..=255_u8).prop_map(|value| Priority::new(value).unwrap())
}

pub(crate) fn interval() -> impl Strategy<Value = Centis> {
    prop_oneof![1..200_u16, 1..=25_500_u16].prop_map(|value| Centis::new(value).unwrap())
}

pub(crate) fn cause() -> impl Strategy<Value = Cause> {
    prop::sample::select(vec![
        Cause::NotStarted,
        Cause::NoInterface,
        Cause::LinkDown,
        Cause::NoSource,
        Cause::NoDatapath,
        Cause::Tracked,
        Cause::Stopped,
    ])
}

pub(crate) fn slot(slots: Range<u32>) -> impl Strategy<Value = Slot> {
    slots.prop_map(|index| Slot::new(index).unwrap())
}

/// An event told at about `now`.
pub(crate) fn event(now: impl Strategy<Value = Time> + 'static) -> impl Strategy<Value = Event> {
    let heard = (now, addr(), any::<u8>(), interval(), any::<bool>());
    let heard = heard.prop_map(|(at, from, priority, interval, same)| Heard {
        at,
        from,
        priority,
        interval,
        addresses: if same { AddressList::Same } else { AddressList::Differs },
    });
    prop_oneof![
        2 => addr().prop_map(|source| Event::Startup { source }),
        1 => cause().prop_map(Event::Fault),
        1 => Just(Event::Shutdown),
        4 => heard.prop_map(Event::Advert),
        3 => time().prop_map(|at| Event::AdvertSent { at }),
        1 => Just(Event::AdvertFailed),
        1 => time().prop_map(|left| Event::AdvertStuck { left }),
        1 => Just(Event::Resign),
        1 => (addr(), time()).prop_map(|(source, lease)| Event::Resume { source, lease }),
        1 => (addr(), span(Duration::from_secs(1))).prop_map(|(from, wait)| Event::ActiveDown { from, wait }),
        1 => Just(Event::Revoked),
        1 => priority().prop_map(Event::Priority),
        6 => Just(Event::Timeout),
    ]
}

pub(crate) fn reason() -> impl Strategy<Value = Reason> {
    prop_oneof![
        prop::sample::select(vec![
            Reason::Started,
            Reason::Owner,
            Reason::ActiveDown,
            Reason::BfdDown,
            Reason::Resigned,
            Reason::Preempted,
            Reason::Shutdown,
            Reason::Requested,
            Reason::Unclaimed,
            Reason::Resumed,
            Reason::HandedOver,
            Reason::Unsendable,
            Reason::LeaseExpired,
            Reason::Revoked,
        ]),
        (addr(), any::<u8>()).prop_map(|(from, priority)| Reason::Yielded { from, priority }),
        cause().prop_map(Reason::Fault),
    ]
}

pub(crate) fn action() -> impl Strategy<Value = Action> {
    let name = || prop::sample::select(vec!["Initialize", "Backup", "Active", "Resigning"]);
    prop_oneof![
        time().prop_map(|until| Action::SetLease { until }),
        time().prop_map(|until| Action::RenewLease { until }),
        time().prop_map(|until| Action::Drain { until }),
        any::<u8>().prop_map(|priority| Action::SendAdvert { priority }),
        (any::<usize>(), any::<usize>(), any::<u32>())
            .prop_map(|(start, end, rounds)| Action::Announce { vips: start..end, rounds }),
        Just(Action::AcquireVips),
        Just(Action::ReleaseVips),
        (name(), name(), reason()).prop_map(|(from, to, reason)| Action::Notify(Transition {
            from,
            to,
            reason
        })),
    ]
}

pub(crate) fn config() -> impl Strategy<Value = Config> {
    let preempt = prop_oneof![
        Just(Preempt::Always),
        Just(Preempt::Never),
        span(Duration::from_secs(9)).prop_map(Preempt::After)
    ];
    let version = prop_oneof![
        Just(Version::V2(Auth::None)),
        Just(Version::V2(Auth::Pass(*b"unspoken"))),
        Just(Version::V3(ChecksumMode::Message)),
    ];
    let announce =
        (vec(span(Duration::from_secs(6)), 5), vec(0..4_u32, 3)).prop_map(|(spans, counts)| Announce {
            delay: spans[0],
            repeat: counts[0],
            refresh: spans[1],
            refresh_repeat: counts[1],
            lower_priority_delay: spans[2],
            lower_priority_repeat: counts[2],
            garp_interval: spans[3],
            gna_interval: spans[4],
        });
    let pause = option::of(span(Duration::from_millis(50)));
    let rest = (announce, 1..4_usize, pause, any::<bool>(), any::<bool>());
    (priority(), interval(), version, preempt, 1..5_u8, rest).prop_map(
        |(priority, interval, version, preempt, down_timer_adverts, rest)| {
            let (announce, vips, pause, discard, advert_on_yield) = rest;
            Config {
                priority,
                interval,
                version,
                preempt,
                down_timer_adverts,
                lower_priority: if discard { LowerPriority::Discard } else { LowerPriority::Advertise },
                advert_on_yield,
                announce,
                vips,
                announce_interval: pause.unwrap_or_default(),
            }
        },
    )
}
