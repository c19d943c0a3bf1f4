//! Packages on a running server, as author and operator handle them: `kefu plugin pack|sign|verify|inspect`, keys,
//! revocations, and what serves meanwhile.

use std::fs;
use std::path::{Path, PathBuf};

use kefu_tests::client::Carrier;
use kefu_tests::http::Ask;
use kefu_tests::server::{Server, Setup};

use crate::plugins::{built, decision, installs, kefu};

const ABOUT: &str = r#"format = 1
id = "better-router"
version = "1.0.0"
publisher = "acme"

[host]
min = "0.1.0"

[points]
routing = "1.0.0"

[scopes]
candidates = "scores who is least loaded"

[budgets]
fuel = 5_000_000
"#;
const CASE: &str = r#"{
  "input": {"now":1,"seed":1,"conversation":"1","site":"1","team":"1","waited_ms":0,"priority":0,
    "needs":[],"levels":[],"attrs":[],"candidates":[
      {"agent":"1","active":1,"capacity":2,"quality":0.5,"idle_ms":0,"returning":false}]},
  "expect": {"outcome":"answered","value":{"scores":[0.65]}}
}"#;

/// A plugin's folder, a packed plugin in it, and keys.
struct Author {
    folder: tempfile::TempDir,
}

impl Author {
    /// Writes the shipped router's folder as an author has it, and packs it.
    fn packs(server: &Server) -> anyhow::Result<Self> {
        let author = Self { folder: tempfile::tempdir()? };
        let schema = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../plugins/weighted-router/config.schema.json");
        fs::copy(schema, author.path("config.schema.json"))?;
        fs::create_dir(author.path("cases"))?;
        for (name, text) in [
            ("plugin.toml", ABOUT),
            ("cases/half-loaded.json", CASE),
            ("LICENSE", "Do as you like.\n"),
            ("README.md", "# A better router\n"),
        ] {
            fs::write(author.path(name), text)?;
        }
        author.pack_with(server, &built("wasm32-unknown-unknown/plugin/weighted_router.wasm"))?;
        Ok(author)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn word(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn pack_with(&self, server: &Server, component: &Path) -> anyhow::Result<String> {
        let (folder, out) = (self.word(""), self.word("better.kplug"));
        let component = component.display().to_string();
        let words = ["pack", &folder, "--component", &component, "--out", &out];
        says(server, &words, true, &["better.kplug: better-router 1.0.0, not signed yet"])
    }

    /// Makes a key in a file of this name; the public one.
    fn key(&self, server: &Server, name: &str) -> anyhow::Result<String> {
        let said = says(server, &["key", "new", &self.word(name)], true, &["keep it secret"])?;
        Ok(said.lines().last().unwrap_or_default().to_owned())
    }

    fn signs(&self, server: &Server, key: &str) -> anyhow::Result<String> {
        let words = ["sign", &self.word("better.kplug"), "--key", &self.word(key)];
        says(server, &words, true, &["is signed by ed25519:"])
    }

    fn installs(&self, server: &Server, good: bool, words: &[&str]) -> anyhow::Result<String> {
        let file = self.word("better.kplug");
        says(server, &["install", &file, "--activate"], good, words)
    }
}

/// Runs `kefu plugin …` and holds its outcome and words against what is expected.
fn says(server: &Server, args: &[&str], good: bool, words: &[&str]) -> anyhow::Result<String> {
    let (content, said) = kefu(server, args)?;
    assert_eq!(content, good, "kefu plugin {}: {said}", args.join(" "));
    for word in words {
        assert!(said.contains(word), "kefu plugin {}: no {word:?} in {said}", args.join(" "));
    }
    Ok(said)
}

/// The line of `text` that begins with `start`.
fn line<'a>(text: &'a str, start: &str) -> &'a str {
    text.lines().find(|line| line.starts_with(start)).unwrap_or_default()
}

