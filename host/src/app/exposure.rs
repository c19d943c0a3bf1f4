//! Where a server is reached. `kefu site add` and `kefu doctor` ask the one that runs: its `--listen` and its
//! environment are in no config they could read. Answered on the control socket only.

use std::net::SocketAddr;

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

    /// What people's browsers call it, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        match self.public_url.as_str() {
            "" => format!("http://{}", self.listen),
            url => url.to_owned(),
        }
    }

    pub(super) fn route(self) -> Router {
        let answer: MethodRouter = get(async move || Json(self.clone()));
        Router::new().route(Self::PATH, answer)
    }
}
