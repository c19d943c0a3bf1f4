//! `cargo xtask test`: prepares what the tests need, runs all of them, and ends with what had to be skipped and why.
//! Where `CI=true`, a skip is a failure. The browser tests run whatever the Rust tests came to, but for a run of only
//! what was named.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::bail;

use crate::servers::Servers;
use crate::{plugins, shell, web};

/// Names a browser goes by.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    let root = shell::root();
    let mut skipped = Vec::new();
    plugins::build(&root)?;
    let pages = web::build(&root)?;
    if pages {
        web::test(&root)?;
    } else {
        skipped.push("web pages and browser tests: npm is missing".to_owned());
    }
    // Apart from the tests: the program under test is the one that people run.
    shell::cargo(&["build", "--package", "kefu"], &[])?;
    let program = root.join("target/debug/kefu");
    let servers = Servers::start(&root, &mut skipped);
    let list = skip_list()?;
    let mut tests = Command::new("cargo");
    tests.current_dir(&root).args(["test", "--workspace", "--no-fail-fast", "--"]).args(args);
    tests.env("KEFU_SKIP_LIST", &list).env("KEFU_PROGRAM", &program);
    servers.tell(&mut tests);
    let tested = shell::run(&mut tests);
    skipped.extend(std::fs::read_to_string(&list)?.lines().map(str::to_owned));
    // A name to filter by is for the Rust tests.
    let all = args.is_empty();
    let browsed =
        if all && pages { browse(&root, &program, &servers, &mut skipped) } else { Ok(()) };
    report(&skipped, all);
    if let (Err(_), Err(why)) = (&tested, &browsed) {
        shell::say(&format!("{why:#}"));
    }
    tested.and(browsed)?;
    if !skipped.is_empty() && shell::env_is_true("CI") {
        bail!("{} skipped, and CI must skip nothing", skipped.len());
    }
    Ok(())
}

/// The browser tests; without a browser they are added to `skipped`.
fn browse(
    root: &Path,
    program: &Path,
    servers: &Servers,
    skipped: &mut Vec<String>,
) -> anyhow::Result<()> {
    let Some(browser) = browser() else {
        skipped.push("browser tests: no chromium, and not root to install it".to_owned());
        return Ok(());
    };
    let mut suites = web::in_a_browser(root, &browser, program);
    servers.tell(&mut suites);
    shell::run(&mut suites)
}

/// The browser for the browser tests, installed if we may.
fn browser() -> Option<PathBuf> {
    let find = || BROWSERS.into_iter().find_map(kefu_servers::find);
    if find().is_none()
        && let Err(why) =
            kefu_servers::install(&["chromium", "fonts-noto-cjk", "fonts-noto-color-emoji"])
    {
        shell::say(&format!("{why:#}"));
    }
    find()
}

/// An empty file into which a test that cannot run here writes one line: what it is and what is missing.
fn skip_list() -> anyhow::Result<PathBuf> {
    let list = shell::root().join("target/skipped.txt");
    std::fs::create_dir_all(shell::root().join("target"))?;
    std::fs::write(&list, "")?;
    Ok(list)
}

fn report(skipped: &[String], all: bool) {
    if !all {
        shell::say("browser tests: not run, only what was named");
    }
    if skipped.is_empty() {
        shell::say("nothing was skipped");
        return;
    }
    shell::say("skipped:");
    for line in skipped {
        shell::say(&format!("  - {line}"));
    }
}
