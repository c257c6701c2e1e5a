//! A proxy that delays everything that passes, each way by half a round trip, and limits no bandwidth.
//!
//! Threads and not tasks, because a timer of tokio is exact to a millisecond only.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

const CHUNK: usize = 64 << 10;

/// Accepts connections until the process ends, and returns where.
pub(crate) fn start(server: SocketAddr, round_trip: Duration) -> Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            if let Err(error) = connect(client, server, round_trip / 2) {
                eprintln!("the delay proxy cannot reach the server: {error}");
            }
        }
    });
    Ok(address)
}

fn connect(client: TcpStream, server: SocketAddr, delay: Duration) -> Result<()> {
    let server = TcpStream::connect(server)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    pass(client.try_clone()?, server.try_clone()?, delay);
    pass(server, client, delay);
    Ok(())
}

fn pass(from: TcpStream, to: TcpStream, delay: Duration) {
    let (sender, receiver) = channel();
    thread::spawn(move || read(from, &sender));
    thread::spawn(move || write(to, &receiver, delay));
}

fn read(mut from: TcpStream, sender: &Sender<(Instant, Vec<u8>)>) {
    let mut buffer = vec![0; CHUNK];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if sender.send((Instant::now(), buffer[..length].to_vec())).is_err() {
            return;
        }
    }
}

fn write(mut to: TcpStream, receiver: &Receiver<(Instant, Vec<u8>)>, delay: Duration) {
    while let Ok((arrived, bytes)) = receiver.recv() {
        thread::sleep((arrived + delay).saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            return;
        }
    }
    let _ = to.shutdown(Shutdown::Write); // Fails if the other side has gone already.
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_takes_as_long_as_asked_and_changes_nothing() {
        let echo = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = start(echo.local_addr().unwrap(), Duration::from_millis(20)).unwrap();
        thread::spawn(move || {
            let (mut stream, _) = echo.accept().unwrap();
            let mut bytes = [0; 5];
            stream.read_exact(&mut bytes).unwrap();
            stream.write_all(&bytes).unwrap();
        });
        let mut stream = TcpStream::connect(address).unwrap();
        let begun = Instant::now();
        stream.write_all(b"hello").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "hello");
        assert!(begun.elapsed() >= Duration::from_millis(20));
    }
}
