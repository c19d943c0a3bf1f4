//! The real program as a child process on a temporary data directory and a free port: started, killed, started again
//! on the same data. It is waited for by `/health/ready`. One that panicked fails its test, whatever that looked at.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use kefu::auth::Auth;
use kefu::domain::agent::{Agent, Status};
use kefu::domain::ids::{AgentId, SiteId, TeamId};
use kefu::domain::people::{Role, Site, Team, WidgetSettings};
use kefu::domain::rate::Rate;
use kefu::runtime::{Clock, fresh_id};
use kefu::storage::{self, Handle, PostgresConfig, StorageConfig};
use kefu_servers::free_port;
use serde_json::json;
use tempfile::TempDir;
use tokio::time::{Instant, sleep_until};

use crate::client::{Carrier, Client, Options};
use crate::http::{Answer, Ask, once};

/// Everyone's password here.
pub const PASSWORD: &str = "correct horse battery";
/// The site every server here has.
pub const SITE: &str = "demo";
/// The origin that site allows.
pub const ORIGIN: &str = "https://shop.example";

const AUTH: kefu::config::Auth = kefu::config::Auth {
    visitor_token_ms: 86_400_000,
    agent_token_ms: 86_400_000,
    login: Rate { per_second: 1000.0, burst: 1000.0 },
};

/// How to start.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The program; `None`: `kefu` as built beside this one.
    pub program: Option<PathBuf>,
    /// Number of agents, with logins `agent1`, `agent2` …; there is always an admin `admin`.
    pub agents: u16,
    /// Capacity of each.
    pub capacity: u16,
    /// Environment, as `("KEFU__LIMITS__TEXT_BYTES", "100")`.
    pub settings: Vec<(&'static str, String)>,
    /// Keep rows in this PostgreSQL database instead of SQLite.
    pub database: Option<String>,
    /// Listen on every address, so that clients may rotate over 127.0.0.x.
    pub wide: bool,
    /// `serve --dev`.
    pub dev: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            program: None,
            agents: 1,
            capacity: 10,
            settings: Vec::new(),
            database: None,
            wide: false,
            dev: false,
        }
    }
}

impl Setup {
    /// Without limits on rates, for load.
    #[must_use]
    pub fn unlimited(mut self) -> Self {
        for (name, value) in [
            ("KEFU__LIMITS__MESSAGES_PER_SECOND", "100000"),
            ("KEFU__LIMITS__MESSAGES_BURST", "1000000"),
            ("KEFU__LIMITS__VISITORS_PER_SECOND", "100000"),
            ("KEFU__LIMITS__VISITORS_BURST", "1000000"),
            ("KEFU__SESSIONS__COMMANDS_PER_SECOND", "100000"),
            ("KEFU__SESSIONS__COMMANDS_BURST", "1000000"),
        ] {
            self.settings.push((name, value.to_owned()));
        }
        self
    }

    /// With its rows in a PostgreSQL database.
    #[must_use]
    pub fn on(mut self, database: &str) -> Self {
        self.database = Some(database.to_owned());
        self.with("KEFU__STORAGE__URL", database)
    }

    /// With one setting.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.settings.push((name, value.to_owned()));
        self
    }
}

/// A running (or killed) server.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    setup: Setup,
    program: PathBuf,
    data: TempDir,
    child: Option<Child>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        // A test that fails says why itself.
        if !std::thread::panicking() {
            let panicked = panicked(&self.log());
            assert!(panicked.is_none(), "the server panicked: {}", panicked.unwrap_or_default());
        }
    }
}

impl Server {
    /// Prepares a data directory, starts the program on it and waits until it is ready.
    ///
    /// # Errors
    /// When it is not built, or not ready within 30 s; its log is in the message.
    pub async fn start(setup: Setup) -> anyhow::Result<Self> {
        let data = tempfile::Builder::new().prefix("kefu-").tempdir()?;
        people(data.path(), &setup).await.context("prepare people")?;
        let program = match &setup.program {
            Some(program) => program.clone(),
            None => program()?,
        };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let mut server = Self { address, setup, program, data, child: None };
        server.starts().await?;
        Ok(server)
    }

