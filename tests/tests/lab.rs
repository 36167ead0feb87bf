//! The lab itself: real keepalived on its LAN, cuts that cut, probers that measure what is known, nothing left behind.

#![expect(clippy::disallowed_methods, reason = "the lab measures real time")]

use std::{
    collections::BTreeSet,
    fs,
    net::Ipv4Addr,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use hadp_tests::{
    client::{ArpProber, Capture, Mac, Prober},
    lab::{Lan, Node, Software, wait_until},
};

const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
const PROBE: Duration = Duration::from_micros(100);
const SECOND: Duration = Duration::from_secs(1);

/// One virtual router with adverts every 10 ms.
fn fast(priority: u8) -> String {
    format!(
        "vrrp_instance VI_1 {{
    state BACKUP
    interface eth0
    version 3
    virtual_router_id 55
    priority {priority}
    advert_int 0.01
    virtual_ipaddress {{ {VIP}/16 dev eth0 label eth0:1 }}
}}
"
    )
}

fn mac(node: &Node) -> Mac {
    Mac(node.mac())
}

#[test]
fn two_keepalived_elect_one() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let capture = Capture::start(lan.client())?;
    let mut first = Software::Keepalived.start_with(n1, &fast(150))?;
    let second = Software::Keepalived.start_with(n2, &fast(100))?;
    first.log().wait_for("Entering MASTER STATE", 5 * SECOND)?;
    second.log().wait_for("Entering BACKUP STATE", 5 * SECOND)?;
    wait_until("n1 holds the VIP alone", 5 * SECOND, || Ok(n1.holds(VIP)? && !n2.holds(VIP)?))?;
    let labels: Vec<_> = n1.addresses()?.into_iter().filter_map(|address| address.label).collect();
    assert!(labels.contains(&"eth0:1".to_owned()), "{labels:?}");

    let settled = Instant::now();
    thread::sleep(SECOND / 10);
    let adverts: Vec<_> = capture.adverts().into_iter().filter(|advert| advert.at > settled).collect();
    assert!(adverts.len() >= 5, "{} adverts in 100 ms", adverts.len());
    for advert in &adverts {
        assert_eq!((advert.from, advert.from_mac), (n1.address(), mac(n1)));
        assert_eq!((advert.version, advert.vrid, advert.priority, advert.interval), (3, 55, 150, 1));
    }

    first.stop()?;
    wait_until("n2 takes over", 5 * SECOND, || Ok(n2.holds(VIP)? && !n1.holds(VIP)?))?;
    assert!(capture.adverts().iter().any(|advert| advert.from == n1.address() && advert.priority == 0));
    Ok(())
}

#[test]
fn a_killed_daemon_leaves_two_answering() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let mut first = Software::Keepalived.start_with(n1, &fast(150))?;
    wait_until("n1 is Active", 5 * SECOND, || n1.holds(VIP))?;
    let _second = Software::Keepalived.start_with(n2, &fast(100))?;
    let arp = ArpProber::start(lan.client(), VIP, SECOND / 100)?;
    wait_until("n1 answers", 5 * SECOND, || Ok(arp.answers().len() > 5))?;
    assert_eq!(arp.answering_since(Instant::now() - SECOND), BTreeSet::from([mac(n1)]));

    first.crash()?;
    wait_until("n2 takes over", 5 * SECOND, || n2.holds(VIP))?;
    let taken = Instant::now();
    thread::sleep(SECOND / 5);
    assert!(n1.holds(VIP)?, "nobody was left to remove the address");
    assert_eq!(arp.answering_since(taken), BTreeSet::from([mac(n1), mac(n2)]));
    Ok(())
}

#[test]
fn a_silent_cut_cuts_and_keeps_the_carrier() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let ask = |from: &Node, to: &Node| -> Result<usize> {
        let prober = ArpProber::start(from, to.address(), SECOND / 100)?;
        thread::sleep(SECOND / 5);
        Ok(prober.answers().len())
    };
    let carrier =
        || -> Result<String> { Ok(n1.run(["cat", "/sys/class/net/eth0/carrier"])?.trim().to_owned()) };
    assert!(ask(n2, n1)? > 5);
    n1.cut()?;
    assert_eq!((ask(n2, n1)?, ask(n1, n2)?, carrier()?), (0, 0, "1".to_owned()));
    n1.mend()?;
    assert!(ask(n2, n1)? > 5 && ask(n1, n2)? > 5);
    n1.carrier(false)?;
    assert_eq!((ask(n2, n1)?, carrier()?), (0, "0".to_owned()));
    n1.carrier(true)?;
    wait_until("the carrier is back", SECOND, || Ok(carrier()? == "1"))?;
    Ok(())
}

