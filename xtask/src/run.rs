//! `cargo xtask run`: everything built, a server with made-up people and conversations, and links to click.
//! The data is in `target/demo`; delete it to begin again.

mod http;
mod people;
mod talk;

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::{plugins, shell, web};

/// Before each line of a made-up visitor or bot.
const PAUSE: Duration = Duration::from_millis(1500);

/// How to run.
#[derive(clap::Args)]
pub(crate) struct Run {
    /// Keep made-up visitors coming to a site of their own, where two bots answer, until Ctrl-C.
    #[arg(long)]
    traffic: bool,
    /// Where to listen.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8030")]
    listen: SocketAddr,
    /// Optimised build: slower to make, faster to run.
    #[arg(long)]
    release: bool,
    /// Leave web pages and plugins as they were built last.
    #[arg(long)]
    fast: bool,
}

pub(crate) fn run(args: &Run) -> anyhow::Result<()> {
    let root = shell::root();
    if !args.fast {
        plugins::build(&root)?;
        if !web::build(&root)? {
            shell::say("no npm or no web pages: the server runs without them");
        }
    }
    let profile: &[String] = if args.release { &["--release".to_owned()] } else { &[] };
    shell::cargo(&["build", "--package", "kefu"], profile)?;
    let program = root.join("target").join(if args.release { "release" } else { "debug" });
    let demo = Demo { program: program.join("kefu"), data: root.join("target/demo") };
    let Open { mut server, here, accounts } = demo.open(args.listen)?;
    links(args, &here, &demo.data, &accounts);
    if args.traffic {
        talk::forever(&here, &accounts, PAUSE);
    }
    let status = server.wait()?;
    if status.success() { Ok(()) } else { bail!("the server ended ({status})") }
}

/// The demo server's program and data.
pub(crate) struct Demo {
    program: PathBuf,
    pub(crate) data: PathBuf,
}

/// The demo as it is handed over: running, with its people and their first conversations.
struct Open {
    server: Child,
    /// Where it is reached from here.
    here: String,
    accounts: Vec<people::Account>,
}

impl Demo {
    /// Starts the server and makes what the demo shows; ends it again where that fails.
    fn open(&self, listen: SocketAddr) -> anyhow::Result<Open> {
        people::whole_or_none(&self.data)?;
        let (mut server, address) = self.serve(listen)?;
        let here = from_here(address).to_string();
        match people::prepare(self, &here) {
            Ok(accounts) => Ok(Open { server, here, accounts }),
            Err(why) => {
                server.kill()?;
                server.wait()?;
                Err(why.context("the demo could not be made; the next run begins again"))
            }
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--data-dir").arg(&self.data);
        command
    }

    /// Starts the server and waits until it listens; where it does.
    fn serve(&self, listen: SocketAddr) -> anyhow::Result<(Child, SocketAddr)> {
        let mut server = self.command();
        server.args(["serve", "--dev", "--listen", &listen.to_string()]).stdout(Stdio::piped());
        let mut server = server.spawn().context("the server could not be started")?;
        let out = server.stdout.take().context("no output")?;
        let mut lines = BufReader::new(out).lines();
        loop {
            let line = lines.next().context("the server ended at once; see above")??;
            shell::say(&line);
            if let Some(password) = line.split('`').nth(3).filter(|_| line.starts_with("first")) {
                keep_admin(&self.data, password)?;
            }
            if let Some(rest) = line.strip_prefix("listening on http://") {
                let address = rest.split(';').next().unwrap_or_default();
                return Ok((server, address.parse().with_context(|| line.clone())?));
            }
        }
    }

    /// Runs `kefu …` beside the server and returns what it said.
    pub(crate) fn kefu(&self, args: &[&str]) -> anyhow::Result<String> {
        let output = self.command().args(args).output()?;
        if !output.status.success() {
            bail!("kefu {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8(output.stdout)?)
    }
}

fn keep_admin(data: &Path, password: &str) -> anyhow::Result<()> {
    Ok(std::fs::write(data.join("admin.txt"), password)?)
}

/// What a browser on this machine goes to: every address (`0.0.0.0`) is none to go to.
fn from_here(mut listen: SocketAddr) -> SocketAddr {
    match listen {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => listen.set_ip(Ipv4Addr::LOCALHOST.into()),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => listen.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    listen
}

fn links(args: &Run, here: &str, data: &Path, accounts: &[people::Account]) {
    let site = people::SITE;
    shell::say(&format!("\n  shop page with the widget   http://{here}/demo/{site}"));
    shell::say(&format!("  chat as a page of its own   http://{here}/chat/{site}"));
    shell::say(&format!("  console                     http://{here}/console/"));
    shell::say(&format!("  data                        {}\n", data.display()));
    for people::Account { login, role, password } in accounts.iter().filter(|one| !one.is_bot()) {
        shell::say(&format!("  sign in as {login:6} {role:11} password {password}"));
    }
    shell::say("\n  The shop's visitors wait until amy, ben or chen is signed in and online.");
    if args.traffic {
        let bots = accounts.iter().filter(|one| one.is_bot()).map(|one| one.login.as_str());
        let bots = bots.collect::<Vec<_>>().join(" and ");
        shell::say(&format!(
            "  {bots} are bots: they answer only the made-up visitors of the site `{}`,\n  \
             which amy and admin see under \"All\".",
            people::BOT_SITE
        ));
    }
    if args.listen.ip().is_unspecified() {
        shell::say(
            "  Other machines reach it by this one's name or address in place of the one above.",
        );
    }
    shell::say("\n  Ctrl-C stops it\n");
}

#[cfg(test)]
mod tests;
