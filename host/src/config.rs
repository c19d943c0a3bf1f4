//! Config: one file and the environment, read once at start into one small struct per part.
//!
//! Every unknown key and every bad value is reported at once, with where it was written, its key and what is expected.
//! `config/kefu.toml` documents each key with its default and the reason for it, and a test keeps the two the same.
//! A variable `KEFU__SECTION__KEY` overrides `section.key`. No part ever sees the whole.

mod address;
mod archive;
mod auth;
mod cluster;
mod kafka;
mod limits;
mod plugins;
mod reader;
mod redis;
mod routing;
mod rules;
mod server;
mod sessions;
mod spool;
mod storage;
mod stream;
mod telemetry;
mod transport;
mod warmup;

/// The whole environment; the reader says which of it is not text.
fn environment() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os()
}

#[cfg(test)]
mod tests;

pub use self::redis::Redis;
pub use address::Address;
pub use archive::Archive;
pub use auth::Auth;
pub use cluster::Cluster;
pub use kafka::Kafka;
pub use limits::Limits;
pub use plugins::{Call, Plugins};
pub use reader::{Problem, Problems};
pub use routing::Routing;
pub use server::{Network, Server};
pub use sessions::Sessions;
pub use spool::Spool;
pub use storage::Storage;
pub use stream::Stream;
pub use telemetry::{LogFormat, Telemetry};
pub use transport::Transport;
pub use warmup::WarmUp;

use std::ffi::OsString;
use std::path::Path;

use reader::Reader;

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each section is documented where it is defined")]
pub struct Config {
    pub server: Server,
    pub transport: Transport,
    pub limits: Limits,
    pub auth: Auth,
    pub sessions: Sessions,
    pub routing: Routing,
    pub storage: Storage,
    pub stream: Stream,
    pub redis: Redis,
    pub cluster: Cluster,
    pub kafka: Kafka,
    pub spool: Spool,
    pub archive: Archive,
    pub plugins: Plugins,
    pub warmup: WarmUp,
    pub telemetry: Telemetry,
}

impl Config {
    /// Reads a file and the environment. Without a path: `kefu.toml`, then `config/kefu.toml`, then the defaults.
    ///
    /// # Errors
    /// All problems found, at once.
    pub fn load(path: Option<&Path>) -> Result<Self, Problems> {
        let (name, text) = Self::text(path)?;
        Self::parse(&name, &text, environment())
    }

    /// Reads from text and a given environment; `name` is what problems call the text.
    ///
    /// # Errors
    /// All problems found, at once.
    pub fn parse(
        name: &str,
        text: &str,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, Problems> {
        let mut reader = Reader::new(name, text, environment);
        let config = Self::read(&mut reader);
        if reader.is_whole() {
            rules::check(&config, &mut reader);
        }
        reader.finish()?;
        Ok(config)
    }

    fn read(reader: &mut Reader) -> Self {
        Self {
            server: reader.section("server", Server::read),
            transport: reader.section("transport", Transport::read),
            limits: reader.section("limits", Limits::read),
            auth: reader.section("auth", Auth::read),
            sessions: reader.section("sessions", Sessions::read),
            routing: reader.section("routing", Routing::read),
            storage: reader.section("storage", Storage::read),
            stream: reader.section("stream", Stream::read),
            redis: reader.section("redis", Redis::read),
            cluster: reader.section("cluster", Cluster::read),
            kafka: reader.section("kafka", Kafka::read),
            spool: reader.section("spool", Spool::read),
            archive: reader.section("archive", Archive::read),
            plugins: reader.section("plugins", Plugins::read),
            warmup: reader.section("warmup", WarmUp::read),
            telemetry: reader.section("telemetry", Telemetry::read),
        }
    }

    /// Every key with the value in force, as `section.key = value` lines.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn print(path: Option<&Path>) -> Result<String, Problems> {
        let (name, text) = Self::text(path)?;
        let mut reader = Reader::new(&name, &text, environment());
        let _ = Self::read(&mut reader);
        let lines = reader.asked().iter().map(|(key, value)| format!("{key} = {value}\n"));
        let lines = lines.collect();
        reader.finish()?;
        Ok(lines)
    }

    /// Which file [`Config::load`] reads, or `defaults`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn place(path: Option<&Path>) -> Result<String, Problems> {
        Self::text(path).map(|(name, _)| name)
    }

    /// The file's name and text.
    fn text(path: Option<&Path>) -> Result<(String, String), Problems> {
        let usual = ["kefu.toml", "config/kefu.toml"].map(Path::new);
        let Some(path) = path.or_else(|| usual.into_iter().find(|path| path.exists())) else {
            return Ok(("defaults".into(), String::new()));
        };
        let text = std::fs::read_to_string(path)
            .map_err(|error| Problems::unreadable(path, &error.to_string()))?;
        Ok((path.display().to_string(), text))
    }
}
