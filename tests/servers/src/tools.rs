//! The programs the servers are made of: found where they are installed, installed where that is allowed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::process::run;

/// The broker; `mvn` brings it with all it needs.
const POM: &str = r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>kefu</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
      <version>4.1.1</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version></dependency>
  </dependencies>
</project>
"#;

/// What cannot be had here, and why: `("Kafka", "mvn is not installed")`.
pub type Missing = Vec<(&'static str, String)>;

/// Installs what is missing — by apt as root, by Maven into `<target>/servers/kafka` — and tells what could not be.
#[must_use]
pub fn prepare(target: &Path) -> Missing {
    let mut missing = Missing::new();
    if find("redis-server").is_none()
        && let Err(why) = install(&["redis-server"])
    {
        missing.push(("Redis", format!("{why:#}")));
    }
    if postgres("initdb").is_err()
        && let Err(why) = install(&["postgresql"]).and_then(|()| postgres("initdb").map(drop))
    {
        missing.push(("PostgreSQL", format!("{why:#}")));
    }
    if let Err(why) = jars(target) {
        missing.push(("Kafka", format!("{why:#}")));
    }
    missing
}

/// Where the jars of Kafka are, fetched if need be.
fn jars(target: &Path) -> anyhow::Result<()> {
    let folder = jars_in(target);
    if folder.join("complete").exists() {
        return Ok(());
    }
    if java().is_none() {
        install(&["openjdk-17-jre-headless"])?;
    }
    if find("mvn").is_none() {
        install(&["maven"])?;
    }
    std::fs::create_dir_all(&folder)?;
    let pom = folder.join("pom.xml");
    std::fs::write(&pom, POM)?;
    let mut maven = Command::new("mvn");
    maven.args(["-B", "-q", "dependency:copy-dependencies", "-f"]).arg(&pom);
    run(maven.arg(format!("-DoutputDirectory={}", folder.display())))?;
    std::fs::write(folder.join("complete"), "")?;
    Ok(())
}

/// The folder of Kafka's jars below `<target>`.
pub(crate) fn jars_in(target: &Path) -> PathBuf {
    target.join("servers/kafka-jars")
}

/// Java 17 or later: Kafka 4 runs on nothing older.
pub(crate) fn java() -> Option<PathBuf> {
    let usual = ["/usr/lib/jvm/java-17-openjdk-amd64/bin/java".into()];
    find("java").into_iter().chain(usual).find(|java: &PathBuf| {
        let Ok(output) = Command::new(java).arg("-version").output() else { return false };
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let major = text.split('"').nth(1).and_then(|version| version.split('.').next());
        major.and_then(|major| major.parse::<u32>().ok()).is_some_and(|major| major >= 17)
    })
}

/// A program of PostgreSQL's: on the path, or where Debian keeps the newest version.
pub(crate) fn postgres(program: &str) -> anyhow::Result<PathBuf> {
    if let Some(found) = find(program) {
        return Ok(found);
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<_> =
        versions.map(|version| version.path().join("bin").join(program)).collect();
    found.retain(|file| file.is_file());
    found.sort();
    found.pop().with_context(|| format!("{program} of PostgreSQL is not installed"))
}

/// Where a program is, if it is on the path.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

pub(crate) fn is_root() -> bool {
    std::fs::metadata("/proc/self")
        .is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0)
}

/// Installs packages of Debian's, where we are root.
///
/// # Errors
/// When we are not, there is no apt, or it fails; says which packages are missing.
pub fn install(packages: &[&str]) -> anyhow::Result<()> {
    let names = packages.join(", ");
    anyhow::ensure!(is_root(), "{names} is not installed, and only root may install it");
    anyhow::ensure!(find("apt-get").is_some(), "{names} is not installed, and there is no apt-get");
    run(Command::new("apt-get").args(["update", "-q"]))?;
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    // Nothing of what is installed starts by itself where a policy says so; ours run on ports of their own.
    run(apt.args(["install", "-y", "--no-install-recommends"]).args(packages))
}
