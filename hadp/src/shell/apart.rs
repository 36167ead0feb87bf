//! Two sets of CPUs that do not stand still together.

use std::{collections::BTreeMap, fs};

/// Parts CPUs into two sets that share no core where that is possible, and no CPU in any case; `None` for fewer than two.
///
/// The threads of one core (SMT siblings) stay in one set: what stops one, such as a hypervisor or a long system management
/// interrupt, mostly stops its sibling. CPU 0, to which many machines send their interrupts, goes to the second set.
pub(crate) fn part(cpus: &[usize]) -> Option<(Vec<usize>, Vec<usize>)> {
    part_by(cpus, |cpu| {
        let path = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
        fs::read_to_string(path).ok()
    })
}

/// Does so by what `siblings` says of each CPU, in the words of sysfs; a CPU of which it says nothing is a core of its own.
fn part_by(cpus: &[usize], siblings: impl Fn(usize) -> Option<String>) -> Option<(Vec<usize>, Vec<usize>)> {
    let mut cores: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &cpu in cpus {
        let least = siblings(cpu).and_then(|list| least(&list)).unwrap_or(cpu);
        cores.entry(least).or_default().push(cpu);
    }
    if cores.len() == 1 {
        cores = cpus.iter().map(|cpu| (*cpu, vec![*cpu])).collect();
    }
    let second = cores.len() / 2;
    let parts = |skip, take| cores.values().skip(skip).take(take).flatten().copied().collect::<Vec<_>>();
    (second > 0).then(|| (parts(second, cores.len()), parts(0, second)))
}

/// Returns the first CPU of a list such as `0,4` or `0-1`: it names the core, as the kernel sorts lists.
fn least(list: &str) -> Option<usize> {
    list.split([',', '-']).next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_core_is_in_both_sets_unless_there_is_but_one() {
        type Rows =
            [(&'static [usize], fn(usize) -> Option<String>, Option<(&'static [usize], &'static [usize])>);
                8];
        let none: fn(usize) -> Option<String> = |_| None;
        let pairs: fn(usize) -> Option<String> = |cpu| Some(format!("{}-{}\n", cpu & !1, cpu | 1));
        let far: fn(usize) -> Option<String> = |cpu| Some(format!("{},{}\n", cpu % 4, cpu % 4 + 4));
        let rows: Rows = [
            (&[], none, None),
            (&[3], none, None),
            (&[0, 1], none, Some((&[1], &[0]))),
            (&[0, 1, 2], none, Some((&[1, 2], &[0]))),
            (&[0, 1], pairs, Some((&[1], &[0]))),
            (&[0, 1, 2, 3], pairs, Some((&[2, 3], &[0, 1]))),
            (&[0, 1, 2, 3, 4, 5, 6, 7], far, Some((&[2, 6, 3, 7], &[0, 4, 1, 5]))),
            (&[1, 5, 6], far, Some((&[6], &[1, 5]))),
        ];
        for (cpus, siblings, expected) in rows {
            let expected = expected.map(|(first, second)| (first.to_vec(), second.to_vec()));
            assert_eq!(part_by(cpus, siblings), expected, "{cpus:?}");
        }
    }

    #[test]
    fn this_machine_has_cores() {
        assert_eq!(part(&[0]), None);
        let (first, second) = part(&[0, 1]).unwrap();
        assert_eq!((first, second), (vec![1], vec![0]));
    }
}
