//! Ownership is a lease: whatever keeps an owner's adverts from leaving, it owns nothing any more when another one does.

#![expect(clippy::disallowed_methods, reason = "real daemons take real time")]
#![expect(clippy::print_stdout, reason = "what was measured is worth a look")]

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use hadp::shell::clock;
use hadp_tests::{
    bench::LeaseWatch,
    checks::{mac, owners_since, wait_state},
    client::{ArpProber, Mac, hurry},
    conf::{Instance, Session, VIP},
    lab::{Freezer, Lan, Node, Pair, Software, hadp_binary, hadp_status},
    sessions,
    unspoilt::{AT_TEN_MILLISECONDS, Span, unspoilt},
};
use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};
use serde_json::Value;

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);
/// What takes frames and does not send them: a token bucket that fills by an octet a second.
const STUCK: &str = "tbf rate 8bit burst 60 limit 1mb";
/// What n1 says of it.
const QUEUED: &str = "adverts are queued on eth0 and do not leave";
const REFUSED: &str = "cannot send an advert";
/// How long an owner's adverts stay away.
const LONG: Duration = Duration::from_millis(400);

/// Two nodes, n1 the owner, and who owned what.
struct Scene {
    lan: Lan,
    pair: Pair,
}

impl Scene {
    fn new(confs: [String; 2]) -> Result<Self> {
        let lan = Lan::new(2)?;
        let (n1, n2) = lan.pair()?;
        let [first, second] = [n1.write("daemon.conf", &confs[0])?, n2.write("daemon.conf", &confs[1])?];
        let first = Software::Hadp.start(n1, &first)?;
        wait_state(n1, "Active", "")?;
        let pair = Pair { first, second: Software::Hadp.start(n2, &second)? };
        pair.wait_elected(&lan, VIP)?;
        wait_state(n2, "Backup", "")?;
        thread::sleep(SECOND / 5);
        Ok(Self { lan, pair })
    }

    /// Has something befall n1, which must cost it the address; `mend` ends that. No two may own the address at any time,
    /// n2 must have begun after n1 had ceased, and the answers come from `owners` in this order.
    fn befall<T>(
        &self,
        span: &Span,
        strike: impl FnOnce(&Self) -> Result<T>,
        mend: impl FnOnce(&Self, T) -> Result<()>,
        owners: &[fn(&Lan) -> Result<Mac>],
    ) -> Result<()> {
        let (n1, n2) = self.lan.pair()?;
        let asked = ArpProber::start(self.lan.client(), VIP, MILLISECOND)?;
        let watch = LeaseWatch::start([n1, n2])?;
        thread::sleep(SECOND / 10);
        let (start, fault) = (Instant::now(), clock::now().as_nanos());
        let struck = strike(self)?;
        thread::sleep(LONG);
        let status = hadp_status(n2)?;
        mend(self, struck)?;
        thread::sleep(SECOND / 2);
        let watched = watch.end()?;
        span.counts(start, Instant::now());
        let logs =
            || format!("n1:\n{}\nn2:\n{}", self.pair.first.log().text(), self.pair.second.log().text());
        if let Some((first, last, count)) = watched.both() {
            let after = |at: u64| Duration::from_nanos(at.saturating_sub(fault));
            let (first, last) = (after(first), after(last));
            anyhow::bail!("two owners, read {count} times from {first:?} to {last:?}\n{}", logs());
        }
        let lapse = watched.lapse(fault)?.with_context(|| format!("n1 never ceased to own\n{}", logs()))?;
        let number =
            |name: &str| status.pointer(&format!("/routers/0/takeover/{name}")).and_then(Value::as_u64);
        let decided = number("decided_ns").context("n2 did not take over")?;
        let stored = decided + number("stored_after_ns").context("n2 did not take over")?;
        ensure!(
            stored >= lapse.earliest,
            "n2 stored {} ns before n1's end\n{}",
            lapse.earliest - stored,
            logs()
        );
        println!(
            "n1 ceased to own {:?} after the fault, n2 began {:?} later",
            Duration::from_nanos(lapse.latest.saturating_sub(fault)),
            Duration::from_nanos(stored.saturating_sub(lapse.latest))
        );
        let owners = owners.iter().map(|owner| owner(&self.lan)).collect::<Result<Vec<_>>>()?;
        let answered = owners_since(&asked, start);
        ensure!(answered == owners, "{answered:?} answered, not {owners:?}\n{}", logs());
        Ok(())
    }
}

