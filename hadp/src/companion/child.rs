//! Starting the daemon proper, and watching it.

use std::{
    ffi::OsString,
    io,
    os::{
        fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd},
        unix::process::{CommandExt as _, ExitStatusExt as _},
    },
    process::{Child, Command, ExitStatus},
    str::FromStr,
};

use nix::{
    fcntl::{FcntlArg, FdFlag, fcntl},
    sys::signal::{SigSet, Signal, kill},
    unistd::Pid,
};

use super::realtime;

/// The option of `hadp run` that makes it the daemon proper.
pub(super) const OPTION: &str = "--companion-fds";

/// This program, whatever has become of its file: the next daemon is of the same build as its companion.
const PROGRAM: &str = "/proc/self/exe";

/// The descriptors that a companion leaves open for the daemon, as written on its command line.
#[derive(Clone, Copy, Debug)]
pub struct Inherited {
    pub(super) memory: RawFd,
    pub(super) bell: RawFd,
}

impl FromStr for Inherited {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = |number: &str| number.parse().ok().filter(|fd: &RawFd| *fd > 2);
        let fds = text.split_once(',').and_then(|(memory, bell)| Some((parse(memory)?, parse(bell)?)));
        fds.map(|(memory, bell)| Self { memory, bell }).ok_or("two descriptors, separated by a comma")
    }
}

/// The daemon proper.
#[derive(Debug)]
pub(super) struct Daemon {
    child: Child,
    pidfd: OwnedFd,
}

impl Daemon {
    /// Starts it with the arguments that this process was started with.
    pub(super) fn spawn(
        arguments: &[OsString],
        memory: BorrowedFd<'_>,
        bell: BorrowedFd<'_>,
    ) -> io::Result<Self> {
        let (memory, bell) = (memory.as_raw_fd(), bell.as_raw_fd());
        let mut command = Command::new(PROGRAM);
        command.arg0("hadp").args(arguments).arg(OPTION).arg(format!("{memory},{bell}"));
        // What the companion tells the service manager stays true: the daemon does not speak to it.
        command.env_remove("NOTIFY_SOCKET");
        // Out of the terminal's process group: what the keyboard sends is passed on once.
        command.process_group(0);
        // SAFETY: the closure makes system calls only.
        unsafe { command.pre_exec(move || hand_on([memory, bell])) };
        let child = command.spawn()?;
        let pidfd = pidfd(Pid::from_raw(child.id().cast_signed()))?;
        Ok(Self { child, pidfd })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Passes a signal on; to a daemon that has just died it means nothing.
    pub(super) fn signal(&self, signal: Signal) {
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), signal);
    }

    /// Takes what is left of it, once its pidfd is readable.
    pub(super) fn reap(&mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }
}

impl AsFd for Daemon {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

/// Returns the exit code that stands for an end, as shells have it.
pub(super) fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// Opens a process as a descriptor, which is readable when it has ended.
pub(super) fn pidfd(pid: Pid) -> io::Result<OwnedFd> {
    // SAFETY: the call takes numbers only.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) };
    match RawFd::try_from(fd) {
        // SAFETY: the kernel has just returned this descriptor, and nothing else knows of it.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}

pub(super) fn close_on_exec(fd: impl AsFd) -> io::Result<()> {
    fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok(())
}

/// Leaves descriptors open across exec, no signal blocked, and the process in a hurry.
fn hand_on(fds: [RawFd; 2]) -> io::Result<()> {
    for fd in fds {
        // SAFETY: the companion's descriptor is open in its child.
        fcntl(unsafe { BorrowedFd::borrow_raw(fd) }, FcntlArg::F_SETFD(FdFlag::empty()))?;
    }
    SigSet::empty().thread_set_mask()?;
    realtime::urgent();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_have_exit_codes() {
        assert_eq!(exit_code(ExitStatus::from_raw(5 << 8)), 5);
        assert_eq!(exit_code(ExitStatus::from_raw(9)), 137);
        assert_eq!(exit_code(ExitStatus::from_raw(0)), 0);
    }

    #[test]
    fn descriptors_are_read_from_the_command_line() {
        let fds = "7,8".parse::<Inherited>().unwrap();
        assert_eq!((fds.memory, fds.bell), (7, 8));
        for bad in ["", "7", "7,", "7,x", "0,5", "-1,5", "7,8,9"] {
            assert!(bad.parse::<Inherited>().is_err(), "{bad}");
        }
    }
}
