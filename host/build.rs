//! Gathers what is embedded: web pages (`web/dist`) and shipped plugins (`target/plugins`). What was not built is left
//! out with a warning: the server then runs without pages, or with the built-in decisions.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let root = here.parent().unwrap_or(&here);
    println!("cargo::rerun-if-changed=build.rs");
    gather(&root.join("web/dist"), &out.join("web"), "web pages")?;
    gather(&root.join("target/plugins"), &out.join("plugins"), "shipped plugins")
}

fn gather(from: &Path, to: &Path, what: &str) -> io::Result<()> {
    println!("cargo::rerun-if-changed={}", from.display());
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    fs::create_dir_all(to)?;
    if from.is_dir() {
        return copy(from, to);
    }
    println!("cargo::warning={what} are not built (cargo xtask run builds them): not embedded");
    Ok(())
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir_all(&target)?;
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