fn first(lan: &Lan) -> Result<Mac> {
    Ok(mac(lan.pair()?.0))
}

fn second(lan: &Lan) -> Result<Mac> {
    Ok(mac(lan.pair()?.1))
}

fn confs(interval: f64, more: &str) -> [String; 2] {
    [150, 100].map(|priority| Instance::new(priority).every(interval).with(more).to_string())
}

fn queue(node: &Node, verb: &str, what: &str) -> Result<()> {
    node.run(["sh", "-c", &format!("tc qdisc {verb} dev eth0 root {what}")]).map(drop)
}

/// Has n1's interface queue be like this, and back again.
fn with_queue(confs: &[String; 2], what: &str, said: &[&str]) -> Result<()> {
    let is_shaped = what.starts_with("tbf");
    let mended = if is_shaped { "tbf rate 1gbit burst 100kb limit 1mb" } else { "pfifo limit 1000" };
    // What is found out late by less than this is found out before n2 takes over, in each of these tests.
    unspoilt(AT_TEN_MILLISECONDS / 2, |span| {
        let scene = Scene::new(confs.clone())?;
        scene.befall(
            span,
            |scene| queue(scene.lan.pair()?.0, "replace", what),
            // In place: to take a queue away is to lose what is sent meanwhile, unsaid.
            |scene, ()| queue(scene.lan.pair()?.0, "change", mended),
            // It preempts its successor once it can be heard again.
            &[first, second, first],
        )?;
        let log = scene.pair.first.log().text();
        let says_once = said.iter().any(|said| log.matches(said).count() == 1);
        ensure!(says_once, "n1 does not say once: {said:?}\n{log}");
        Ok(())
    })
}

#[test]
fn a_queue_that_takes_adverts_and_does_not_send_them() -> Result<()> {
    for interval in [0.01, 0.02] {
        with_queue(&confs(interval, ""), STUCK, &[QUEUED])?;
    }
    Ok(())
}

/// What the queue refuses in the end renews nothing, and what it took before is taken back.
#[test]
fn a_queue_that_takes_one_advert_and_no_other() -> Result<()> {
    let one = "tbf rate 8bit burst 60 limit 80";
    // A frame that is not an advert may be the one.
    with_queue(&confs(0.02, ""), one, &[QUEUED, REFUSED])
}

/// What goes to a peer that does not answer ARP waits for that, for seconds, and again and again: no reason to own nothing.
#[test]
fn a_node_whose_unicast_peer_is_dead_keeps_its_address() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    n2.run(["ip", "link", "set", "eth0", "down"])?;
    let line = "unicast_src_ip 10.77.0.1\n    unicast_peer {\n        10.77.0.2\n    }";
    let conf = Instance::new(150).every(0.1).with(line).to_string();
    let mut daemon = Software::Hadp.start_with(n1, &conf)?;
    wait_state(n1, "Active", "")?;
    // The neighbour entry fails after three seconds, and begins anew.
    thread::sleep(7 * SECOND);
    let log = daemon.log().text();
    ensure!(!log.contains("Active -> "), "{log}");
    daemon.stop()
}

#[test]
fn a_queue_that_takes_adverts_where_one_missed_advert_is_enough() -> Result<()> {
    // Of a rank that takes over soon after: within what the advert in the queue would add to the lease.
    let conf = |priority| Instance::new(priority).every(0.02).with("down_timer_adverts 1").to_string();
    with_queue(&[conf(200), conf(180)], STUCK, &[QUEUED])
}

#[test]
fn a_queue_that_has_no_room() -> Result<()> {
    for what in ["pfifo limit 0", "tbf rate 8bit burst 60 limit 1"] {
        with_queue(&confs(0.01, ""), what, &[REFUSED])?;
    }
    Ok(())
}

