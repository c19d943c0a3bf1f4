//! The container: a plain tar archive (ustar) of known members, read whole into memory and never unpacked to a disk.
//!
//! There is one archive for one content: whatever reads as members is written again and must come out the same, byte
//! for byte. So nothing can be hidden where this reader does not look and another would.

use std::collections::BTreeMap;
use std::io::Read as _;

use tar::{Archive, EntryType, Header};

/// Members by name.
pub type Members = BTreeMap<String, Vec<u8>>;

/// Most bytes of a package.
pub const LARGEST: usize = 32 << 20;
/// Most members: the seven with names of their own, and cases.
const MOST: usize = 7 + 64;
const LONGEST_CASE: usize = 64;
/// Where a tar archive says that it is one.
const MAGIC: std::ops::Range<usize> = 257..262;
const KIB: usize = 1 << 10;

/// Whether these bytes set out to be a tar archive.
pub(super) fn is_tar(bytes: &[u8]) -> bool {
    bytes.get(MAGIC).is_some_and(|magic| magic == b"ustar")
}

/// Reads an archive.
///
/// # Errors
/// Which rule it breaks, and which member.
pub(super) fn read(bytes: &[u8]) -> Result<Members, String> {
    if bytes.len() > LARGEST {
        return Err(format!("container: {} bytes, at most {LARGEST}", bytes.len()));
    }
    // It quotes what it could not read.
    let broken = |why: std::io::Error| {
        let why: String = why.to_string().escape_debug().take(100).collect();
        format!("container: damaged or cut off: {why}")
    };
    let mut members = Members::new();
    let mut archive = Archive::new(bytes);
    // Raw: headers that change the meaning of others are members here, of a kind that is not taken.
    for entry in archive.entries().map_err(broken)?.raw(true) {
        let mut entry = entry.map_err(broken)?;
        let path = entry.path_bytes().into_owned();
        let name = std::str::from_utf8(&path)
            .map_err(|_| format!("container: name {} is not UTF-8", path.escape_ascii()))?;
        let name = name.to_owned();
        let most = most(&name)?;
        let kind = entry.header().entry_type();
        if kind != EntryType::Regular {
            let kind = char::from(kind.as_byte()).escape_default();
            return Err(format!("container: `{name}` is no plain file (type {kind})"));
        }
        if members.contains_key(&name) {
            return Err(format!("container: `{name}` is there twice"));
        }
        if members.len() == MOST {
            return Err(format!("container: more than {MOST} members"));
        }
        let size = entry.size();
        if size > most as u64 {
            return Err(format!("container: `{name}` has {size} bytes, at most {most}"));
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(broken)?;
        if content.len() as u64 != size {
            return Err(format!("container: damaged or cut off in `{name}`"));
        }
        members.insert(name, content);
    }
    let again = write(&members)?;
    match again == bytes {
        true => Ok(members),
        false if again.starts_with(bytes) => Err("container: cut off at its end".into()),
        false => Err("container: not in its one form (docs/PLUGINS.md): members by name, header \
                      fields as given there, nothing after the end"
            .into()),
    }
}

/// Writes the one archive of these members.
///
/// # Errors
/// When it would be larger than a package may be.
pub(super) fn write(members: &Members) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for (name, content) in members {
        bytes.extend_from_slice(
            header(name, content.len()).map_err(|why| why.to_string())?.as_bytes(),
        );
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    if bytes.len() > LARGEST {
        return Err(format!("container: {} bytes, at most {LARGEST}", bytes.len()));
    }
    Ok(bytes)
}

/// Holds members against what the container takes.
///
/// # Errors
/// Which rule is broken.
pub(super) fn check(members: &Members) -> Result<(), String> {
    if members.len() > MOST {
        return Err(format!("container: more than {MOST} members"));
    }
    members.iter().try_for_each(|(name, content)| match (most(name)?, content.len()) {
        (most, size) if size > most => {
            Err(format!("container: `{name}` has {size} bytes, at most {most}"))
        }
        _ => Ok(()),
    })
}

/// The name of a case, without folder and ending.
pub(super) fn case(name: &str) -> Option<&str> {
    let case = name.strip_prefix("cases/")?.strip_suffix(".json")?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let good = (1..=LONGEST_CASE).contains(&case.len()) && case.bytes().all(plain);
    good.then_some(case)
}

/// Most bytes of a member.
fn most(name: &str) -> Result<usize, String> {
    if name.starts_with('/') {
        return Err(format!("container: `{name}` is an absolute path"));
    }
    if name.split(['/', '\\']).any(|part| part == "..") {
        return Err(format!("container: `{name}` leads out of the package"));
    }
    Ok(match name {
        "component.wasm" => LARGEST,
        "plugin.toml" | "config.schema.json" => 64 * KIB,
        "LICENSE" | "README.md" => 256 * KIB,
        "signature" => KIB,
        _ if case(name).is_some() => 256 * KIB,
        _ => return Err(format!("container: `{name}` is no member of a package")),
    })
}

/// As GNU tar writes it with `--format=ustar --mode=0644 --owner=:0 --group=:0 --numeric-owner --mtime=@0`.
fn header(name: &str, size: usize) -> std::io::Result<Header> {
    let mut header = Header::new_ustar();
    header.set_path(name)?;
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(size as u64);
    header.set_mtime(0);
    header.set_entry_type(EntryType::Regular);
    header.set_device_major(0)?;
    header.set_device_minor(0)?;
    header.set_cksum();
    let sum = header.cksum()?;
    // Six digits, NUL, space, as every tar writes it; the crate writes seven digits.
    header.as_mut_bytes()[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(header)
}
