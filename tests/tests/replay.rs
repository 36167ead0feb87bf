//! What daemons record is decided alike when it is gone through again.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Output, time::Duration};

use anyhow::{Context as _, Result, ensure};
use hadp_tests::{
    checks::{hasten, wait_owner, wait_state},
    conf::{Instance, VIP, router_and_session},
    lab::{Daemon, Lan, Node, hadp_binary, hadp_status, wait_until},
    sessions::{PATIENCE, settle},
};

const SECOND: Duration = Duration::from_secs(1);

fn conf(priority: u8) -> String {
    Instance::new(priority).every(0.05).to_string()
}

fn replay(node: &Node, log: &Path, arguments: &[&str]) -> Result<Output> {
    let mut command = node.command(&hadp_binary()?.to_string_lossy())?;
    Ok(command.arg("replay").arg(log).args(arguments).output()?)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Requires that a log is decided alike, and that its timeline has these lines in this order.
fn ensure_told(node: &Node, log: &Path, lines: &[&str]) -> Result<()> {
    let output = replay(node, log, &[])?;
    let text = said(&output);
    ensure!(output.status.code() == Some(0), "{}: {:?}\n{text}", node.name(), output.status);
    ensure!(text.contains("\nas recorded: ") && !text.contains("missing"), "{text}");
    let mut rest = text.as_str();
    for line in lines {
        let (_, behind) = rest.split_once(line).with_context(|| format!("no {line:?} there in\n{text}"))?;
        rest = behind;
    }
    Ok(())
}

#[test]
fn a_failover_and_a_handover_are_decided_alike() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let (log1, log2) = (n1.dir().join("n1.log"), n2.dir().join("n2.log"));
    let mut first = Daemon::hadp_recording(n1, &conf(150), &log1)?;
    wait_owner(&lan, n1, VIP, 5 * SECOND)?;
    let mut second = Daemon::hadp_recording(n2, &conf(100), &log2)?;
    wait_until("n2 follows n1", 5 * SECOND, || {
        Ok(hadp_status(n2).is_ok_and(|status| status.pointer("/routers/0/active_router").is_some()))
    })?;

    n1.link_down()?;
    wait_owner(&lan, n2, VIP, 5 * SECOND)?;
    n1.link_up()?;
    wait_owner(&lan, n1, VIP, 5 * SECOND)?;
    first.stop()?;
    wait_owner(&lan, n2, VIP, 5 * SECOND)?;
    second.stop()?;

    for log in [&log1, &log2] {
        ensure!(
            fs::metadata(log)?.permissions().mode() & 0o777 == 0o600,
            "others may read {}",
            log.display()
        );
    }
    ensure_told(
        n1,
        &log1,
        &[
            "VI_1  joins: VRRPv3, priority 150, every 0.05 s",
            "VI_1  starts, sending from 10.77.0.1",
            "takes a lease of 150.0ms",
            "Backup -> Active: no advert from an Active router in time",
            "(lease renewed",
            "Active -> Initialize: interface is down",
            "hears 10.77.0.2: priority 100",
            "Backup -> Active: preempting a lower priority",
            "sends priority 0",
            "Active -> Resigning: shutting down",
        ],
    )?;
    let taken_over = "Backup -> Active: no advert from an Active router in time";
    ensure_told(
        n2,
        &log2,
        &[
            "hears 10.77.0.1: priority 150, every 0.05 s",
            taken_over,
            "Active -> Backup: yielding to 10.77.0.1 with priority 150",
            "hears 10.77.0.1 resign",
            "Backup -> Active: the Active router resigned",
            "Active -> Resigning: shutting down",
        ],
    )?;

    let json = replay(n2, &log2, &["--json", "--router", "VI_1"])?;
    ensure!(json.status.code() == Some(0), "{}", said(&json));
    let lines: Vec<serde_json::Value> =
        said(&json).lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let took =
        |line: &serde_json::Value| line.pointer("/what/transition/reason") == Some(&"ActiveDown".into());
    ensure!(lines.iter().any(took), "{lines:#?}");
    ensure!(lines.last().and_then(|line| line.pointer("/same/events")?.as_u64()) > Some(20), "{lines:#?}");
    let unknown = replay(n2, &log2, &["--router", "VI_2"])?;
    ensure!(
        unknown.status.code() == Some(1) && said(&unknown).contains("there are: VI_1"),
        "{}",
        said(&unknown)
    );

    ensure_differs(n2, &log2)?;
    ensure_errors(n2, &log2)
}

