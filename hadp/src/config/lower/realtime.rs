//! `vrrp_*` and `bfd_*` of `global_defs`: how the time-critical threads are scheduled.

use super::value::{choice, number, signed};
use crate::{
    config::{
        ast::{Node, Word},
        diag::Problems,
    },
    model::{Global, IdleLatency, Realtime},
};

/// The SCHED_FIFO priorities of Linux.
const PRIORITIES: std::ops::RangeInclusive<u8> = 1..=99;
/// The nice values of Linux.
const NICE: std::ops::RangeInclusive<i32> = -20..=19;
/// The last CPU that a `cpu_set_t` has room for (`CPU_SETSIZE`). Which ones the machine has is not asked: a configuration
/// may be checked on another one.
const LAST_CPU: u32 = 1023;

/// The longest latency of idle CPUs, in microseconds: a second is no limit to any processor.
const LONGEST_LATENCY: u32 = 1_000_000;

/// Reads how long idle CPUs may take to wake up.
pub(super) fn idle_latency(keyword: &str, word: &Word, problems: &mut Problems) -> Option<IdleLatency> {
    if word.text.starts_with(|c: char| c.is_ascii_digit()) {
        return number(keyword, word, 0..=LONGEST_LATENCY, problems).map(IdleLatency::Micros);
    }
    choice(keyword, word, &[("auto", IdleLatency::Auto), ("none", IdleLatency::Unlimited)], problems)
}

/// Reads a statement, of which other keywords are none.
pub(super) fn read(node: &Node, global: &mut Global, problems: &mut Problems) {
    let keyword = node.name();
    let (realtime, rest) = match keyword.split_once('_') {
        Some(("vrrp", rest)) => (&mut global.election, rest),
        Some(("bfd", rest)) => (&mut global.bfd, rest),
        _ => return,
    };
    match (rest, node.param(0)) {
        ("no_swap", _) => realtime.no_swap = true,
        ("cpu_affinity", Some(_)) => {
            let cpus = node.words.iter().skip(1).filter_map(|word| cpu(keyword, word, problems));
            realtime.cpus = cpus.collect();
            realtime.cpus.sort_unstable();
            realtime.cpus.dedup();
        }
        (rest, Some(word)) => value(realtime, rest, keyword, word, problems),
        (_, None) => {}
    }
}

fn value(realtime: &mut Realtime, rest: &str, keyword: &str, word: &Word, problems: &mut Problems) {
    match rest {
        "rt_priority" => realtime.rt_priority = rt_priority(keyword, word, problems),
        "priority" => {
            realtime.nice = signed(keyword, word, NICE, problems).and_then(|nice| i8::try_from(nice).ok());
        }
        "rlimit_rttime" | "rlimit_rtime" => {
            realtime.rttime_us = number(keyword, word, 1..=u32::MAX, problems).map(u64::from);
        }
        _ => {}
    }
}

/// Reads a real-time priority; like keepalived, takes what lies outside for the nearest one.
fn rt_priority(keyword: &str, word: &Word, problems: &mut Problems) -> Option<u8> {
    let given = signed(keyword, word, i32::MIN..=i32::MAX, problems)?;
    let (low, high) = (*PRIORITIES.start(), *PRIORITIES.end());
    let taken = u8::try_from(given.clamp(low.into(), high.into())).ok()?;
    if i32::from(taken) != given {
        let problem = problems.warning(word.span, format!("{keyword} {given} is taken for {taken}"));
        problem.label(format!("from {low} to {high}"));
    }
    Some(taken)
}

fn cpu(keyword: &str, word: &Word, problems: &mut Problems) -> Option<usize> {
    number(keyword, word, 0..=LAST_CPU, problems).and_then(|cpu| usize::try_from(cpu).ok())
}
