//! A file that cannot be taken up.

use super::*;

#[test]
fn a_file_with_an_error_changes_nothing() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    let mut daemon = Software::Hadp.start_with(node, &router(55, 150, 0.1, &[VIP], ""))?;
    wait_state(node, "Active", "")?;
    let broken = router(56, 100, 0.1, &[OTHER], "virtual_router_id 300");
    let (code, said) = reload(node, &broken)?;
    ensure!(code == Some(1), "{code:?}: {said}");
    ensure!(
        said.contains("daemon.conf:7:") && said.contains("error") && said.contains("nothing has changed"),
        "{said}"
    );
    assert_eq!(names(node)?, ["VI_55"]);
    daemon.process().signal(Signal::SIGHUP)?;
    wait_until("the log says so twice", 5 * SECOND, || {
        Ok(daemon.log().text().matches("not reloaded: nothing has changed").count() == 2)
    })?;
    undisturbed(&daemon)?;
    // And it goes on from there.
    reloaded(node, &router(55, 120, 0.1, &[VIP], ""), "reconfigured VI_55")?;
    let status = hadp_status(node)?;
    assert_eq!(status.pointer("/routers/0/priority").and_then(Value::as_u64), Some(120));
    undisturbed(&daemon)?;
    daemon.stop()
}