#[tokio::test]
async fn a_package_comes_from_its_author_to_serving() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let _agent = server.agent("agent1", Carrier::WebSocket).await?;
    let author = Author::packs(&server)?;
    let file = author.word("better.kplug");
    author.installs(
        &server,
        false,
        &["plugins.require = \"trusted\": the package is not signed"],
    )?;
    says(&server, &["verify", &file], false, &["signature: it is not signed"])?;
    let key = author.key(&server, "acme.key")?;
    author.signs(&server, "acme.key")?;
    says(&server, &["verify", &file, "--key", &key], true, &["of acme is whole", &key])?;
    let other = author.key(&server, "other.key")?;
    says(&server, &["verify", &file, "--key", &other], false, &["is signed by", "not by"])?;
    let trust = format!("kefu plugin key trust acme {key}");
    author.installs(&server, false, &["is not trusted here", &trust])?;
    let shown = says(&server, &["inspect", &file], true, &[])?;
    assert_eq!(line(&shown, "imports"), "imports    nothing");
    assert!(line(&shown, "exports").contains("kefu:routing/routing@1.0.0 (configure, rank)"));
    assert!(line(&shown, "data       candidates").ends_with(": scores who is least loaded"));
    assert!(line(&shown, "data       attrs").ends_with(": not asked for"));
    assert_eq!(
        line(&shown, "budgets"),
        "budgets    fuel 5000000, ms the server's, MiB the server's"
    );
    assert_eq!(line(&shown, "signed by"), format!("signed by  {key}"));
    assert!(line(&shown, "here").starts_with("here       REFUSED trust: "), "{shown}");
    says(&server, &["key", "trust", "acme", &key], true, &["is trusted for acme"])?;
    says(&server, &["key", "list"], true, &[&format!("{key}  acme\n")])?;
    says(&server, &["inspect", &file], true, &["here       may serve"])?;
    author.installs(&server, true, &["admitted as routing/6 better-router 1.0.0", "serves"])?;
    says(&server, &["list"], true, &["of acme  active", "shipped  retired"])?;
    let decision = decision(&server).await?;
    assert_eq!(decision["outcome"], "answered", "{decision}");
    let text = server.asks(Ask::get("/metrics")).await?.text;
    let served = r#"plugin="better-router",generation="6",outcome="answered"} 1"#;
    assert!(text.contains(served), "{text}");
    says(&server, &["remove", "routing/6"], false, &["it serves"])?;
    says(&server, &["rollback", "routing"], true, &["routing/1 weighted-router"])?;
    says(&server, &["remove", "routing/6"], true, &["routing/6 better-router", "is removed"])?;
    author.installs(&server, true, &["admitted as routing/7"])?;
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_with_a_package_is_named_and_changes_nothing() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let _agent = server.agent("agent1", Carrier::WebSocket).await?;
    let author = Author::packs(&server)?;
    let key = author.key(&server, "acme.key")?;
    author.signs(&server, "acme.key")?;
    says(&server, &["key", "trust", "acme", &key], true, &[])?;
    let (_, before) = kefu(&server, &["list"])?;
    let file = author.word("better.kplug");
    let good = fs::read(&file)?;
    let changed = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let header = |name: &str| {
        let name = format!("{name}\0\0");
        good.windows(name.len()).position(|found| found == name.as_bytes()).unwrap()
    };
    let member = |name: &str| changed(header(name) + 512);
    let renamed = |name: &str| forged(&good, (header("LICENSE"), 0), &[name, "\0"].concat());
    let sized = |name: &str, size: &str| forged(&good, (header(name), 124), size);
    for (bytes, words) in [
        (member("LICENSE"), "signature: "),
        (member("README.md"), "signature: "),
        (member("cases/half-loaded.json"), "signature: "),
        (member("component.wasm"), "signature: "),
        (member("config.schema.json"), "signature: "),
        (member("plugin.toml"), "signature: "),
        (member("signature"), "signature: "),
        (changed(header("README.md")), "container: "),
        (renamed("../../kefu.db"), "container: `../../kefu.db` leads out of the package"),
        (renamed("/tmp/kefu.db"), "container: `/tmp/kefu.db` is an absolute path"),
        (renamed("setup.sh"), "container: `setup.sh` is no member of a package"),
        (sized("plugin.toml", "00000200001"), "`plugin.toml` has 65537 bytes, at most 65536"),
        (sized("component.wasm", "77777777777"), "`component.wasm` has 8589934591 bytes, at most"),
        (vec![0; 33 << 20], "a plugin"),
        (good[..good.len() - 600].to_vec(), "container: "),
        ([&good[..], &[0; 512]].concat(), "container: not in its one form"),
        (built_bytes("plugin-tests/hostile.wasm")?, "this is a bare component"),
        (b"MZ".to_vec(), "not WebAssembly, and not a package"),
        (b"\x1f\x8b\x08 a compressed one".to_vec(), "not WebAssembly, and not a package"),
        (b"PK\x03\x04 a zip".to_vec(), "not WebAssembly, and not a package"),
    ] {
        fs::write(&file, bytes)?;
        author.installs(&server, false, &[words])?;
    }
    fs::write(&file, &good)?;
    let named = ["install", &file, "--name", "mine"];
    says(&server, &named, false, &["is a package and has a name"])?;
    assert_eq!(kefu(&server, &["list"])?.1, before);
    assert_eq!(decision(&server).await?["outcome"], "answered", "the server is unharmed");
    Ok(())
}

