//! What a router tracks: its priority, or its FAULT, follows.

use super::*;

fn priority(node: &Node) -> Result<Option<u64>> {
    Ok(hadp_status(node)?.pointer("/routers/0/priority").and_then(Value::as_u64))
}

fn wait_priority(node: &Node, wanted: u64) -> Result<()> {
    wait_until(&format!("priority {wanted}"), PATIENCE, || Ok(priority(node)? == Some(wanted))).map(drop)
}

fn tracking(kind: &str, object: &str) -> String {
    format!("{kind} {{\n        {object}\n    }}")
}

#[test]
fn an_interface_is_tracked_in_another_way_or_no_more() -> Result<()> {
    unspoilt(AT_TEN_MILLISECONDS, |_| {
        let scene = Scene::of_router(0.05)?;
        let (n1, n2) = scene.nodes()?;
        n1.run(["ip", "link", "add", "up7", "type", "veth", "peer", "name", "far7"])?;
        n1.run(["ip", "link", "set", "far7", "up"])?;
        let conf = |track: &str| router(55, 150, 0.05, &[VIP], track);
        let track = |object: &str| conf(&tracking("track_interface", object));
        let step = |conf: &str, owner: &Node| -> Result<()> {
            let start = Instant::now();
            reloaded(n1, conf, "reconfigured VI_55")?;
            // Not by `ip`, which takes the lock that a handover waits for.
            answered_after(&scene.asked, owner, start).with_context(|| scene.logs())?;
            thread::sleep(SECOND / 10);
            let settled = Instant::now();
            thread::sleep(SECOND / 10);
            let answered = owners_since(&scene.asked, settled);
            ensure!(answered == [mac(owner)], "{answered:?}: {}", scene.logs());
            Ok(())
        };
        // It is down.
        step(&track("up7 weight -80"), n2)?;
        assert_eq!(priority(n1)?, Some(70));
        step(&track("up7 weight 20"), n1)?;
        assert_eq!(priority(n1)?, Some(150));
        step(&track("up7"), n2)?;
        wait_state(n1, "Initialize", "tracked")?;
        step(&track("up7 weight -20"), n1)?;
        assert_eq!(priority(n1)?, Some(130));
        step(&track("up7"), n2)?;
        step(&conf(""), n1)?;
        assert_eq!(priority(n1)?, Some(150));
        // It comes up while nobody tracks it, and that is known when somebody does.
        n1.run(["ip", "link", "set", "up7", "up"])?;
        wait_until("it is up", SECOND, || Ok(n1.run(["ip", "link", "show", "up7"])?.contains("state UP")))?;
        step(&track("up7"), n1)?;
        step(&track("up7 weight 30"), n1)?;
        assert_eq!(priority(n1)?, Some(180));
        Ok(())
    })
}

#[test]
fn a_session_comes_and_goes_with_what_tracks_it() -> Result<()> {
    let conf = |neighbor: u8, priority: u8, track: &str| {
        let session = Session::new(format!("10.77.0.{neighbor}"));
        format!("{session}{}", router(55, priority, 0.05, &[VIP], track))
    };
    let alone = |priority: u8, track: &str| router(55, priority, 0.05, &[VIP], track);
    let track = |object: &str| conf(2, 150, &tracking("track_bfd", object));
    let scene = Scene::new([&alone(150, ""), &alone(100, "")], MILLISECOND)?;
    let (n1, n2) = scene.nodes()?;
    let logs = || scene.logs();
    // Until it has come up it counts as failed.
    reloaded(n1, &track("PEER weight -20"), "reconfigured VI_55; BFD added PEER")?;
    wait_priority(n1, 130)?;
    reloaded(n2, &conf(1, 100, ""), "BFD added PEER")?;
    wait_session(n1, 0, "Up").with_context(logs)?;
    wait_priority(n1, 150)?;
    reloaded(n1, &track("PEER weight 30"), "reconfigured VI_55")?;
    assert_eq!(priority(n1)?, Some(180));
    reloaded(n1, &track("PEER"), "reconfigured VI_55")?;
    assert_eq!(priority(n1)?, Some(150));
    scene.answered(&[mac(n1)])?;
    undisturbed(&scene.first)?;
    // The neighbour's session leaves: this node is in FAULT until the session does not count any more.
    reloaded(n2, &alone(100, ""), "BFD removed PEER")?;
    wait_state(n1, "Initialize", "tracked").with_context(logs)?;
    wait_owner(&scene.lan, n2, VIP, PATIENCE)?;
    reloaded(n1, &alone(150, ""), "reconfigured VI_55; BFD removed PEER")?;
    wait_owner(&scene.lan, n1, VIP, PATIENCE).with_context(logs)?;
    assert_eq!(priority(n1)?, Some(150));
    Ok(())
}
