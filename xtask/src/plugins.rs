//! Builds the shipped plugins: core modules by cargo, components by `wit_component`, into `target/plugins/`. Those that
//! the tests install go to `target/plugin-tests/`, so that nothing ships them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

/// How the names of those begin that are not shipped.
const FOR_TESTS: &str = "hostile";
const TARGET: &str = "wasm32-unknown-unknown";

/// Builds every crate under `plugins/` and returns the paths of the components written.
pub(crate) fn build(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let names = names(root)?;
    have_target()?;
    let target_dir = root.join("target");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args(["build", "--profile", "plugin", "--target", TARGET]);
    cargo.arg("--target-dir").arg(&target_dir);
    for name in &names {
        cargo.args(["--package", name]);
    }
    run(&mut cargo)?;
    let out = target_dir.join("plugins");
    for dir in [&out, &target_dir.join("plugin-tests")] {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    names.iter().map(|name| componentize(&target_dir, &out, name)).collect()
}

/// The folders under `plugins/`; each is a package of the same name.
fn names(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root.join("plugins")).context("cannot list plugins/")? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn have_target() -> anyhow::Result<()> {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output()?;
    let sysroot = PathBuf::from(String::from_utf8(sysroot.stdout)?.trim());
    if sysroot.join("lib/rustlib").join(TARGET).is_dir() {
        return Ok(());
    }
    run(Command::new("rustup").args(["target", "add", TARGET]))
}

fn componentize(target_dir: &Path, out: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let file = format!("{}.wasm", name.replace('-', "_"));
    let module = target_dir.join(TARGET).join("plugin").join(file);
    let bytes =
        std::fs::read(&module).with_context(|| format!("cargo built no {}", module.display()))?;
    let component = wit_component::ComponentEncoder::default()
        .module(&bytes)
        .and_then(|encoder| encoder.validate(true).encode())
        .with_context(|| format!("{name} is not a component"))?;
    let for_tests = name.starts_with(FOR_TESTS);
    let out = if for_tests { target_dir.join("plugin-tests") } else { out.to_owned() };
    let path = out.join(format!("{name}.wasm"));
    std::fs::write(&path, component).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    if !status.success() {
        bail!("{command:?}: {status}");
    }
    Ok(())
}
