//! The command line: what it says and how it ends, with right and wrong input.

use std::path::Path;
use std::process::{Command, Output};
use std::time::SystemTime;

use kefu_tests::server::{Server, Setup, program};

fn kefu(data: &Path, args: &[&str]) -> anyhow::Result<Output> {
    let mut command = Command::new(program()?);
    command.args(["--data-dir", &data.to_string_lossy()]).args(args).current_dir(data);
    Ok(command.env("KEFU__SERVER__LISTEN", "127.0.0.1:0").output()?)
}

fn said(output: &Output) -> String {
    let bytes = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Runs it and holds its exit code and words against what is expected.
fn says(data: &Path, args: &[&str], code: i32, words: &[&str]) -> anyhow::Result<String> {
    let output = kefu(data, args)?;
    let said = said(&output);
    assert_eq!(output.status.code(), Some(code), "kefu {}: {said}", args.join(" "));
    for word in words {
        assert!(said.contains(word), "kefu {}: no {word:?} in {said}", args.join(" "));
    }
    Ok(said)
}

#[test]
fn people_and_sites_are_made_and_mistakes_are_named() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let data = dir.path();
    says(data, &["migrate"], 0, &["up to date"])?;
    for empty in ["team", "agent", "site"] {
        says(data, &[empty, "list"], 0, &["no ", " yet\n"])?;
    }
    says(data, &["team", "add", "Sales"], 0, &["`Sales` added"])?;
    says(data, &["team", "add", ""], 1, &["name", "1 to 64"])?;
    says(data, &["team", "list"], 0, &["Sales"])?;
    let add = ["agent", "add", "amy", "--team", "Sales", "--skill", "billing:4"];
    says(data, &add, 0, &["`amy` added", "password: "])?;
    says(data, &add, 1, &["login: `amy` is already taken"])?;
    says(data, &["team", "add", "Sales"], 1, &["team name: `Sales` is already taken"])?;
    says(data, &["agent", "add", "bo", "--team", "Nobody"], 1, &["`Nobody`", "kefu team add"])?;
    says(data, &["agent", "add", "bo", "--role", "boss"], 2, &["boss", "agent", "supervisor"])?;
    says(data, &["agent", "add", "bo", "--skill", "vip:9"], 1, &["skills", "1 to 5"])?;
    says(data, &["agent", "add", "bo", "--capacity", "101"], 1, &["capacity", "0 to 100"])?;
    says(data, &["agent", "passwd", "nobody"], 1, &["`nobody`", "kefu agent list"])?;
    says(data, &["agent", "passwd", "amy"], 0, &["new password", "password: "])?;
    says(data, &["agent", "list"], 0, &["amy", "agent", "offline"])?;
    let site = ["site", "add", "shop", "--team", "Sales", "--origin", "https://shop.example"];
    let assumed = ["data-site=\"shop\"", "kefu.js", "no server runs", "(defaults and KEFU__"];
    says(data, &site, 0, &assumed)?;
    says(data, &site, 1, &["site key: `shop` is already taken"])?;
    says(data, &["site", "add", "Shop!", "--team", "Sales"], 1, &["key", "a-z"])?;
    let bad = ["site", "add", "two", "--team", "Sales", "--origin", "shop.example"];
    says(data, &bad, 1, &["origins: `shop.example` is none", "https://"])?;
    says(data, &["site", "list"], 0, &["shop  shop  https://shop.example\n"])?;
    let everywhere = Command::new(program()?)
        .args(["--data-dir", &data.to_string_lossy(), "site", "add", "two", "--team", "Sales"])
        .env("KEFU__SERVER__LISTEN", "0.0.0.0:8030")
        .output()?;
    let told = said(&everywhere);
    assert!(told.contains("src=\"http://127.0.0.1:8030/kefu.js\""), "{told}");
    Ok(())
}