#[test]
fn the_prober_measures_a_known_outage() -> Result<()> {
    let lan = Lan::new(1)?;
    let n1 = &lan.nodes()[0];
    let prober = Prober::start(lan.client(), n1.address(), PROBE)?;
    prober.wait_served(5 * SECOND)?;
    thread::sleep(SECOND / 10);
    let before = Instant::now();
    n1.cut()?;
    let cut = Instant::now();
    thread::sleep(SECOND / 20);
    let mending = Instant::now();
    n1.mend()?;
    let mended = Instant::now();
    thread::sleep(SECOND / 10);
    let report = prober.stop();

    // The cut and the mending happen somewhere inside the commands that order them.
    let (least, most) = (mending - cut, mended - before);
    let outage = report.outage(before).expect("an outage");
    let slack = Duration::from_millis(2);
    assert!(outage.until.is_some() && outage.lost >= 100, "{outage:?}");
    assert!(
        (least..most + slack).contains(&outage.duration),
        "{:?} not in {least:?}..{most:?}",
        outage.duration
    );
    assert_eq!(report.answering_since(mended), BTreeSet::from([mac(n1)]));
    assert_eq!(report.outage(mended + Duration::from_millis(5)).map(|outage| outage.lost), None);
    Ok(())
}

#[test]
fn machines_have_their_own_names_files_and_links() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    n1.run(["touch", "/run/only-here"])?;
    n1.run(["mkdir", "/sys/fs/bpf/only-here"])?;
    for path in ["/run/only-here", "/sys/fs/bpf/only-here"] {
        n1.run(["test", "-e", path])?;
        assert!(n2.run(["test", "-e", path]).is_err(), "{path} shows on n2");
        assert!(!Path::new(path).exists(), "{path} shows on the machine");
    }
    assert_eq!(n2.run(["hostname"])?.trim(), "n2");
    assert_eq!(n1.run(["ls", "/sys/class/net"])?.split_whitespace().collect::<Vec<_>>(), ["eth0", "lo"]);
    let web = lan.add_host("web1", 11)?;
    assert!(web.holds(Ipv4Addr::new(10, 77, 0, 11))?);
    Ok(())
}

#[test]
fn nothing_is_left_behind() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, _) = lan.pair()?;
    let mut daemon = Software::Keepalived.start_with(n1, &fast(150))?;
    wait_until("n1 is Active", 5 * SECOND, || n1.holds(VIP))?;
    // Orphans too: a script that outlives its daemon.
    n1.run(["sh", "-c", "setsid sleep 300 </dev/null >/dev/null 2>&1 &"])?;
    let namespaces: Vec<_> = lan.machines().map(|node| node.holder().netns().to_owned()).collect();
    let dir = n1.dir().to_owned();
    let inside = || -> Vec<String> {
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let inside = processes.filter(|entry| {
            fs::read_link(entry.path().join("ns/net")).is_ok_and(|netns| namespaces.contains(&netns))
        });
        inside.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    };
    assert!(daemon.process().running()?);
    assert!(inside().len() >= 6, "holders, two of keepalived, the orphan: {:?}", inside());
    assert!(dir.exists());
    drop(daemon);
    drop(lan);
    wait_until("every process is gone", SECOND, || Ok(inside().is_empty()))?;
    assert!(!dir.exists());
    Ok(())
}

/// Not a test: what [`a_killed_process_leaves_nothing_behind`] runs as a process of its own, and kills.
#[test]
#[ignore = "waits to be killed"]
fn a_lab_that_waits_to_be_killed() -> Result<()> {
    let lan = Lan::new(1)?;
    let n1 = &lan.nodes()[0];
    let _daemon = Software::Keepalived.start_with(n1, &fast(150))?;
    n1.run(["sh", "-c", "setsid sleep 300 </dev/null >/dev/null 2>&1 &"])?;
    wait_until("n1 is Active", 5 * SECOND, || n1.holds(VIP))?;
    fs::write(std::env::var("HADP_TEST_READY")?, n1.holder().netns().as_os_str().as_encoded_bytes())?;
    thread::sleep(60 * SECOND);
    Ok(())
}

#[test]
fn a_killed_process_leaves_nothing_behind() -> Result<()> {
    let ready = std::env::temp_dir().join(format!("hadp-test-ready-{}", std::process::id()));
    let mut lab = Command::new(std::env::current_exe()?)
        .args(["--ignored", "--exact", "a_lab_that_waits_to_be_killed"])
        .env("HADP_TEST_READY", &ready)
        .stdout(Stdio::null())
        .spawn()?;
    wait_until("its lab", 30 * SECOND, || {
        Ok(fs::read_to_string(&ready).is_ok_and(|netns| !netns.is_empty()))
    })?;
    let netns = fs::read_to_string(&ready)?;
    fs::remove_file(&ready)?;
    let inside = || {
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let link = |entry: &fs::DirEntry| fs::read_link(entry.path().join("ns/net"));
        processes.filter(|entry| link(entry).is_ok_and(|link| link == Path::new(&netns))).count()
    };
    assert!(inside() >= 4, "the holder, two of keepalived, the orphan: {}", inside());
    lab.kill()?;
    lab.wait()?;
    wait_until("every process is gone", 10 * SECOND, || Ok(inside() == 0))?;
    let dirs = || {
        let entries = fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten();
        let prefix = format!("hadp-lab-{}-", lab.id());
        entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix)).count()
    };
    wait_until("its directory is gone", 10 * SECOND, || Ok(dirs() == 0))?;
    Ok(())
}
