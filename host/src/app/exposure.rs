//! Where a server is reached. `kefu site add` and `kefu doctor` ask the one that runs: its `--listen` and its
//! environment are in no config they could read. Answered on the control socket only.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::routing::{MethodRouter, get};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::config;

/// Where a server is reached.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Exposure {
    /// The address it listens on.
    pub listen: SocketAddr,
    /// `server.public_url`; may be empty.
    pub public_url: String,
    /// Whether `server.trusted_proxies` names any.
    pub trusts_proxies: bool,
}

impl Exposure {
    /// Where the control socket tells it.
    pub const PATH: &str = "/local/exposure";

    /// What the settings say.
    #[must_use]
    pub fn of(server: &config::Server) -> Self {
        Self {
            listen: server.listen,
            public_url: server.public_url.clone(),
            trusts_proxies: !server.trusted_proxies.is_empty(),
        }
    }

    /// What people's browsers call it, without a slash at the end. Where nothing says so, what a browser on this machine
    /// may call it: every address (`0.0.0.0`) is none to go to.
    #[must_use]
    pub fn url(&self) -> String {
        let mut here = self.listen;
        match here.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => here.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => here.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        match self.public_url.as_str() {
            "" => format!("http://{here}"),
            url => url.to_owned(),
        }
    }

    /// What to set when [`Self::url`] is one that only this machine knows.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        let local = self.listen.ip().is_loopback() || self.listen.ip().is_unspecified();
        (self.public_url.is_empty() && local).then(|| {
            format!(
                "{} works on this machine only: set server.public_url (KEFU__SERVER__PUBLIC_URL) \
                 to what others call it",
                self.url()
            )
        })
    }

    pub(super) fn route(self) -> Router {
        let answer: MethodRouter = get(async move || Json(self.clone()));
        Router::new().route(Self::PATH, answer)
    }
}