#[test]
fn where_no_data_is_reading_says_so_and_makes_none() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    let named = data.to_string_lossy();
    for what in ["agent", "site", "team", "plugin"] {
        let args = ["--data-dir", &named, what, "list"];
        let output = Command::new(program()?).args(args).output()?;
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{what}: {said}");
        let expected = format!("no data in {named}: start `kefu serve` first");
        assert!(said.contains(&expected), "{what}: {said}");
        assert!(!data.exists(), "{what} list made {named}");
    }
    Ok(())
}

#[test]
fn a_plugin_that_is_none_is_refused_with_the_reason() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let data = dir.path();
    std::fs::write(data.join("text.wasm"), "no component")?;
    says(data, &["plugin", "install", "text.wasm"], 1, &["text.wasm", "not WebAssembly"])?;
    says(data, &["plugin", "install", "missing.wasm"], 1, &["missing.wasm", "cannot be read"])?;
    says(data, &["plugin", "activate", "routing/99"], 1, &["routing/99", "kefu plugin list"])?;
    says(data, &["plugin", "activate", "routing/x"], 1, &["routing/x", "not a number"])?;
    says(data, &["plugin", "activate", "routing"], 1, &["`routing`", "routing/3"])?;
    says(
        data,
        &["plugin", "rollback", "routing"],
        1,
        &["routing is not rolled back", "no such generation before"],
    )?;
    says(data, &["plugin", "rollback", "colour"], 2, &["colour", "routing", "filter"])?;
    says(data, &["plugin", "list"], 0, &[])?;
    Ok(())
}

#[test]
fn config_mistakes_are_all_named_at_once() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let data = dir.path();
    says(data, &["config", "check"], 0, &["good"])?;
    let printed =
        says(data, &["config", "print"], 0, &["server.listen", "plugins.quarantine_after"])?;
    std::fs::write(data.join("again.toml"), &printed)?;
    says(data, &["--config", "again.toml", "config", "check"], 0, &["good"])?;
    let mistakes = "[transport]\nframe_bytes = \"many\"\n[server]\nlisen = 1\n";
    std::fs::write(data.join("bad.toml"), mistakes)?;
    let bad = ["--config", "bad.toml", "config", "check"];
    says(data, &bad, 1, &["bad.toml", "2 problem", "transport.frame_bytes", "server.lisen"])?;
    let none = ["--config", "none.toml", "config", "check"];
    says(data, &none, 1, &["  none.toml: expected a readable file"])?;
    says(data, &["--config", "bad.toml", "doctor"], 1, &["server.lisen"])?;
    Ok(())
}

/// What is in a folder: names, sizes and times. Not the index of a log that SQLite leaves after a kill.
fn folder(data: &Path) -> anyhow::Result<Vec<(String, u64, SystemTime)>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(data)? {
        let entry = entry?;
        let (name, about) = (entry.file_name().to_string_lossy().into_owned(), entry.metadata()?);
        if !name.ends_with("-shm") {
            all.push((name, about.len(), about.modified()?));
        }
    }
    all.sort();
    Ok(all)
}

fn names(data: &Path) -> anyhow::Result<Vec<String>> {
    Ok(folder(data)?.into_iter().map(|(name, ..)| name).collect())
}

#[tokio::test]
async fn the_doctor_changes_nothing() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let empty = dir.path();
    says(empty, &["doctor"], 0, &["note   data: no data yet", "does not run"])?;
    assert!(folder(empty)?.is_empty(), "it left something");
    let missing = empty.join("missing");
    let args = ["--data-dir", &missing.to_string_lossy(), "doctor"];
    let output = Command::new(program()?).args(args).current_dir(empty).output()?;
    let told = said(&output);
    assert!(told.contains("note   data directory: ") && told.contains("not there yet"), "{told}");
    assert!(!missing.exists(), "it made {}", missing.display());

    let mut server = Server::start(Setup::default()).await?;
    let data = server.data_dir();
    let before = names(&data)?;
    says(&data, &["doctor"], 0, &["ok     server: version"])?;
    assert_eq!(names(&data)?, before);
    server.is_told_to_stop()?;
    server.ends(std::time::Duration::from_secs(30)).await?;
    let before = folder(&data)?;
    let stopped = ["does not run", "ok     data: ", "plugin routing"];
    says(&data, &["doctor"], 0, &stopped)?;
    assert_eq!(folder(&data)?, before);
    server.starts().await?;
    server.kill();
    let before = folder(&data)?;
    says(&data, &["doctor"], 0, &stopped)?;
    assert_eq!(folder(&data)?, before);
    Ok(())
}