/// The log of a node whose neighbour dies without a word shows how the session found out, right before the takeover.
#[test]
fn a_death_that_bfd_finds_is_decided_alike() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let (log1, log2) = (n1.dir().join("n1.log"), n2.dir().join("n2.log"));
    let mut first = Daemon::hadp_recording(n1, &router_and_session(2, 150, "fast_failover"), &log1)?;
    hasten(&lan, n1)?;
    wait_owner(&lan, n1, VIP, PATIENCE)?;
    let mut second = Daemon::hadp_recording(n2, &router_and_session(1, 100, "fast_failover"), &log2)?;
    settle(&lan)?;
    for log in [&log1, &log2] {
        wait_until("the session is quiet", PATIENCE, || {
            Ok(fs::read_to_string(log)?.contains("\"readings\""))
        })?;
    }
    n1.cut()?;
    wait_state(n2, "Active", "")?;
    first.stop()?;
    second.stop()?;

    let joins = "(PEER) BFD joins: sending every 20ms, hearing every 20ms, multiplier 3\n";
    let pace = [
        "(PEER) BFD hears ",
        "-> Up\n",
        "(PEER) BFD asks for another pace (Poll)\n",
        "(PEER) BFD sends every 20ms\n",
    ];
    let [hears, up, asks, sends] = pace;
    let fall = "(PEER) BFD Up -> Down: Control Detection Time Expired, silent for ";
    let dead = "VI_1  is told by BFD that 10.77.0.1 is dead, to wait 0ns\n";
    let takeover = "VI_1  Backup -> Active: ";
    ensure_told(
        n2,
        &log2,
        &[
            joins,
            hears,
            up,
            asks,
            sends,
            "(PEER) BFD (looked for ",
            fall,
            dead,
            "VI_1  takes a lease",
            takeover,
            "(PEER) BFD Down -> AdminDown: Administratively Down\n",
        ],
    )?;
    ensure_told(n1, &log1, &[joins, hears, up, asks, sends, fall])?;

    // Nothing comes between the fall and the word of it but what had gone on until then.
    let text = said(&replay(n2, &log2, &[])?);
    let (_, after) = text.split_once(fall).context("no fall")?;
    let (between, _) = after.split_once(dead).context("no word of it")?;
    let is_news = |line: &&str| line.contains("VI_1") && !line.contains("more adverts heard");
    ensure!(between.lines().skip(1).filter(is_news).count() == 0, "{text}");

    let json = said(&replay(n2, &log2, &["--json"])?);
    let lines: Vec<serde_json::Value> = json.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let is_fall = |line: &serde_json::Value| {
        line.pointer("/session") == Some(&"PEER".into())
            && line.pointer("/what/bfd/expired/silence").is_some()
    };
    ensure!(lines.iter().any(is_fall), "{lines:#?}");

    // Another cause of the fall is another decision.
    let log = fs::read_to_string(&log2)?;
    let expired = "\"diag\":\"DetectionTimeExpired\"";
    let other = n2.write("other.log", &log.replacen(expired, "\"diag\":\"PathDown\"", 1))?;
    let output = replay(n2, &other, &[])?;
    ensure!(output.status.code() == Some(2), "{}", said(&output));
    ensure!(said(&output).contains(" (PEER) BFD: in Up { deadline: "), "{}", said(&output));
    Ok(())
}

