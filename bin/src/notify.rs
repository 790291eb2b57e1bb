//! Tells a supervisor that waits for it (systemd's `Type=notify`) how far the broker is. Source: `sd_notify(3)`.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

/// Where the supervisor listens.
const SOCKET: &str = "NOTIFY_SOCKET";

/// What there is to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Clients are served.
    Ready,
    Stopping,
}

/// Tells it, if somebody wants to know.
pub(crate) fn tell(state: State) {
    let Some(socket) = std::env::var_os(SOCKET).filter(|socket| !socket.is_empty()) else { return };
    if let Err(error) = send(&socket, state) {
        tracing::warn!(socket = %socket.display(), %error, "the supervisor cannot be told");
    }
}

fn send(socket: &OsStr, state: State) -> io::Result<()> {
    let text: &[u8] = match state {
        State::Ready => b"READY=1",
        State::Stopping => b"STOPPING=1",
    };
    // A name that begins with @ is not in the file system.
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(Path::new(socket))?,
    };
    UnixDatagram::unbound()?.send_to_addr(text, &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_arrive_as_systemd_spells_them() {
        let folder = std::env::temp_dir().join(format!("ottla-notify-{}", std::process::id()));
        let listener = UnixDatagram::bind(&folder).unwrap();
        let mut buffer = [0; 64];
        for (state, text) in [(State::Ready, "READY=1"), (State::Stopping, "STOPPING=1")] {
            send(folder.as_os_str(), state).unwrap();
            let size = listener.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..size], text.as_bytes());
        }
        std::fs::remove_file(&folder).unwrap();
        assert!(send(folder.as_os_str(), State::Ready).is_err());
    }
}
