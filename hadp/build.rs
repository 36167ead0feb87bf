//! Builds the eBPF object that the daemon carries.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    #[cfg(feature = "daemon")]
    if let Err(error) = ebpf::build() {
        println!("cargo:error={error:#}");
        println!("cargo:error=run `cargo xtask setup` once: it installs what the eBPF half is built with");
        std::process::exit(1);
    }
}

#[cfg(feature = "daemon")]
mod ebpf {
    use std::env;

    use aya_build::{Package, Toolchain, build_ebpf};

    /// Builds `hadp-ebpf` with the toolchain that `cargo xtask setup` found, named by `HADP_EBPF_TOOLCHAIN`.
    pub(crate) fn build() -> aya_build::Result<()> {
        println!("cargo:rerun-if-env-changed=HADP_EBPF_TOOLCHAIN");
        let toolchain = env::var("HADP_EBPF_TOOLCHAIN").unwrap_or_else(|_| "nightly".to_owned());
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../hadp-ebpf");
        let package = Package { name: "hadp-ebpf", root_dir: root, ..Package::default() };
        build_ebpf([package], Toolchain::Custom(&toolchain))
    }
}