#[tokio::test]
async fn what_an_author_does_wrong_is_named() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let author = Author::packs(&server)?;
    let file = author.word("better.kplug");
    author.key(&server, "acme.key")?;
    let mut permissions = fs::metadata(author.path("acme.key"))?.permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
    fs::set_permissions(author.path("acme.key"), permissions)?;
    let words = ["sign", &file, "--key", &author.word("acme.key")];
    says(&server, &words, false, &["others may read it"])?;
    says(&server, &["key", "new", &author.word("acme.key")], false, &["cannot be made"])?;
    fs::write(author.path("cases/Bad name.json"), CASE)?;
    let pack = ["pack", &author.word(""), "--component", "x.wasm"];
    says(&server, &pack, false, &["x.wasm cannot be read"])?;
    let component = built("plugins/weighted-router.wasm").display().to_string();
    let pack = ["pack", &author.word(""), "--component", &component];
    says(&server, &pack, false, &["`cases/Bad name.json` is no member of a package"])?;
    fs::remove_file(author.path("cases/Bad name.json"))?;
    let component = built("plugins/message-filter.wasm").display().to_string();
    let pack = ["pack", &author.word(""), "--component", &component];
    says(&server, &pack, false, &["is not the schema that the component carries"])?;
    Ok(())
}

/// The archive with other bytes at a place in one header, and its checksum made good.
fn forged(good: &[u8], (header, at): (usize, usize), text: &str) -> Vec<u8> {
    let mut bytes = good.to_vec();
    let place = header + at;
    bytes[place..place + text.len()].copy_from_slice(text.as_bytes());
    let header = &mut bytes[header..header + 512];
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    bytes
}

fn built_bytes(path: &str) -> anyhow::Result<Vec<u8>> {
    Ok(fs::read(built(path))?)
}

