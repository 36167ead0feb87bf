//! Attaching the classifier that watches over what leaves.

use std::{fmt, io, path::Path};

use aya::programs::{
    LinkOrder, ProgramError, SchedClassifier, TcAttachType,
    links::FdLink,
    tc::{self, NlOptions, TcAttachOptions, TcError},
};

use super::{attach::AttachError, open::Xdp, pins};

/// The classifier's name, in the object and where it is attached as a filter.
pub(super) const PROGRAM: &str = "hadp_egress";

/// How the classifier runs on an interface.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Egress {
    /// By a link (tcx), which Linux has since 6.6.
    Link,
    /// As a filter of a clsact qdisc, on older kernels.
    Filter,
    /// Not at all: the kernel may send from virtual addresses that this node does not own.
    Missing,
}

impl fmt::Display for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Link => "tcx",
            Self::Filter => "clsact",
            Self::Missing => "missing",
        })
    }
}

impl Xdp {
    /// Attaches the classifier to an interface, and pins its link where it has one. Where the kernel takes it in no way the
    /// rest of the datapath goes on without, and the log says what that means.
    ///
    /// # Errors
    ///
    /// When the link cannot be pinned, or the object lacks the program.
    pub(super) fn attach_egress(&mut self, name: &str, path: &Path) -> Result<Egress, AttachError> {
        let program = self.ebpf.program_mut(PROGRAM).ok_or(AttachError::NoProgram)?;
        let program: &mut SchedClassifier = program.try_into().map_err(|_| AttachError::NoProgram)?;
        let refusal = match attach_link(program, name) {
            Ok(link) => {
                link.pin(path).map_err(|source| AttachError::Pin { path: path.to_owned(), source })?;
                return Ok(Egress::Link);
            }
            Err(refusal) => refusal,
        };
        tracing::debug!(interface = name, error = %refusal, "no tcx, falling back to a filter of clsact");
        match attach_filter(program, name) {
            Ok(()) => Ok(Egress::Filter),
            Err(error) => {
                tracing::warn!(
                    interface = name,
                    %error,
                    "no classifier on what leaves: it needs tcx (Linux 6.6) or CONFIG_NET_CLS_BPF with clsact; \
                     a daemon that is killed leaves addresses that this machine may go on sending from"
                );
                Ok(Egress::Missing)
            }
        }
    }

    /// Returns the loaded classifier, for BPF_PROG_TEST_RUN.
    ///
    /// # Errors
    ///
    /// When the object lacks it.
    pub fn egress_program(&self) -> Result<&SchedClassifier, super::OpenError> {
        let program = self.ebpf.program(PROGRAM).ok_or(super::OpenError::Missing(PROGRAM))?;
        program.try_into().map_err(|_| super::OpenError::Missing(PROGRAM))
    }
}

/// Attaches by a link, before all others: one that ends the chain must not keep a claim from being seen.
fn attach_link(program: &mut SchedClassifier, name: &str) -> Result<FdLink, ProgramError> {
    let order = TcAttachOptions::TcxOrder(LinkOrder::first());
    let id = program.attach_with_options(name, TcAttachType::Egress, order)?;
    let link = program.take_link(id)?;
    link.try_into().map_err(|_| ProgramError::UnexpectedProgramType)
}

/// The filter's priority: before all others.
const FIRST: u16 = 1;

/// Attaches as a filter, in place of one that a dead daemon left.
fn attach_filter(program: &mut SchedClassifier, name: &str) -> Result<(), ProgramError> {
    detach_filter(name);
    // The qdisc may be there, for others' filters; where it cannot be made, attaching says so.
    let _ = tc::qdisc_add_clsact(name);
    let options = TcAttachOptions::Netlink(NlOptions { priority: FIRST, ..NlOptions::default() });
    let id = program.attach_with_options(name, TcAttachType::Egress, options)?;
    // Dropped, the link would take the filter along; it is to outlive the daemon, as a pinned link does.
    std::mem::forget(program.take_link(id)?);
    Ok(())
}

/// Detaches the filter from an interface, if there is one; the qdisc stays, since others may use it.
fn detach_filter(name: &str) {
    match tc::qdisc_detach_program(name, TcAttachType::Egress, PROGRAM) {
        Err(TcError::IoError(error)) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::debug!(interface = name, %error, "no filter to detach"),
        Ok(()) => {}
    }
}

/// Detaches the classifier from an interface, however it is attached there.
///
/// # Errors
///
/// When the link's pin, `path`, cannot be removed.
pub(super) fn detach(path: &Path, name: &str) -> io::Result<()> {
    if path.exists() {
        return pins::remove_pin(path);
    }
    detach_filter(name);
    Ok(())
}
