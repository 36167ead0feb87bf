//! Attaching the programs to interfaces.

use std::{fmt, io, path::PathBuf};

use aya::{
    pin::PinError,
    programs::{
        ProgramError, Xdp as XdpProgram, XdpMode as AyaMode,
        links::{FdLink, LinkError},
        loaded_programs,
    },
};

use super::{egress::Egress, link, open::Xdp, pins};
use crate::model::XdpMode;

/// How the program runs on an interface.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// In the driver.
    Native,
    /// In the kernel, after it has made a socket buffer of the frame.
    Generic,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Generic => "generic",
        })
    }
}

/// What attaching came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Attached {
    /// How the XDP program runs.
    pub mode: Mode,
    /// How the classifier runs on what leaves.
    pub egress: Egress,
}

/// Why the program could not be attached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// The interface does not exist.
    #[error("interface {name} does not exist")]
    NoInterface {
        /// Its name.
        name: String,
    },
    /// Another program has the interface.
    #[error("interface {name} already has the XDP program {program:?} (id {id}); detach it first")]
    Foreign {
        /// The interface.
        name: String,
        /// The program's name.
        program: String,
        /// The program's identifier.
        id: u32,
    },
    /// The interface could not be asked about.
    #[error("cannot query interface {name}")]
    Query {
        /// The interface.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// The kernel or the driver refused.
    #[error("cannot attach to interface {name} in {mode} mode")]
    Refused {
        /// The interface.
        name: String,
        /// How it was tried.
        mode: Mode,
        /// Why.
        source: Box<ProgramError>,
    },
    /// The kernel cannot attach by a link (before 5.9).
    #[error("interface {name} cannot be attached by a link")]
    NoLink {
        /// The interface.
        name: String,
        /// Why.
        source: LinkError,
    },
    /// The link could not be pinned.
    #[error("cannot pin {path}", path = path.display())]
    Pin {
        /// The path.
        path: PathBuf,
        /// Why.
        source: PinError,
    },
    /// The link could not be removed.
    #[error("cannot remove {path}", path = path.display())]
    Detach {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The object lacks the program: the build is broken.
    #[error("the eBPF object has no program")]
    NoProgram,
}

/// The XDP program's link to an interface; the classifier goes with it.
#[derive(Debug)]
pub(super) struct Attachment {
    path: PathBuf,
}

impl Xdp {
    /// Attaches the programs to an interface and pins their links as `link_NAME` and `egress_NAME`.
    ///
    /// [`XdpMode::Auto`] runs the XDP program in the driver where that is possible. On veth it does not, because a frame that a
    /// native program sends back is lost unless the peer has a program or NAPI too.
    ///
    /// # Errors
    ///
    /// When the interface does not exist, has another program, or takes none.
    pub fn attach(&mut self, ifindex: u32, name: &str, mode: XdpMode) -> Result<Attached, AttachError> {
        self.detach(ifindex)?;
        let path = pins::link_path(self.lock.dir(), name);
        pins::remove_pin(&path).map_err(|source| AttachError::Detach { path: path.clone(), source })?;
        let link = link::query(ifindex).map_err(|source| {
            let name = name.to_owned();
            if source.kind() == io::ErrorKind::NotFound {
                AttachError::NoInterface { name }
            } else {
                AttachError::Query { name, source }
            }
        })?;
        if let Some(id) = link.program {
            return Err(AttachError::Foreign { name: name.to_owned(), program: program_name(id), id });
        }
        let (first, second) = match mode {
            XdpMode::Native => (Mode::Native, None),
            XdpMode::Skb => (Mode::Generic, None),
            XdpMode::Auto if link.is_veth => (Mode::Generic, None),
            XdpMode::Auto => (Mode::Native, Some(Mode::Generic)),
        };
        let (mode, link) = match (self.try_attach(ifindex, name, first), second) {
            (Err(AttachError::Refused { source, .. }), Some(second)) => {
                tracing::debug!(interface = name, %source, "no native XDP, falling back to generic");
                (second, self.try_attach(ifindex, name, second)?)
            }
            (result, _) => (first, result?),
        };
        link.pin(&path).map_err(|source| AttachError::Pin { path: path.clone(), source })?;
        self.attachments.insert(ifindex, Attachment { path });
        let egress = self.attach_egress(name, &pins::egress_path(self.lock.dir(), name))?;
        Ok(Attached { mode, egress })
    }

    /// Detaches the programs from an interface; nothing happens if they are not attached there.
    ///
    /// # Errors
    ///
    /// When the link's pin cannot be removed.
    pub fn detach(&mut self, ifindex: u32) -> Result<(), AttachError> {
        let Some(Attachment { path }) = self.attachments.remove(&ifindex) else { return Ok(()) };
        pins::remove_pin(&path).map_err(|source| AttachError::Detach { path, source })
    }

    /// Attaches the XDP program in one mode.
    fn try_attach(&mut self, ifindex: u32, name: &str, mode: Mode) -> Result<FdLink, AttachError> {
        let refused = |source| AttachError::Refused { name: name.to_owned(), mode, source: Box::new(source) };
        let flags = match mode {
            Mode::Native => AyaMode::Driver,
            Mode::Generic => AyaMode::Skb,
        };
        let program = self.ebpf.program_mut("hadp").ok_or(AttachError::NoProgram)?;
        let program: &mut XdpProgram = program.try_into().map_err(|_| AttachError::NoProgram)?;
        let id = program.attach_to_if_index(ifindex, flags).map_err(refused)?;
        let link = program.take_link(id).map_err(refused)?;
        link.try_into().map_err(|source| AttachError::NoLink { name: name.to_owned(), source })
    }
}

/// Returns the name of a loaded program.
fn program_name(id: u32) -> String {
    let info = loaded_programs().filter_map(Result::ok).find(|program| program.id() == id);
    info.as_ref().and_then(|program| program.name_as_str()).unwrap_or("?").to_owned()
}
