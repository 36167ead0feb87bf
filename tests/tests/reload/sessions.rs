//! BFD sessions, and who fails over by them.

use super::*;

fn followed(neighbor: u8, priority: u8, session: &str, more: &str) -> String {
    let session = Session::new(format!("10.77.0.{neighbor}")).with(session);
    format!("{session}{}", Instance::new(priority).with(more))
}

/// What of a session must not change.
fn counts(node: &Node) -> Result<[Value; 2]> {
    Ok([field(node, 0, "ups")?, field(node, 0, "downs")?])
}

#[test]
fn bfd_sessions_stay_up() -> Result<()> {
    let conf = |own: u8, session: &str| match own {
        1 => followed(2, 150, session, "fast_failover"),
        _ => followed(1, 100, session, "fast_failover"),
    };
    let scene = Scene::new([&conf(1, ""), &conf(2, "")], MILLISECOND)?;
    settle(&scene.lan)?;
    let (n1, n2) = scene.nodes()?;
    let before = [counts(n1)?, counts(n2)?];
    reloaded(n1, &conf(1, ""), "nothing has changed")?;
    // Faster at one end, slower at the other, and less patient.
    reloaded(n1, &conf(1, "min_tx 10\n    multiplier 5"), "BFD reconfigured PEER")?;
    reloaded(n2, &conf(2, "min_rx 40\n    ttl 255"), "BFD reconfigured PEER")?;
    reloaded(n1, &conf(1, "min_tx 30\n    multiplier 4"), "BFD reconfigured PEER")?;
    wait_until("the new interval is in force", PATIENCE, || Ok(field(n1, 0, "transmit_us")? == 40_000))
        .with_context(|| format!("{:#}", hadp_status(n1).unwrap_or_default()))?;
    thread::sleep(SECOND);
    assert_eq!(before, [counts(n1)?, counts(n2)?], "{}", scene.logs());
    scene.is_served()?;
    scene.answered(&[mac(n1)])?;
    undisturbed(&scene.first)?;
    // It is followed as before.
    let start = Instant::now();
    n1.cut()?;
    wait_state(n2, "Active", "").with_context(|| scene.logs())?;
    ensure!(start.elapsed() < 2 * SECOND, "{:?}: {}", start.elapsed(), scene.logs());
    Ok(())
}

/// Guards come and go under an Active router, and the end of a session is no death.
#[test]
fn fast_failover_begins_and_ends_under_an_active_router() -> Result<()> {
    let plain = |priority| Instance::new(priority).to_string();
    let (first_with, second_with) =
        (followed(2, 150, "", "fast_failover"), followed(1, 100, "", "fast_failover"));
    let scene = Scene::new([&plain(150), &plain(100)], MILLISECOND)?;
    let (n1, n2) = scene.nodes()?;
    for _ in 0..2 {
        reloaded(n1, &first_with, "BFD added PEER")?;
        reloaded(n2, &second_with, "BFD added PEER")?;
        for node in [n1, n2] {
            wait_session(node, 0, "Up").with_context(|| scene.logs())?;
        }
        thread::sleep(SECOND / 4);
        // The Active node first: its neighbour follows the session still.
        reloaded(n1, &plain(150), "BFD removed PEER")?;
        wait_session(n2, 0, "Down").with_context(|| scene.logs())?;
        thread::sleep(SECOND / 2);
        reloaded(n2, &plain(100), "BFD removed PEER")?;
        wait_until("the places are free", PATIENCE, || {
            let text = n1.run(["bpftool", "-j", "map", "dump", "pinned", "/sys/fs/bpf/hadp/BFD_KEYS"])?;
            let keys: Value = serde_json::from_str(&text)?;
            let used = |entry: &&Value| {
                entry.pointer("/formatted/value/discriminator").and_then(Value::as_u64) != Some(0)
            };
            Ok(keys.as_array().is_some_and(|keys| !keys.is_empty() && !keys.iter().any(|key| used(&key))))
        })?;
    }
    thread::sleep(AFTERMATH);
    scene.is_served()?;
    scene.answered(&[mac(n1)])?;
    undisturbed(&scene.first)?;
    ensure!(!scene.second.log().text().contains("-> Active"), "{}", scene.logs());
    Ok(())
}
