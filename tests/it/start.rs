//! A server that cannot start says what and why, and ends with a code other than 0; so does any command that fails.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::Context;
use kefu_tests::server::{Server, Setup, program};

/// Runs `kefu` to its end on a data directory.
fn kefu(data: &Path, args: &[&str]) -> anyhow::Result<Output> {
    let mut command = Command::new(program()?);
    command.args(args).current_dir("/").env("KEFU__SERVER__DATA_DIR", data);
    Ok(command.env("KEFU__SERVER__LISTEN", "127.0.0.1:0").output()?)
}

/// What `kefu serve` says until it listens, or until it ends.
fn serves(data: &Path) -> anyhow::Result<String> {
    let mut command = Command::new(program()?);
    command.arg("serve").current_dir("/").env("KEFU__SERVER__DATA_DIR", data);
    command.env("KEFU__SERVER__LISTEN", "127.0.0.1:0");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut said = String::new();
    let stdout = child.stdout.take().context("it has no stdout")?;
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        said.push_str(&line);
        said.push('\n');
        if line.starts_with("listening on") {
            break;
        }
    }
    child.kill()?;
    child.wait()?;
    Ok(said)
}

/// It fails, and says all of `words` on stderr.
fn fails(output: &Output, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "it went well: {said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

#[tokio::test]
async fn a_used_port_and_a_used_directory_are_named() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let fresh = tempfile::tempdir()?;
    let address = server.address.to_string();
    let output = kefu(fresh.path(), &["serve", "--listen", &address])?;
    fails(&output, &["cannot listen on", &address, "server.listen", "in use"]);
    let output = kefu(&server.data_dir(), &["serve"])?;
    let dir = server.data_dir().display().to_string();
    fails(&output, &["another process uses the stream", &dir]);
    Ok(())
}

#[test]
fn a_directory_that_cannot_be_used_is_named() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("file");
    std::fs::write(&file, "")?;
    // Where not even root may write, and what is not a directory.
    for data in [Path::new("/proc/kefu"), file.as_path(), file.join("below").as_path()] {
        let output = kefu(data, &["serve"])?;
        fails(&output, &[&data.display().to_string(), "server.data_dir"]);
    }
    Ok(())
}

#[test]
fn the_first_start_shows_a_password_and_the_second_shows_none() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let first = serves(dir.path())?;
    assert!(first.contains("first start: sign in as `admin` with password `"), "{first}");
    let second = serves(dir.path())?;
    assert!(second.contains("listening on"), "{second}");
    assert!(!second.contains("first start") && !second.contains("password"), "{second}");
    Ok(())
}

#[test]
fn the_first_start_finds_a_login_where_admin_is_somebodys() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let data = dir.path();
    for login in ["admin", "admin2"] {
        let added = kefu(data, &["agent", "add", login])?;
        assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    }
    let first = serves(data)?;
    assert!(first.contains("first start: sign in as `admin3` with password `"), "{first}");
    assert!(first.contains("listening on"), "{first}");
    let second = serves(data)?;
    assert!(second.contains("listening on") && !second.contains("password"), "{second}");
    Ok(())
}

#[tokio::test]
async fn databases_of_a_newer_version_are_left_alone() -> anyhow::Result<()> {
    let mut server = Server::start(Setup::default()).await?;
    server.kill();
    let data = server.data_dir();
    let main = rusqlite::Connection::open(data.join("kefu.db"))?;
    main.execute_batch(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (99999999999999, 'from the future', 1, x'00', 0)",
    )?;
    fails(&kefu(&data, &["serve"])?, &["kefu.db", "newer"]);
    main.execute_batch("DELETE FROM _sqlx_migrations WHERE version = 99999999999999")?;
    drop(main);
    let stream = rusqlite::Connection::open(data.join("stream.db"))?;
    stream.pragma_update(None, "user_version", 999)?;
    drop(stream);
    fails(&kefu(&data, &["serve"])?, &["999", "newer"]);
    Ok(())
}

#[test]
fn a_bad_config_is_all_named_at_once() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("kefu.toml");
    std::fs::write(
        &file,
        "[transport]\nheartbeet = \"9s\"\npoll_wait = \"50s\"\n[limits]\ntext_bytes = 1\n",
    )?;
    let file = file.display().to_string();
    for command in [&["serve"][..], &["config", "check"][..]] {
        let args = [&["--config", file.as_str()][..], command].concat();
        let output = kefu(dir.path(), &args)?;
        let meant = "transport.heartbeet: no such key (did you mean `transport.heartbeat`?)";
        fails(&output, &[&file, meant, "transport.poll_wait", "limits.text_bytes", "found 1"]);
    }
    Ok(())
}

#[test]
fn every_command_explains_itself_and_a_wrong_one_says_what_is_right() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let mut to_ask: Vec<Vec<String>> = vec![Vec::new()];
    let mut asked = 0;
    while let Some(command) = to_ask.pop() {
        let args: Vec<&str> = command.iter().map(String::as_str).chain(["--help"]).collect();
        let output = kefu(dir.path(), &args)?;
        let said = String::from_utf8(output.stdout)?;
        assert!(output.status.success() && said.contains("Usage: kefu"), "{args:?}: {said}");
        asked += 1;
        let commands = said.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next());
        // A command's line is set in by two; what is set in further goes on with the line above.
        let first = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
        for line in commands.into_iter().flat_map(str::lines).filter(first) {
            let mut words = line.split_whitespace();
            let name = words.next().unwrap_or_default();
            assert!(words.next().is_some(), "{args:?}: `{name}` is not explained");
            if name != "help" {
                to_ask.push([command.clone(), vec![name.to_owned()]].concat());
            }
        }
    }
    assert!(asked > 15, "only {asked} commands were found");
    for wrong in [&["sevre"][..], &["agent", "add"][..], &["serve", "--listen", "nowhere"][..]] {
        let output = kefu(dir.path(), wrong)?;
        fails(&output, &["error:", "For more information, try '--help'"]);
    }
    Ok(())
}