    /// Another node of the same installation, with a data directory of its own: for one whose rows and stream are on
    /// servers.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn joins(&self) -> anyhow::Result<Self> {
        self.joins_with(&[]).await
    }

    /// The same with settings of its own.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn joins_with(&self, own: &[(&'static str, String)]) -> anyhow::Result<Self> {
        let data = tempfile::Builder::new().prefix("kefu-").tempdir()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let (mut setup, program) = (self.setup.clone(), self.program.clone());
        setup.settings.extend_from_slice(own);
        let mut server = Self { address, setup, program, data, child: None };
        server.starts().await?;
        Ok(server)
    }

    /// Starts it (again) on the same data and port, and waits until it is ready.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn starts(&mut self) -> anyhow::Result<()> {
        self.kill();
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log_path())?;
        let ip = if self.setup.wide { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
        let listen = SocketAddr::from((ip, self.address.port()));
        let mut command = Command::new(&self.program);
        command
            .arg("serve")
            .args(self.setup.dev.then_some("--dev"))
            .current_dir(self.data.path())
            .env("KEFU__SERVER__LISTEN", listen.to_string())
            .env("KEFU__SERVER__DATA_DIR", self.data_dir())
            .env("KEFU__TELEMETRY__LOG", "warn")
            .envs(self.setup.settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let name = self.program.display().to_string();
        self.child = Some(command.spawn().context(name)?);
        self.ready().await
    }

    async fn ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let answer = once(self.address, Ask::get("/health/ready")).await;
            if answer.as_ref().is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            if let Some(child) = &mut self.child
                && let Some(status) = child.try_wait()?
            {
                bail!("the server ended with {status}: {}", self.log());
            }
            if Instant::now() > deadline {
                bail!("the server is not ready ({answer:?}): {}", self.log());
            }
            sleep_until(Instant::now() + Duration::from_millis(20)).await;
        }
    }

    /// Ends it as a power cut would: `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Whether it is `serve --dev` from the next start on.
    pub fn develops(&mut self, dev: bool) {
        self.setup.dev = dev;
    }

    /// Changes a setting from the next start on.
    pub fn sets(&mut self, name: &'static str, value: &str) {
        self.setup.settings.retain(|(set, _)| *set != name);
        self.setup.settings.push((name, value.to_owned()));
    }

    /// Sends SIGTERM; does not wait.
    ///
    /// # Errors
    /// When it does not run.
    pub fn is_told_to_stop(&self) -> anyhow::Result<()> {
        self.signal("-TERM")
    }

    /// Stops it in the middle of whatever it does, with its connections open.
    ///
    /// # Errors
    /// When it does not run.
    pub fn freezes(&self) -> anyhow::Result<()> {
        self.signal("-STOP")
    }

    /// It goes on where it was.
    ///
    /// # Errors
    /// When it does not run.
    pub fn thaws(&self) -> anyhow::Result<()> {
        self.signal("-CONT")
    }

    fn signal(&self, name: &str) -> anyhow::Result<()> {
        let pid = self.pid().context("it does not run")?;
        let status = Command::new("kill").args([name, &pid.to_string()]).status()?;
        if status.success() { Ok(()) } else { Err(anyhow!("kill: {status}")) }
    }

    /// Waits for its end; the exit code, if it was not killed.
    ///
    /// # Errors
    /// When it goes on for longer than `within`.
    pub async fn ends(&mut self, within: Duration) -> anyhow::Result<Option<i32>> {
        let deadline = Instant::now() + within;
        let child = self.child.as_mut().context("it does not run")?;
        loop {
            if let Some(status) = child.try_wait()? {
                self.child = None;
                return Ok(status.code());
            }
            if Instant::now() > deadline {
                bail!("it does not end within {within:?}: {}", self.log());
            }
            sleep_until(Instant::now() + Duration::from_millis(10)).await;
        }
    }

    /// Its process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// The program it runs, for what an operator does beside it.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Its data directory.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.data.path().join("data")
    }

    /// The database its rows are in, if it is not SQLite.
    #[must_use]
    pub fn database(&self) -> Option<&str> {
        self.setup.database.as_deref()
    }

    /// Its rows, opened beside it.
    ///
    /// # Errors
    /// When they cannot be opened.
    pub async fn rows(&self) -> anyhow::Result<Handle> {
        rows(&self.setup, self.data_dir()).await
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.data.path().join("kefu.log")
    }

    /// One request.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn asks(&self, ask: Ask<'_>) -> anyhow::Result<Answer> {
        once(self.address, ask).await
    }

    /// A fresh visitor's token.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn visitor_token(&self) -> anyhow::Result<String> {
        let ask = Ask::post("/v1/visitors", json!({ "site": SITE })).header("origin", ORIGIN);
        token(&self.asks(ask).await?.ok()?)
    }

    /// Signs an account in.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn agent_token(&self, login: &str) -> anyhow::Result<String> {
        let body = json!({ "login": login, "password": PASSWORD });
        token(&self.asks(Ask::post("/v1/login", body)).await?.ok()?)
    }

    /// A fresh visitor, connected.
    ///
    /// # Errors
    /// When anything is refused.
    pub async fn visitor(&self, carrier: Carrier) -> anyhow::Result<Client> {
        let token = self.visitor_token().await?;
        Client::connect(Options::new(self.address, &token, carrier)).await
    }

    /// An agent, connected and online.
    ///
    /// # Errors
    /// When anything is refused.
    pub async fn agent(&self, login: &str, carrier: Carrier) -> anyhow::Result<Client> {
        let token = self.agent_token(login).await?;
        let client = Client::connect(Options::new(self.address, &token, carrier)).await?;
        client.is("online").await?;
        Ok(client)
    }
}

