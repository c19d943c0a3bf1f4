//! The demo as it is handed over, by its API: conversations with scores from the first look, traffic that goes on; and a
//! first run that fails ends, says at what, and leaves nothing that a next one would take for a demo.

use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::http::Http;
use super::people::{Account, BOT_SITE, SITE, sign_in};
use super::*;

const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// Longest wait for anything.
const IN_TIME: Duration = Duration::from_secs(60);

fn demo() -> (TempDir, Demo) {
    let dir = tempfile::tempdir().unwrap();
    let program = std::env::var_os("KEFU_PROGRAM").map_or_else(
        || {
            shell::cargo(&["build", "--package", "kefu"], &[]).unwrap();
            shell::root().join("target/debug/kefu")
        },
        PathBuf::from,
    );
    let data = dir.path().join("demo");
    (dir, Demo { program, data })
}

/// A demo that is open, ended when it is dropped.
struct Running(Open);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.server.kill();
        let _ = self.0.server.wait();
    }
}

impl Running {
    fn admin(&self) -> Http {
        let admin = self.0.accounts.iter().find(|one| one.login == "admin").expect("an admin");
        sign_in(&self.0.here, &admin.login, &admin.password).unwrap()
    }
}

/// The id of a site.
fn site(admin: &Http, key: &str) -> Value {
    let sites = admin.get("/v1/sites").unwrap();
    let mut sites = sites["sites"].as_array().unwrap().iter();
    sites.find(|site| site["key"] == key).expect("the site")["id"].clone()
}

/// Conversations of a site that are over: rating, score of the report if there is one, number of events.
fn over(admin: &Http, site: &Value) -> Vec<(Value, Option<u64>, u64)> {
    let all = admin.get("/v1/conversations?state=closed&limit=200").unwrap();
    let of_site = all["conversations"].as_array().unwrap().iter().filter(|c| c["site"] == *site);
    let look = |one: &Value| {
        let path = format!("/v1/conversations/{}", one["id"].as_str().unwrap());
        let whole = admin.get(&path).unwrap();
        let score = whole["report"]["card"]["score"].as_u64();
        (one["rating"].clone(), score, one["head"].as_u64().unwrap())
    };
    of_site.map(look).collect()
}

/// What `look` answers once `enough` says so.
fn until<T: std::fmt::Debug>(look: impl Fn() -> T, enough: impl Fn(&T) -> bool) -> T {
    let begun = Instant::now();
    loop {
        let seen = look();
        if enough(&seen) {
            return seen;
        }
        assert!(begun.elapsed() < IN_TIME, "not in {IN_TIME:?}: {seen:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Rated, with a score of the inspection's.
fn scored(one: &(Value, Option<u64>, u64)) -> bool {
    one.0 == 5 && one.1.is_some_and(|score| (1..=100).contains(&score))
}

#[test]
fn the_demo_has_conversations_with_scores_and_traffic_goes_on() {
    let (_dir, demo) = demo();
    let shop = Running(demo.open(LISTEN).unwrap());
    let admin = shop.admin();
    let (people, bots) = (site(&admin, SITE), site(&admin, BOT_SITE));

    let seeded = until(|| over(&admin, &people), |all| all.iter().all(scored));
    assert_eq!(seeded.len(), 4, "{seeded:?}");
    let all = admin.get("/v1/conversations").unwrap();
    let all = all["conversations"].as_array().unwrap();
    let open: Vec<_> = all.iter().filter(|one| one["state"] != "closed").collect();
    assert!(open.len() == 1 && open[0]["site"] == people, "for who signs in next: {open:?}");
    assert_eq!(over(&admin, &bots).len(), 0, "nobody asked for traffic yet");

    talk::forever(&shop.0.here, &shop.0.accounts, Duration::from_millis(50));
    let held = until(|| over(&admin, &bots), |all| all.len() > 5 && all.iter().all(scored));
    // Opened, assigned, four lines or six, closed, rated.
    assert!(held.iter().all(|one| one.2 >= 8), "{held:?}");
    assert_eq!(over(&admin, &people), seeded, "bots keep to their own site");
}

#[test]
fn a_second_run_finds_the_demo_as_it_was() {
    let (_dir, demo) = demo();
    let shop = Running(demo.open(LISTEN).unwrap());
    let logins =
        |accounts: &[Account]| accounts.iter().map(|a| a.login.clone()).collect::<Vec<_>>();
    let first = logins(&shop.0.accounts);
    drop(shop);
    let again = Running(demo.open(LISTEN).unwrap());
    assert_eq!(logins(&again.0.accounts), first);
    let admin = again.admin();
    let people = site(&admin, SITE);
    assert_eq!(over(&admin, &people).len(), 4, "not seeded twice");
}

#[test]
fn a_conversation_that_cannot_be_held_is_a_failure_that_says_which() {
    let (_dir, demo) = demo();
    let shop = Running(demo.open(LISTEN).unwrap());
    let admin = shop.admin();
    let path = format!("/v1/sites/{}", site(&admin, SITE).as_str().unwrap());
    admin.patch(&path, &json!({ "enabled": false })).unwrap();
    let why = format!("{:#}", talk::seed(&shop.0.here, &shop.0.accounts).unwrap_err());
    assert!(why.contains("made-up conversation 1") && why.contains("/v1/visitors"), "{why}");
}

#[test]
fn a_first_run_that_fails_ends_and_the_next_begins_again() {
    let (dir, demo) = demo();
    // It stops at the first account, long after the server is up.
    let fake = dir.path().join("kefu");
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *' agent add '*) echo no room >&2; exit 1;; esac\n\
         exec {} \"$@\"\n",
        demo.program.display()
    );
    std::fs::write(&fake, script).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&fake, mode).unwrap();
    let broken = Demo { program: fake, data: demo.data.clone() };
    let why = broken.open(LISTEN).err().expect("a failure");
    let why = format!("{why:#}");
    assert!(why.contains("the demo could not be made") && why.contains("no room"), "{why}");
    assert!(demo.data.exists() && !demo.data.join("accounts.txt").exists());
    let shop = Running(demo.open(LISTEN).unwrap());
    assert_eq!(over(&shop.admin(), &site(&shop.admin(), SITE)).len(), 4);
}
