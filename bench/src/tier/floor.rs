//! The least that bringing files through a socket costs on this machine: a server that does nothing but `sendfile`, for the client that
//! drains brokers.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;

use anyhow::Result;

use super::FETCH_MAX_BYTES;

/// Serves files, one after the other and then again, a mebibyte for each byte that it gets. Ends with the process.
pub(super) fn serve(files: Vec<PathBuf>) -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let files = files.clone();
            // A client that leaves ends it.
            std::thread::spawn(move || answer(stream, &files));
        }
    });
    Ok(address)
}

fn answer(mut stream: TcpStream, files: &[PathBuf]) -> Result<()> {
    stream.set_nodelay(true)?;
    for path in files.iter().cycle() {
        let file = File::open(path)?;
        let (mut position, end) = (0, file.metadata()?.len());
        while position < end {
            stream.read_exact(&mut [0])?;
            let stop = end.min(position + FETCH_MAX_BYTES as u64);
            stream.write_all(&u32::try_from(stop - position)?.to_be_bytes())?;
            while position < stop {
                let left = usize::try_from(stop - position)?;
                rustix::fs::sendfile(&stream, &file, Some(&mut position), left)?;
            }
        }
    }
    Ok(())
}