/// The first panic in a log, with what follows it.
fn panicked(log: &str) -> Option<String> {
    let mut lines = log.lines().skip_while(|line| !line.contains("panicked")).take(8).peekable();
    lines.peek()?;
    Some(lines.collect::<Vec<_>>().join("\n"))
}

fn token(answer: &Answer) -> anyhow::Result<String> {
    let token = answer.json["token"].as_str().map(str::to_owned);
    token.ok_or_else(|| anyhow!("no token in {}", answer.text))
}

/// The `kefu` program beside this one, built first if need be; `KEFU_PROGRAM` names another.
///
/// # Errors
/// When it cannot be built.
pub fn program() -> anyhow::Result<PathBuf> {
    if let Some(program) = std::env::var_os("KEFU_PROGRAM") {
        return Ok(program.into());
    }
    let here = std::env::current_exe()?;
    let folder = here.ancestors().find(|dir| dir.ends_with("debug") || dir.ends_with("release"));
    let folder = folder.ok_or_else(|| anyhow!("{} is in no target folder", here.display()))?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut build = Command::new("cargo");
    build.current_dir(root).args(["build", "--quiet", "--package", "kefu", "--bin", "kefu"]);
    if folder.ends_with("release") {
        build.arg("--release");
    }
    if let Some(target) = folder.parent() {
        build.arg("--target-dir").arg(target);
    }
    static ONCE: parking_lot::Mutex<bool> = parking_lot::Mutex::new(false);
    let mut built = ONCE.lock();
    if !*built {
        let status = build.status()?;
        if !status.success() {
            bail!("cargo build of kefu: {status}");
        }
        *built = true;
    }
    Ok(folder.join("kefu"))
}

async fn rows(setup: &Setup, data: PathBuf) -> anyhow::Result<Handle> {
    let config = match &setup.database {
        None => StorageConfig::Sqlite(data),
        Some(url) => StorageConfig::Postgres(PostgresConfig {
            url: url.clone(),
            connections: 2,
            acquire_timeout: Duration::from_secs(10),
            statement_timeout: Duration::from_secs(10),
            lock_timeout: Duration::from_secs(10),
        }),
    };
    Ok(storage::open(&config).await?.storage)
}

/// Team, site, admin and agents, as rows.
async fn people(folder: &Path, setup: &Setup) -> anyhow::Result<()> {
    let data = folder.join("data");
    std::fs::create_dir_all(&data)?;
    let store = rows(setup, data).await?;
    let clock = Clock::system();
    let id = || fresh_id(&clock);
    let team = TeamId::new(id()).context("id")?;
    store.add_team(&Team { id: team, name: "Support".into() }).await?;
    let site = Site {
        id: SiteId::new(id()).context("id")?,
        key: SITE.into(),
        name: "Demo".into(),
        team,
        origins: vec![ORIGIN.into()],
        widget: WidgetSettings::default(),
        enabled: true,
    };
    store.add_site(&site).await?;
    let auth = Auth::open(Arc::clone(&store), clock.clone(), AUTH).await?;
    let hash = auth.hash(PASSWORD).await?;
    for number in 0..=setup.agents {
        let admin = number == 0;
        let login = if admin { "admin".to_owned() } else { format!("agent{number}") };
        let agent = Agent {
            id: AgentId::new(id()).context("id")?,
            name: login.clone(),
            login,
            role: if admin { Role::Admin } else { Role::Agent },
            teams: vec![team],
            skills: Vec::new(),
            capacity: if admin { 0 } else { setup.capacity },
            quality: 0.8,
            status: Status::Offline,
            idle_since: clock.now(),
            enabled: true,
            epoch: 1,
        };
        store.add_agent(&agent, &hash).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
