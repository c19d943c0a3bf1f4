//! A TCP proxy that can swallow: both sides stay connected, and nothing comes through any more. What a pulled cable or
//! a router that forgot a connection looks like from both ends.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A running proxy.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    swallows: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
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
        let (swallows, seen) = watch::channel(false);
        let task = kefu::runtime::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(to).await else { continue };
                let ((near_in, near_out), (far_in, far_out)) =
                    (near.into_split(), far.into_split());
                kefu::runtime::spawn(pass(near_in, far_out, seen.clone()));
                kefu::runtime::spawn(pass(far_in, near_out, seen.clone()));
            }
        });
        Ok(Self { address, swallows, task })
    }

    /// From now on nothing comes through, and nothing is closed.
    pub fn swallows(&self) {
        self.swallows.send_replace(true);
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, swallows: watch::Receiver<bool>) {
    let mut chunk = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut chunk).await {
        let through = !*swallows.borrow();
        if through && to.write_all(&chunk[..count]).await.is_err() {
            return;
        }
    }
    if *swallows.borrow() {
        // The end of one side is swallowed too.
        std::future::pending::<()>().await;
    }
}