#[test]
fn processes_that_a_control_group_freezes() -> Result<()> {
    unspoilt(AT_TEN_MILLISECONDS, |span| {
        let scene = Scene::new(confs(0.01, ""))?;
        let freezer = Freezer::new(&scene.pair.first.pids())?;
        scene.befall(span, |_| freezer.freeze(), |_, ()| freezer.thaw(), &[first, second, first])?;
        is_backup_first(&scene)
    })
}

#[test]
fn processes_that_are_stopped() -> Result<()> {
    unspoilt(AT_TEN_MILLISECONDS, |span| {
        let scene = Scene::new(confs(0.01, ""))?;
        scene.befall(
            span,
            |scene| scene.pair.first.freeze_all(),
            |scene, _| scene.pair.first.thaw_all(),
            &[first, second, first],
        )?;
        is_backup_first(&scene)
    })
}

/// Tells whether n1, when it got to run again, was a Backup before it preempted its successor.
fn is_backup_first(scene: &Scene) -> Result<()> {
    let log = scene.pair.first.log().text();
    let gave_up = ["lease expired", "lease revoked"].map(|why| log.find(why)).into_iter().flatten().min();
    let again = log
        .find("Backup -> Active: preempting")
        .context("n1 did not preempt")
        .with_context(|| log.clone())?;
    ensure!(gave_up.is_some_and(|at| at < again), "n1 was not Backup first:\n{log}");
    ensure!(!log.contains("the daemon died"), "the companion took it for dead:\n{log}");
    Ok(())
}

/// Keeps everything that hadp does from a processor: above its threads, below the witness of what stands still.
fn spin(cpu: usize, time: Duration) -> Result<()> {
    let spinner = thread::spawn(move || -> Result<()> {
        let mut own = CpuSet::new();
        own.set(cpu)?;
        sched_setaffinity(Pid::from_raw(0), &own)?;
        hurry(85);
        let end = Instant::now() + time;
        while Instant::now() < end {
            std::hint::spin_loop();
        }
        Ok(())
    });
    spinner.join().map_err(|_| anyhow::anyhow!("the spinner panicked"))?
}

#[test]
fn an_election_thread_that_is_starved() -> Result<()> {
    ensure!(thread::available_parallelism()?.get() > 1, "this takes two processors");
    unspoilt(AT_TEN_MILLISECONDS, |span| {
        let at = |cpu, conf: &String| format!("global_defs {{\n    vrrp_cpu_affinity {cpu}\n}}\n{conf}");
        let [one, two] = confs(0.01, "");
        let scene = Scene::new([at(0, &one), at(1, &two)])?;
        scene.befall(span, |_| spin(0, LONG), |_, ()| Ok(()), &[first, second, first])?;
        is_backup_first(&scene)
    })
}

/// BFD's packets stay in the queue as well: the neighbour says so, in a packet that arrives.
#[test]
fn a_queue_that_takes_what_a_fast_failover_goes_by() -> Result<()> {
    let conf = |neighbor, priority| {
        let router = Instance::new(priority).every(0.1).with("fast_failover\n    nopreempt");
        format!("{}{router}", Session::new(neighbor))
    };
    unspoilt(Duration::from_millis(40), |span| {
        let scene = Scene::new([conf("10.77.0.2", 150), conf("10.77.0.1", 100)])?;
        sessions::settle(&scene.lan)?;
        scene.befall(
            span,
            |scene| queue(scene.lan.pair()?.0, "replace", STUCK),
            |_, ()| Ok(()),
            &[first, second],
        )
    })
}

#[test]
fn a_daemon_in_another_time_namespace_does_not_start() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    let file = node.write("daemon.conf", &confs(0.01, "")[0])?;
    for offset in ["1000", "-1", "1"] {
        let mut command = node.command("unshare")?;
        command.args(["--time", "--monotonic", offset, "--fork", "timeout", "5"]).arg(hadp_binary()?);
        let output = command.args(["run", "-f"]).arg(&file).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.code() == Some(1), "{:?}: {said}", output.status);
        ensure!(said.contains("time namespace"), "{said}");
    }
    ensure!(!node.run(["ls", "/sys/fs/bpf"])?.contains("hadp"), "a failed start left pins");
    Ok(())
}
