//! An author's afternoon: `kefu plugin new`, then build, test, pack and sign in a folder of its own, until it serves.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use kefu_tests::server::{Server, Setup};

/// `kefu plugin …` as an author types it, with nothing from the network but what cargo has kept.
fn kefu(server: &Server, folder: &Path, words: &[&str]) -> anyhow::Result<(bool, String)> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/authors");
    let output = Command::new(server.program())
        .arg("plugin")
        .args(words)
        .current_dir(folder)
        .env("KEFU__SERVER__DATA_DIR", server.data_dir())
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_NET_OFFLINE", "true")
        .output()?;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

/// It is content and says these words.
fn says(server: &Server, folder: &Path, words: &[&str], said: &str) -> anyhow::Result<()> {
    let (content, told) = kefu(server, folder, words)?;
    assert!(content && told.contains(said), "kefu plugin {}: {told}", words.join(" "));
    Ok(())
}

/// It is not, and says why.
fn refuses(server: &Server, folder: &Path, words: &[&str], why: &str) -> anyhow::Result<()> {
    let (content, told) = kefu(server, folder, words)?;
    assert!(!content && told.contains(why), "kefu plugin {}: {told}", words.join(" "));
    Ok(())
}

/// Changes a file of a project.
fn edit(file: PathBuf, old: &str, new: &str) -> anyhow::Result<()> {
    let text = fs::read_to_string(&file)?;
    assert!(text.contains(old), "{}: {text}", file.display());
    Ok(fs::write(file, text.replacen(old, new, 1))?)
}

#[tokio::test]
async fn a_new_project_of_each_point_is_built_tested_packed_and_serves() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let away = tempfile::tempdir()?;
    let folder = away.path();
    let does = |words: &[&str], said: &str| says(&server, folder, words, said);
    does(&["key", "new", "acme.key"], "keep it secret")?;
    let (_, key) = kefu(&server, folder, &["key", "new", "other.key"])?;
    let key = key.lines().last().unwrap_or_default().to_owned();
    does(&["key", "trust", "acme", &key], "is trusted for acme")?;
    for (point, generation) in
        [("routing", "routing/6"), ("filter", "filter/2"), ("inspection", "inspection/2")]
    {
        let name = format!("my-{point}");
        let made = format!("{name}: a {point} plugin in rust");
        does(&["new", "--point", point, "--publisher", "acme", &name], &made)?;
        let file = format!("{name}-0.1.0.kplug");
        let tested = format!("{name} 0.1.0: all cases are answered as expected");
        does(&["test", &name], &tested)?;
        does(&["build", &name], "component.wasm: ")?;
        does(&["pack", &name], &format!("{file}: {name} 0.1.0, not signed yet"))?;
        does(&["sign", &file, "--key", "other.key"], "is signed by")?;
        does(&["inspect", &file], "imports    nothing")?;
        let admitted = format!("admitted as {generation} {name} 0.1.0");
        does(&["install", &file, "--activate"], &admitted)?;
    }
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_with_a_project_is_named() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let away = tempfile::tempdir()?;
    let folder = away.path();
    let refused = |words: &[&str], why: &str| refuses(&server, folder, words, why);
    let new = ["new", "--point", "routing"];
    for (name, why) in [
        ("My", "name: `My`: 1 to 64 of a-z, 0-9 and -"),
        ("7th", "name: a letter first"),
        ("..", "name: ``"),
    ] {
        refused(&[&new[..], &[name]].concat(), why)?;
    }
    refused(&["build", "."], "has no Cargo.toml")?;
    refused(&["test", "."], "cannot be read")?;
    let (content, told) = kefu(&server, folder, &[&new[..], &["mine"]].concat())?;
    assert!(content, "{told}");
    refused(&[&new[..], &["mine"]].concat(), "mine is there already")?;
    let mine = folder.join("mine");
    edit(mine.join("cases/first.json"), "64000", "64001")?;
    refused(&["test", "mine"], "case first: value.scores[1]: expected 64001, got 64000")?;
    edit(mine.join("src/lib.rs"), "one.idle_ms as f64 + bonus(one)", "bonus(one)")?;
    refused(&["test", "mine"], "its own tests fail")?;
    edit(mine.join("src/lib.rs"), "bonus(one);", "malus(one);")?;
    refused(&["build", "mine"], "cargo could not build it")?;
    Ok(())
}

#[test]
fn the_sdk_of_a_new_project_depends_on_what_this_one_does() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let theirs = fs::read_to_string(root.join("plugin-sdk/templates/sdk.toml.txt"))?;
    let ours = ["Cargo.toml", "plugin-sdk/Cargo.toml"];
    let ours = ours.map(|file| fs::read_to_string(root.join(file)).unwrap_or_default()).concat();
    let (package, needs) = theirs.split_once("[dependencies]").unwrap_or_default();
    let version = package.lines().filter(|line| line.starts_with("version"));
    let lines: Vec<_> = version.chain(needs.lines().filter(|line| !line.is_empty())).collect();
    assert_eq!(lines.len(), 4, "{lines:?}");
    for line in lines {
        assert!(ours.lines().any(|own| own == line), "neither Cargo.toml says `{line}`");
    }
    Ok(())
}
