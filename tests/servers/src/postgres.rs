//! PostgreSQL: a cluster of its own, owned by an ordinary user (the server refuses root).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::process::{Process, answers, emptied, free_port, run};
use crate::tools;

/// One PostgreSQL server; its superuser is `kefu`, without a password, on loopback only.
#[derive(Debug)]
pub struct Postgres {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    dir: PathBuf,
    process: Process,
}

impl Postgres {
    /// Starts one on a free port with its data in `dir` (emptied first).
    ///
    /// # Errors
    /// When it is not installed or does not come up; its log is in the message.
    pub fn start(dir: &Path) -> anyhow::Result<Self> {
        let dir = emptied(dir)?;
        let data = dir.join("data");
        let is_root = tools::is_root();
        if is_root {
            run(Command::new("chown").arg("postgres").arg(&dir))?;
        }
        let mut make = as_owner(is_root, &tools::postgres("initdb")?);
        make.args(["--auth=trust", "--username=kefu", "--encoding=UTF8", "--locale=C", "-D"]);
        run(make.arg(&data))?;
        let mut postgres =
            Self { port: free_port()?, process: Process::new(dir.join("log")), dir: data };
        postgres.restart()?;
        Ok(postgres)
    }

    /// Starts it again on the same port and data. The children of a killed server may hold its memory a little longer;
    /// until they are gone a new one refuses to start, and is started again.
    ///
    /// # Errors
    /// As [`Postgres::start`].
    pub fn restart(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            match self.starts() {
                Err(error) if held(&error) && Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(200));
                }
                started => return started.context("postgres"),
            }
        }
    }

    fn starts(&mut self) -> anyhow::Result<()> {
        let mut command = as_owner(tools::is_root(), &tools::postgres("postgres")?);
        command.arg("-D").arg(&self.dir).args(["-p", &self.port.to_string()]);
        for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=on"] {
            command.args(["-c", setting]);
        }
        self.process.start(&mut command)?;
        let (port, url) = (self.port, self.url("postgres"));
        // The port answers before recovery is over; a query does not.
        let ready = move || answers(port) && ask(&url, "SELECT 1").is_ok();
        self.process.wait(Duration::from_secs(60), ready)
    }

    /// `postgres://kefu@127.0.0.1:port/database`.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://kefu@127.0.0.1:{}/{database}", self.port)
    }

    /// One statement in the database `postgres` through `psql`; the rows without decoration.
    ///
    /// # Errors
    /// When it fails.
    pub fn ask(&self, sql: &str) -> anyhow::Result<String> {
        ask(&self.url("postgres"), sql)
    }

    /// Kills the postmaster by signal 9; its children follow by themselves.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Stops it at once and in order.
    pub fn stop(&mut self) {
        self.process.stop("INT");
    }
}

/// A database of one test on a server that tests share; it goes with the value.
#[derive(Debug)]
pub struct Database {
    server: String,
    name: String,
}

impl Database {
    /// A fresh one on the server at `url`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn fresh(url: &str) -> anyhow::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("kefu_{}_{count}", std::process::id());
        ask(url, &format!("DROP DATABASE IF EXISTS {name}"))?;
        ask(url, &format!("CREATE DATABASE {name}"))?;
        Ok(Self { server: url.to_owned(), name })
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        let (server, _) = self.server.rsplit_once('/').unwrap_or((&self.server, ""));
        format!("{server}/{}", self.name)
    }

    /// One statement in it; the rows without decoration.
    ///
    /// # Errors
    /// When it fails.
    pub fn ask(&self, sql: &str) -> anyhow::Result<String> {
        ask(&self.url(), sql)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        drop(ask(&self.server, &format!("DROP DATABASE {} WITH (FORCE)", self.name)));
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What a server says that finds the memory of the one before still in use.
fn held(error: &anyhow::Error) -> bool {
    format!("{error:#}").contains("is still in use")
}

fn ask(url: &str, sql: &str) -> anyhow::Result<String> {
    let mut psql = Command::new(tools::postgres("psql")?);
    let output = psql.args(["-XAtq", "-d", url, "-c", sql]).output()?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The program, run by the user `postgres` where we are root.
fn as_owner(is_root: bool, program: &Path) -> Command {
    if !is_root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    command
}
