//! No input makes the reader panic, and each gives either a configuration or an error.

use proptest::{collection::vec, prelude::*, sample::Index};

use super::*;

/// Files whose mutations are tried: together they use most of the language.
const SEEDS: [&str; 6] = [
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/scenarios/mail-and-garp/typo.conf")),
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/scenarios/vpc-unicast/n1.conf")),
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/scenarios/lvs-dr/n1.conf")),
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/scenarios/dual-active/n1.conf")),
    "global_defs {\nvrrp_rt_priority 50\nbfd_priority -20\nvrrp_cpu_affinity 0 1\non_daemon_death failover\n}\n\
     $K=abc\nbfd_instance B {\nneighbor_ip 10.0.0.2\nsource_ip 10.0.0.1\ninterface e\nmin_rx 0.25\nmin_tx 250us\n\
     idle_tx 1000ms\nmultiplier 3\nttl 64\nmax_hops 3\nmultihop off\nauth_sha1 1 $K meticulous\nweight -5 reverse\n}\n\
     vrrp_instance V {\ninterface e\nvirtual_router_id 1\nfast_failover B\ntrack_bfd {\nB weight 5 noreverse\n}\n\
     track_interface { f weight -254 }\nvirtual_ipaddress { 10.0.0.9 }\n}\n",
    "$A= \\\n x ${B} { \\\n @n1 y }\n$B=~LST({Q,R},{1,2},{3,4}) z\n$A\n~SEQ(I,1,3) ~SEQx(J,9,-1,7) vrrp_instance V${I}${J} \
     {\nvirtual_router_id ${I}\ninterface 'e'\nscript \"\\x41\\101\" '\\cA'\n@^n2 virtual_ipaddress { 10.0.${I}.${J}/24 \
     brd + }\n}\ninclude {a,b*}/[!x]?.conf\n${_ENV IFACE} ${_RANDOM 1 2} \"q ! # \\\" \" \\# ! end\n",
];

/// What is put into a seed: the characters that mean something.
const SPICE: [&str; 20] = [
    "{",
    "}",
    "\"",
    "'",
    "\\",
    "\n",
    "#",
    "!",
    "$",
    "${",
    "@",
    "~SEQ(",
    "~LST({",
    ",",
    "\u{feff}",
    "\0",
    "é",
    "\r",
    "include ",
    "4294967296",
];

#[derive(Clone, Debug)]
enum Mutation {
    Insert(Index, usize),
    Delete(Index, usize),
    Octet(Index, u8),
    Swap(Index, Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        (any::<Index>(), 0..SPICE.len()).prop_map(|(at, what)| Mutation::Insert(at, what)),
        (any::<Index>(), 1..40_usize).prop_map(|(at, len)| Mutation::Delete(at, len)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, octet)| Mutation::Octet(at, octet)),
        (any::<Index>(), any::<Index>()).prop_map(|(a, b)| Mutation::Swap(a, b)),
    ]
}

fn mutate(text: &mut Vec<u8>, mutation: &Mutation) {
    if text.is_empty() {
        return;
    }
    match mutation {
        Mutation::Insert(at, what) => {
            let at = at.index(text.len());
            text.splice(at..at, SPICE[*what].bytes());
        }
        Mutation::Delete(at, len) => {
            let at = at.index(text.len());
            text.drain(at..(at + len).min(text.len()));
        }
        Mutation::Octet(at, octet) => {
            let at = at.index(text.len());
            text[at] = *octet;
        }
        Mutation::Swap(a, b) => {
            let (a, b) = (a.index(text.len()), b.index(text.len()));
            text.swap(a, b);
        }
    }
}

/// Reads the octets and checks what holds for any input.
fn survives(bytes: &[u8]) {
    let loaded = load_files(&[("/etc/hadp.conf", bytes), ("/etc/a/1.conf", bytes)]);
    assert_eq!(loaded.config.is_none(), loaded.report.has_errors());
    for diagnostic in loaded.report.diagnostics() {
        assert!(diagnostic.line >= 1 && diagnostic.column >= 1);
        assert!(!diagnostic.message.is_empty());
    }
    assert_eq!(loaded.report.render(false) == "no problems\n", loaded.report.diagnostics().is_empty());
}

proptest! {
    // 256 cases, or what PROPTEST_CASES says.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_octets(bytes in vec(any::<u8>(), 0..400)) {
        survives(&bytes);
    }

    #[test]
    fn any_words(words in vec(0..SPICE.len(), 0..60)) {
        survives(words.iter().map(|&word| SPICE[word]).collect::<Vec<_>>().join(" x").as_bytes());
    }

    #[test]
    fn mutated_files(seed in 0..SEEDS.len(), mutations in vec(mutation(), 1..12)) {
        let mut text = SEEDS[seed].as_bytes().to_vec();
        for mutation in &mutations {
            mutate(&mut text, mutation);
        }
        survives(&text);
    }
}