#[tokio::test]
async fn the_doctor_says_that_data_needs_another_form_and_gives_it_none() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let data = dir.path();
    says(data, &["migrate"], 0, &["up to date"])?;
    let main = rusqlite::Connection::open(data.join("kefu.db"))?;
    let newest = "(SELECT max(version) FROM _sqlx_migrations)";
    main.execute_batch(&format!("DELETE FROM _sqlx_migrations WHERE version = {newest}"))?;
    for _ in 0..2 {
        says(data, &["doctor"], 0, &["note   data: ", "kefu migrate"])?;
    }
    main.execute_batch(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (99999999999998, '', 1, x'00', 0), (99999999999999, '', 1, x'00', 0)",
    )?;
    says(data, &["doctor"], 1, &["WRONG  data: ", "a newer kefu wrote it"])?;
    Ok(())
}

#[test]
fn the_doctor_says_what_is_in_force_and_what_is_wrong() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let data = dir.path();
    says(data, &["migrate"], 0, &["up to date"])?;
    let words = ["data directory", "disk space", "clock", "open files", "exposure"];
    says(data, &["doctor"], 0, &words)?;
    let more = ["survive power loss", "transport.connections", "does not run", "plugin routing"];
    says(data, &["doctor"], 0, &more)?;
    let hour = std::time::Duration::from_secs(3600);
    let file = std::fs::File::options().append(true).open(data.join("kefu.db"))?;
    let then = file.metadata()?.modified()? + hour;
    file.set_modified(then)?;
    says(data, &["doctor"], 1, &["WRONG  clock", "went back"])?;
    let open = Command::new(program()?)
        .args(["--data-dir", &data.to_string_lossy(), "doctor"])
        .env("KEFU__SERVER__LISTEN", "0.0.0.0:0")
        .output()?;
    assert!(said(&open).contains("WRONG  exposure"), "{}", said(&open));
    assert_eq!(open.status.code(), Some(1));
    Ok(())
}

#[tokio::test]
async fn commands_reach_the_running_server() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let data = server.data_dir();
    let listens = format!("ok     exposure: listens on {}", server.address);
    says(&data, &["doctor"], 0, &["ok     server: version", &listens])?;
    says(&data, &["agent", "list"], 0, &["admin", "agent1"])?;
    says(&data, &["team", "add", "Night"], 0, &["added"])?;
    let tag = format!("src=\"http://{}/kefu.js\"", server.address);
    let tagged = says(&data, &["site", "add", "night", "--team", "Night"], 0, &[&tag])?;
    assert!(!tagged.contains("no server runs"), "{tagged}");
    assert!(tagged.contains("set server.public_url"), "{tagged}");
    let admin = server.agent_token("admin").await?;
    let teams = server.asks(kefu_tests::http::Ask::get("/v1/teams").bearer(&admin)).await?;
    assert!(teams.text.contains("Night"), "{}", teams.text);
    says(&data, &["serve"], 1, &["stream"])?;
    Ok(())
}

#[test]
fn help_explains_each_command() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let data = dir.path();
    let all =
        ["serve", "migrate", "agent", "team", "site", "plugin", "explain", "config", "doctor"];
    let help = says(data, &["--help"], 0, &all)?;
    assert!(!help.contains("reference"), "made for xtask, not for people: {help}");
    says(data, &["agent", "add", "--help"], 0, &["--skill", "billing:4", "--password-stdin"])?;
    says(data, &["agnet"], 2, &["agnet", "agent"])?;
    says(data, &["team", "add"], 2, &["NAME"])?;
    Ok(())
}