/// Requires that a log whose takeover was another one is found to differ there.
fn ensure_differs(node: &Node, log: &Path) -> Result<()> {
    let text = fs::read_to_string(log)?;
    let place = text.lines().position(|line| line.contains("\"ActiveDown\"")).context("no takeover")?;
    let other = node.write("other.log", &text.replacen("\"ActiveDown\"", "\"Preempted\"", 1))?;
    let output = replay(node, &other, &[])?;
    let said = said(&output);
    ensure!(output.status.code() == Some(2), "{:?}\n{said}", output.status);
    ensure!(said.contains(&format!("{}:{}: +", other.display(), place + 1)), "{said}");
    let (expected, got) = said.split_once("\ngot:\n").context("nothing got")?;
    let marked =
        |text: &str, word: &str| text.lines().any(|line| line.starts_with("  > ") && line.contains(word));
    ensure!(marked(expected, "Preempted") && marked(got, "ActiveDown"), "{said}");
    Ok(())
}

/// Requires that what is no log, or a broken one, is told from one that a crash cut off.
fn ensure_errors(node: &Node, log: &Path) -> Result<()> {
    let text = fs::read_to_string(log)?;
    let cut = node.write("cut.log", text.get(..text.len() - 5).context("too short")?)?;
    let output = replay(node, &cut, &[])?;
    ensure!(output.status.code() == Some(0), "{}", said(&output));
    ensure!(said(&output).contains("the log ends within a line"), "{}", said(&output));
    let broken = node.write("broken.log", &text.replacen("\"slot\":0", "\"slot\":-1", 1))?;
    let output = replay(node, &broken, &[])?;
    ensure!(output.status.code() == Some(1), "{}", said(&output));
    ensure!(said(&output).contains("broken.log:2: "), "{}", said(&output));

    let mut again = node.command(&hadp_binary()?.to_string_lossy())?;
    let conf = node.write("again.conf", &conf(100))?;
    let again = again.arg("run").arg("-f").arg(conf).arg("--record").arg(log).output()?;
    ensure!(again.status.code() == Some(1), "{}", said(&again));
    ensure!(said(&again).contains("exists; an event log is not overwritten"), "{}", said(&again));
    ensure!(fs::read_to_string(log)? == text, "the log was written to");
    Ok(())
}

/// A daemon that goes on where another one died records to a file of its own, and what it found is in it.
#[test]
fn a_daemon_started_again_records_to_the_next_file() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    let log = node.dir().join("n1.log");
    let [first, second] = [".1", ".2"].map(|end| node.dir().join(format!("n1.log{end}")));
    let mut daemon = Daemon::hadp_recording(node, &conf(100), &log)?;
    wait_state(node, "Active", "")?;
    wait_owner(&lan, node, VIP, 5 * SECOND)?;
    for (deaths, next) in [(1, &first), (2, &second)] {
        // The event log is written at its own pace; a companion that is not ready yet has nobody to keep Active.
        wait_until("the log has the takeover", 5 * SECOND, || {
            let logs = [&log, &first, &second].map(fs::read_to_string);
            Ok(logs.iter().flatten().filter(|text| text.contains("RenewLease")).count() == deaths)
        })?;
        daemon.crash_daemon()?;
        wait_until("the new daemon answers", 5 * SECOND, || {
            let restarts = hadp_status(node).ok().and_then(|status| status.get("restarts")?.as_u64());
            Ok(next.exists() && restarts == u64::try_from(deaths).ok())
        })?;
        wait_state(node, "Active", "")?;
    }
    daemon.stop()?;
    ensure_told(node, &log, &["VI_1  starts, sending from", "Backup -> Active"])?;
    let resumed = "VI_1  goes on with a lease it found, sending from 10.77.0.1";
    ensure_told(node, &first, &["VI_1  joins", resumed])?;
    ensure_told(node, &second, &["VI_1  joins", resumed, "Active -> Resigning: shutting down"])
}

/// A disk without room ends the recording, and nothing else.
#[test]
fn a_full_disk_disturbs_no_election() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    node.run(["mkdir", "/run/small"])?;
    node.run(["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", "/run/small"])?;
    let mut daemon = Daemon::hadp_recording(node, &conf(100), Path::new("/run/small/log"))?;
    daemon.log().wait_for("cannot write the event log, which ends here", 10 * SECOND)?;
    wait_state(node, "Active", "")?;
    wait_owner(&lan, node, VIP, SECOND)?;
    ensure!(daemon.log().text().matches("cannot write the event log").count() == 1);
    daemon.stop()
}