#[tokio::test]
async fn what_is_revoked_is_out_at_once_and_after_a_restart() -> anyhow::Result<()> {
    let mut server = Server::start(Setup::default()).await?;
    let _agent = server.agent("agent1", Carrier::WebSocket).await?;
    let author = Author::packs(&server)?;
    let (key, second) = (author.key(&server, "acme.key")?, author.key(&server, "second.key")?);
    author.signs(&server, "acme.key")?;
    for key in [&key, &second] {
        says(&server, &["key", "trust", "acme", key], true, &[])?;
    }
    author.installs(&server, true, &["routing/6 better-router", "serves"])?;
    assert_eq!(decision(&server).await?["outcome"], "answered");
    let make = |serial: &str| {
        let (list, signer) = (author.word("revoked"), author.word("second.key"));
        let words = ["revocations", "make", &list, "--publisher", "acme", "--serial", serial];
        let entries = ["--revoke-key", &key, "--key", &signer];
        says(&server, &[&words[..], &entries].concat(), true, &["revocation list", "of acme"])
    };
    let list = author.word("revoked");
    make("7")?;
    let load = ["revocations", "load", &list];
    says(&server, &load, true, &["is in force", "routing/6 better-router", "is taken out"])?;
    says(&server, &["list"], true, &["of acme  quarantined", "shipped  active"])?;
    assert!(server.log().contains("is revoked by revocation list 7 of acme"), "{}", server.log());
    assert_eq!(decision(&server).await?["outcome"], "answered", "the shipped one serves again");
    let revoked = format!("its key {key} is revoked by revocation list 7 of acme");
    says(&server, &["activate", "routing/6"], false, &[&revoked])?;
    author.installs(&server, false, &[&revoked])?;
    says(&server, &["inspect", &author.word("better.kplug")], true, &["REFUSED trust: its key"])?;
    for serial in ["7", "6"] {
        make(serial)?;
        says(&server, &load, false, &[&format!("serial {serial} is not above 7")])?;
    }
    says(&server, &["revocations", "list"], true, &["revocation list 7 of acme", &key])?;
    server.kill();
    server.starts().await?;
    says(&server, &["activate", "routing/6"], false, &[&revoked])?;
    says(&server, &["list"], true, &["of acme  quarantined", "shipped  active"])?;
    // The same package under the other key is as good as ever.
    author.signs(&server, "second.key")?;
    author.installs(&server, true, &["routing/7 better-router", "serves"])?;
    Ok(())
}

#[tokio::test]
async fn for_who_writes_plugins_any_is_taken() -> anyhow::Result<()> {
    let mut server = Server::start(Setup { dev: true, ..Setup::default() }).await?;
    let hostile = built("plugin-tests/hostile.wasm");
    let (content, said) = installs(&server, &hostile, r#"{"deed":"behave"}"#)?;
    assert!(content && said.contains("routing/6") && said.contains("serves"), "{said}");
    server.kill();
    server.develops(false);
    server.starts().await?;
    says(&server, &["list"], true, &["bare  quarantined", "shipped  active"])?;
    Ok(())
}

#[tokio::test]
async fn what_is_shipped_takes_another_config_under_any_rule() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let folder = tempfile::tempdir()?;
    let config = |text: &str| -> anyhow::Result<String> {
        let file = folder.path().join("config.json");
        fs::write(&file, text)?;
        Ok(file.display().to_string())
    };
    let good = config(r#"{"returning":0.5}"#)?;
    let configure = ["configure", "routing/1", &good, "--activate"];
    says(&server, &configure, true, &["admitted as routing/6 weighted-router", "serves"])?;
    says(&server, &["list"], true, &["shipped  active", "shipped  retired"])?;
    for (text, words) in [
        (r#"{"load":2}"#, "config: /load: 2 is greater than the maximum of 1"),
        (r#"{"load":1}"#, "skill + load + quality must be 1, is 1.6"),
        ("[]", "config"),
        ("{", "config.json is not JSON"),
    ] {
        let file = config(text)?;
        says(&server, &["configure", "routing/1", &file], false, &[words])?;
    }
    says(&server, &["configure", "routing/99", &good], false, &["kefu plugin list"])?;
    Ok(())
}

#[tokio::test]
async fn what_was_shipped_and_removed_stays_away_until_it_is_asked_for() -> anyhow::Result<()> {
    let mut server = Server::start(Setup::default()).await?;
    says(&server, &["list"], true, &["routing/2 round-robin"])?;
    says(&server, &["remove", "routing/2"], true, &["routing/2 round-robin", "is removed"])?;
    server.kill();
    server.starts().await?;
    let left = says(&server, &["list"], true, &["routing/3 least-busy"])?;
    assert!(!left.contains("round-robin"), "{left}");
    let restored = ["restore", "round-robin"];
    says(&server, &restored, true, &["admitted as routing/6 round-robin"])?;
    says(&server, &["list"], true, &["routing/6 round-robin", "shipped  admitted"])?;
    says(&server, &["restore", "nobody"], false, &["`nobody` does not come with this program"])?;
    Ok(())
}
