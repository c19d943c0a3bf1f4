//! A TCP proxy for what networks do: a connection that is cut, one that is slow, and one that swallows, where both sides
//! stay connected and nothing comes through any more. The latter is what a pulled cable or a router that forgot a
//! connection looks like from both ends. With several targets it is a plain balancer that passes over dead ones.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What becomes of what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    /// It comes through.
    Passes,
    /// It does, each piece so much later, and only so many pieces in a second.
    Slow(Duration),
    /// Nothing does, and nothing is closed.
    Swallows,
    /// What the far side says does not.
    SwallowsAnswers,
    /// All connections are closed, new ones at once.
    Cut,
}

/// A running proxy.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    link: watch::Sender<Link>,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.cut();
    }
}

impl Proxy {
    /// Forwards every connection to `to`.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn to(to: SocketAddr) -> anyhow::Result<Self> {
        Self::to_first_of(vec![to]).await
    }

    /// Forwards every connection to the first of these where someone listens.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn to_first_of(targets: Vec<SocketAddr>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (link, seen) = watch::channel(Link::Passes);
        let task = kefu::runtime::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                if *seen.borrow() == Link::Cut {
                    continue;
                }
                let Some(far) = first_of(&targets).await else { continue };
                if near.set_nodelay(true).and(far.set_nodelay(true)).is_err() {
                    continue;
                }
                let ((near_in, near_out), (far_in, far_out)) =
                    (near.into_split(), far.into_split());
                kefu::runtime::spawn(pass(near_in, far_out, seen.clone(), &[Link::Swallows]));
                let answers = &[Link::Swallows, Link::SwallowsAnswers];
                kefu::runtime::spawn(pass(far_in, near_out, seen.clone(), answers));
            }
        });
        Ok(Self { address, link, task })
    }

    /// From now on nothing comes through, and nothing is closed.
    pub fn swallows(&self) {
        self.link.send_replace(Link::Swallows);
    }

    /// From now on what is asked comes through and what is answered does not.
    pub fn swallows_answers(&self) {
        self.link.send_replace(Link::SwallowsAnswers);
    }

    /// From now on every piece, either way, comes through so much later.
    pub fn slows(&self, by: Duration) {
        self.link.send_replace(Link::Slow(by));
    }

    /// Closes every connection, and new ones at once.
    pub fn cut(&self) {
        self.link.send_replace(Link::Cut);
    }

    /// New connections pass again. Those that lost something stay silent, as they would.
    pub fn passes(&self) {
        self.link.send_replace(Link::Passes);
    }
}

async fn first_of(targets: &[SocketAddr]) -> Option<TcpStream> {
    for target in targets {
        if let Ok(stream) = TcpStream::connect(target).await {
            return Some(stream);
        }
    }
    None
}

/// One direction, until it ends or is cut.
async fn pass(
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    link: watch::Receiver<Link>,
    silent: &'static [Link],
) {
    let mut seen = link.clone();
    tokio::select! {
        () = forward(from, to, &link, silent) => {}
        _ = seen.wait_for(|link| *link == Link::Cut) => {}
    }
}

async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    link: &watch::Receiver<Link>,
    silent: &[Link],
) {
    let mut piece = vec![0; 64 << 10];
    // Bytes that are lost once are missing for ever: what comes after them must not come through.
    let mut lost = false;
    loop {
        let read = from.read(&mut piece).await;
        let now = *link.borrow();
        lost |= silent.contains(&now);
        if let Link::Slow(by) = now {
            tokio::time::sleep(by).await;
        }
        match read {
            Ok(count @ 1..) if !lost && to.write_all(&piece[..count]).await.is_ok() => {}
            Ok(1..) if lost => {}
            // The end of one side is swallowed too.
            _ if lost => std::future::pending().await,
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests;
