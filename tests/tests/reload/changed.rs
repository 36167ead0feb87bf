//! Routers that change while they run, or do not change at all.

use super::*;

#[test]
fn a_reload_that_changes_nothing_is_not_noticed() -> Result<()> {
    unspoilt(AT_TEN_MILLISECONDS, |_| {
        let mut scene = Scene::of_router(0.01)?;
        let observed = |scene: &Scene| -> Result<_> {
            let (n1, _) = scene.nodes()?;
            Ok((slot(n1, 0, "generation")?, n1.run(["ip", "-j", "addr"])?))
        };
        let before = observed(&scene)?;
        for _ in 0..3 {
            reloaded(scene.nodes()?.0, &router(55, 150, 0.01, &[VIP], ""), "nothing has changed")?;
        }
        scene.first.process().signal(Signal::SIGHUP)?;
        wait_until("it has reloaded four times", SECOND * 5, || {
            Ok(scene.first.log().text().matches("reloaded: nothing has changed").count() == 4)
        })?;
        thread::sleep(AFTERMATH);
        scene.is_served()?;
        undisturbed(&scene.first)?;
        assert_eq!(before, observed(&scene)?);
        Ok(())
    })
}

#[test]
fn a_backup_whose_priority_is_raised_preempts() -> Result<()> {
    unspoilt(AT_TEN_MILLISECONDS, |_| {
        let scene = Scene::of_router(0.05)?;
        let (n1, n2) = scene.nodes()?;
        reloaded(n2, &router(55, 200, 0.05, &[VIP], ""), "reconfigured VI_55")?;
        wait_owner(&scene.lan, n2, VIP, PATIENCE)?;
        wait_state(n1, "Backup", "")?;
        thread::sleep(AFTERMATH);
        scene.is_served()?;
        let preempts = scene.second.log().text().contains("Backup -> Active: preempting a lower priority");
        ensure!(preempts, "{}", scene.logs());
        Ok(())
    })
}

/// A successor that outranks is preempted by the advert alone; nobody answers beside it for longer than that takes.
#[test]
fn lowering_the_priority_of_an_active_router_gives_it_to_the_other_node() -> Result<()> {
    unspoilt(AT_TEN_MILLISECONDS, |_| {
        let scene = Scene::of_router(0.05)?;
        let (n1, n2) = scene.nodes()?;
        thread::sleep(SECOND / 4);
        reloaded(n1, &router(55, 50, 0.05, &[VIP], ""), "reconfigured VI_55")?;
        wait_owner(&scene.lan, n2, VIP, PATIENCE)?;
        thread::sleep(AFTERMATH);
        scene.is_served()?;
        let both = overlap(&scene.asked, scene.start, n1, n2)?;
        ensure!(both < 5 * MILLISECOND, "{both:?}");
        Ok(())
    })
}

#[test]
fn the_interval_changes_on_one_node_after_the_other() -> Result<()> {
    unspoilt(AT_TEN_MILLISECONDS, |_| {
        let mut scene = Scene::of_router(0.01)?;
        let (n1, n2) = scene.nodes()?;
        for every in [0.02, 0.01, 0.5, 0.01] {
            for (node, priority) in [(n1, 150), (n2, 100)] {
                reloaded(node, &router(55, priority, every, &[VIP], ""), "reconfigured VI_55")?;
                thread::sleep(SECOND / 4);
            }
        }
        scene.is_served()?;
        scene.answered(&[mac(n1)])?;
        assert_eq!(state(n2)?.0, "Backup");
        undisturbed(&scene.first)?;
        ensure!(!scene.second.log().text().contains("-> Active"), "{}", scene.logs());
        // Whoever takes over in the end does so by the interval that is in force.
        scene.first.crash()?;
        let (_, n2) = scene.nodes()?;
        wait_state(n2, "Active", "")
    })
}
