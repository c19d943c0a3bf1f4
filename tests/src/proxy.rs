//! A TCP proxy for what networks do: a connection that is cut, and one that swallows, where both sides stay connected
//! and nothing comes through any more. The latter is what a pulled cable or a router that forgot a connection looks
//! like from both ends.

use std::net::{Ipv4Addr, SocketAddr};

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
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (link, seen) = watch::channel(Link::Passes);
        let task = kefu::runtime::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                if *seen.borrow() == Link::Cut {
                    continue;
                }
                let Ok(far) = TcpStream::connect(to).await else { continue };
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

    /// Closes every connection, and new ones at once.
    pub fn cut(&self) {
        self.link.send_replace(Link::Cut);
    }

    /// New connections pass again. Those that lost something stay silent, as they would.
    pub fn passes(&self) {
        self.link.send_replace(Link::Passes);
    }
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut link: watch::Receiver<Link>,
    silent: &'static [Link],
) {
    let mut chunk = [0; 4096];
    // Bytes that are lost once are missing for ever: what comes after them must not come through.
    let mut lost = false;
    loop {
        let read = tokio::select! {
            read = from.read(&mut chunk) => read,
            cut = link.wait_for(|link| *link == Link::Cut) => {
                drop(cut);
                return;
            }
        };
        lost |= silent.contains(&*link.borrow());
        match read {
            Ok(count @ 1..) if !lost && to.write_all(&chunk[..count]).await.is_ok() => {}
            Ok(1..) if lost => {}
            // The end of one side is swallowed too.
            _ if lost => {
                drop(link.wait_for(|link| *link == Link::Cut).await);
                return;
            }
            _ => return,
        }
    }
}
