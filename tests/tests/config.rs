//! One configuration, read by keepalived and by hadp.

use anyhow::{Context as _, Result};
use hadp_tests::{
    checks::data,
    lab::{Lan, hadp_binary},
};

/// What both are given is good for both; and keepalived is seen to refuse what it does not know.
#[test]
fn keepalived_takes_the_same_bfd_configuration() -> Result<()> {
    let lan = Lan::new(2)?;
    for node in lan.nodes() {
        let file = data(&format!("bfd/{}.conf", node.name()));
        let keepalived = node.command("keepalived")?.arg("-t").arg("-f").arg(&file).output();
        let keepalived = keepalived.context("running keepalived")?;
        let said = String::from_utf8_lossy(&keepalived.stderr);
        assert_eq!(keepalived.status.code(), Some(0), "{said}");
        let hadp = node.command(&hadp_binary()?.to_string_lossy())?.arg("check").arg(&file).output()?;
        assert_eq!(String::from_utf8_lossy(&hadp.stdout), "no problems\n");
        assert_eq!(hadp.status.code(), Some(0));

        let text = std::fs::read_to_string(&file)?.replace("min_tx 1.25", "min_tx 250us");
        let own = node.write("own.conf", &text)?;
        let refused = node.command("keepalived")?.arg("-t").arg("-f").arg(&own).output()?;
        assert_eq!(refused.status.code(), Some(5), "intervals below a millisecond are hadp's own");
        let taken = node.command(&hadp_binary()?.to_string_lossy())?.arg("check").arg(&own).output()?;
        assert_eq!(taken.status.code(), Some(0));
    }
    Ok(())
}
