//! Packages by themselves: the one form, the digest and the signature as other programs make them, and everything that
//! is not taken, each with the rule that forbids it.

use tar::{EntryType, Header};

use super::*;

/// An empty component.
const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";
const CASE: &str = r#"{"input":{"now":1,"seed":2,"site":"3","from_visitor":true,"text":"hi","attrs":[]},"expect":{"outcome":"answered"}}"#;
const ABOUT: &str = "format = 1\nid = \"first-come\"\nversion = \"1.2.3\"\npublisher = \"acme\"\n\n\
    [host]\nmin = \"0.1.0\"\n\n[points]\nfilter = \"1.0.0\"\n\n\
    [scopes]\ntext = \"looks for greetings\"\n";

fn members() -> Members {
    [
        ("LICENSE", &b"Do as you like.\n"[..]),
        ("README.md", b"# First come\n"),
        ("cases/hi.json", CASE.as_bytes()),
        ("component.wasm", EMPTY),
        ("config.schema.json", b"{}"),
        ("plugin.toml", ABOUT.as_bytes()),
    ]
    .into_iter()
    .map(|(name, content)| (name.to_owned(), content.to_vec()))
    .collect()
}

fn key(byte: u8) -> SecretKey {
    SecretKey::read(&format!("kefu-secret-key-v1\n{}\n", format!("{byte:02x}").repeat(32))).unwrap()
}

fn signed() -> Package {
    Package::of(members()).unwrap().signed_by(&key(7)).unwrap()
}

fn refused(bytes: &[u8]) -> String {
    Package::read(bytes).unwrap_err()
}

/// A member as any tar may hold it.
fn entry(name: &[u8], kind: EntryType, size: usize, content: &[u8]) -> Vec<u8> {
    let mut header = Header::new_ustar();
    header.as_ustar_mut().unwrap().name[..name.len()].copy_from_slice(name);
    header.set_mode(0o644);
    header.set_size(size as u64);
    header.set_entry_type(kind);
    header.set_cksum();
    let mut bytes = [header.as_bytes(), content].concat();
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

#[test]
fn there_is_one_file_and_one_digest_for_one_content() {
    let package = Package::of(members()).unwrap();
    let bytes = package.bytes().unwrap();
    // GNU tar and sha256sum, as docs/PLUGINS.md says.
    let theirs = "cc7135caaa88e16f2abf7b14db39274038b559224226abf519777dd845631551";
    assert_eq!(sha256(&bytes), theirs);
    let theirs = "3aa0578f7902fa9dfa2c169c979e07c804b85ec3aabcddee7e45b95bf5bea239";
    assert_eq!(package.digest(), theirs);
    let again = Package::read(&bytes).unwrap();
    assert_eq!(again.bytes().unwrap(), bytes);
    assert_eq!((again.digest(), again.signer()), (theirs, None));
    let rejoined = Package::rejoined(&again.rest().unwrap(), EMPTY).unwrap();
    assert_eq!(rejoined.bytes().unwrap(), bytes);
}

#[test]
fn a_signature_is_what_other_programs_make() {
    let package = signed();
    let signature = &package.members["signature"];
    // `openssl pkeyutl -sign -rawin`.
    let theirs = "kefu-signature-v1\n\
        ed25519:ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c\n\
        883a0d17e095be946e3422d4424688d37c17ac32f9c639b9ffc59b9eb2352405b460484695db65215da7ee41\
        300faf13ae1f99365878c1cabcb562ecce51c80c\n";
    assert_eq!(std::str::from_utf8(signature).unwrap(), theirs);
    let read = Package::read(&package.bytes().unwrap()).unwrap();
    assert_eq!(read.signer(), Some(&key(7).public()));
    assert_eq!(read.digest(), Package::of(members()).unwrap().digest(), "it is not in the digest");
    let other = read.signed_by(&key(8)).unwrap();
    assert_eq!(other.signer(), Some(&key(8).public()), "who signs last has signed");
}

#[test]
fn a_changed_byte_in_any_member_is_seen() {
    let package = signed();
    for (name, content) in &package.members {
        for at in [0, content.len() / 2, content.len() - 1] {
            let mut members = package.members.clone();
            members.get_mut(name).unwrap()[at] ^= 1;
            let refused = refused(&container::write(&members).unwrap());
            assert!(refused.starts_with("signature: "), "{name}[{at}]: {refused}");
        }
        let mut members = package.members.clone();
        members.remove(name);
        let without = Package::of(members);
        match name.as_str() {
            "signature" => assert_eq!(without.unwrap().signer(), None),
            _ => assert!(without.is_err(), "without {name}"),
        }
    }
}

#[test]
fn a_changed_byte_anywhere_in_the_file_is_seen() {
    let bytes = signed().bytes().unwrap();
    for at in (0..bytes.len()).step_by(7) {
        let mut changed = bytes.clone();
        changed[at] ^= 0x20;
        let refused = refused(&changed);
        let rules = ["container: ", "signature: "];
        assert!(rules.iter().any(|rule| refused.starts_with(rule)), "byte {at}: {refused}");
    }
}

#[test]
fn a_signature_counts_for_its_content_and_purpose_only() {
    let package = signed();
    let forged = |text: String| {
        let mut members = package.members.clone();
        members.insert(SIGNATURE.into(), text.into());
        Package::of(members).unwrap_err()
    };
    let other = key(7).sign(PURPOSE, &"0".repeat(64));
    let purpose = key(7).sign("kefu-revocations-signature-v1", package.digest());
    let good = key(7).sign(PURPOSE, package.digest());
    let (own, foreign) = (key(7).public(), key(8).public());
    for (text, words) in [
        (format!("{OPENING}{own}\n{other}\n"), "did not sign this content"),
        (format!("{OPENING}{own}\n{purpose}\n"), "did not sign this content"),
        (format!("{OPENING}{foreign}\n{good}\n"), "did not sign this content"),
        (format!("{OPENING}{own}\n{good}"), "three lines"),
        (format!("{OPENING}{own}\n{good}\n\n"), "did not sign this content"),
        (format!("{OPENING}{own}\n{}\n", good.to_uppercase()), "did not sign this content"),
        (format!("{own}\n{good}\n"), "three lines"),
        (format!("{OPENING}ed25519:{}\n{good}\n", "0".repeat(64)), "is no key"),
        (String::new(), "three lines"),
    ] {
        let refused = forged(text);
        assert!(refused.starts_with("signature: ") && refused.contains(words), "{refused}");
    }
}

#[test]
fn a_key_that_signs_for_everybody_is_none() {
    // The neutral point, and one of order eight.
    for digits in [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ] {
        let refused = format!("ed25519:{digits}").parse::<PublicKey>().unwrap_err();
        assert!(refused.contains("is no key"), "{refused}");
    }
    assert!("ed25519:EA4A".parse::<PublicKey>().is_err());
}

#[test]
fn only_known_members_are_taken() {
    let end = vec![0; 1024];
    for (name, kind, words) in [
        (&b"/etc/passwd"[..], EntryType::Regular, "`/etc/passwd` is an absolute path"),
        (b"../plugin.toml", EntryType::Regular, "`../plugin.toml` leads out of the package"),
        (b"cases/../../x.json", EntryType::Regular, "leads out of the package"),
        (b"cases\\..\\x.json", EntryType::Regular, "leads out of the package"),
        (b"./plugin.toml", EntryType::Regular, "`./plugin.toml` is no member of a package"),
        (b"setup.sh", EntryType::Regular, "`setup.sh` is no member of a package"),
        (b"cases/UPPER.json", EntryType::Regular, "is no member of a package"),
        (b"cases/.json", EntryType::Regular, "is no member of a package"),
        (b"cases/a/b.json", EntryType::Regular, "is no member of a package"),
        (b"cases/", EntryType::Directory, "is no member of a package"),
        (b"plugin\xff.toml", EntryType::Regular, "name plugin\\xff.toml is not UTF-8"),
        (b"plugin.toml", EntryType::Symlink, "`plugin.toml` is no plain file (type 2)"),
        (b"plugin.toml", EntryType::Link, "no plain file (type 1)"),
        (b"plugin.toml", EntryType::Directory, "no plain file (type 5)"),
        (b"plugin.toml", EntryType::Char, "no plain file (type 3)"),
        (b"plugin.toml", EntryType::GNUSparse, "no plain file (type S)"),
        (b"plugin.toml", EntryType::GNULongName, "no plain file (type L)"),
        (b"plugin.toml", EntryType::XHeader, "no plain file (type x)"),
        (b"plugin.toml", EntryType::XGlobalHeader, "no plain file (type g)"),
    ] {
        let refused = refused(&[entry(name, kind, 2, b"{}"), end.clone()].concat());
        assert!(refused.starts_with("container: ") && refused.contains(words), "{refused}");
    }
}

#[test]
fn a_name_in_two_parts_is_one_name() {
    for (folder, words) in [
        (&b".."[..], "`../LICENSE` leads out of the package"),
        (b"/etc", "`/etc/LICENSE` is an absolute path"),
        (b"cases", "`cases/LICENSE` is no member of a package"),
    ] {
        let mut header =
            Header::from_byte_slice(&entry(b"LICENSE", EntryType::Regular, 1, b"")).clone();
        header.as_ustar_mut().unwrap().prefix[..folder.len()].copy_from_slice(folder);
        header.set_cksum();
        let refused = refused(&[&header.as_bytes()[..], &[b'x'; 512], &[0; 1024]].concat());
        assert!(refused.starts_with("container: ") && refused.contains(words), "{refused}");
    }
}

#[test]
fn a_container_is_bounded_and_in_one_form() {
    let end = vec![0; 1024];
    let plain = |name: &str, size, content: &[u8]| {
        entry(name.as_bytes(), EntryType::Regular, size, content)
    };
    let twice = [plain("LICENSE", 1, b"a"), plain("LICENSE", 1, b"b"), end.clone()].concat();
    assert!(refused(&twice).contains("`LICENSE` is there twice"));
    let many = (0..72).flat_map(|n| plain(&format!("cases/{n}.json"), 2, b"{}"));
    assert!(refused(&many.chain(end.clone()).collect::<Vec<_>>()).contains("more than 71 members"));
    for (name, most) in [
        ("plugin.toml", 65_536),
        ("config.schema.json", 65_536),
        ("LICENSE", 262_144),
        ("README.md", 262_144),
        ("cases/a.json", 262_144),
        ("signature", 1_024),
        ("component.wasm", LARGEST),
    ] {
        let words = format!("`{name}` has {} bytes, at most {most}", most + 1);
        // It says so before it has read them: there are none.
        assert!(refused(&plain(name, most + 1, b"")).contains(&words), "{name}");
    }
    assert!(refused(&vec![0; LARGEST + 1]).contains("33554433 bytes, at most 33554432"));
    assert!(refused(&plain("LICENSE", 200_000, b"short")).contains("cut off in `LICENSE`"));
    let bytes = signed().bytes().unwrap();
    for length in (0..bytes.len()).step_by(64) {
        let refused = refused(&bytes[..length]);
        assert!(refused.contains("cut off"), "{length}: {refused}");
    }
    let one_form = "not in its one form";
    assert!(refused(&[&bytes[..], b"#!/bin/sh\n"].concat()).contains(one_form));
    assert!(refused(&[&bytes[..], &end].concat()).contains(one_form));
    let swapped = [plain("README.md", 1, b"a"), plain("LICENSE", 1, b"a"), end].concat();
    assert!(refused(&swapped).contains(one_form));
    let too_many = (0..72).map(|n| (format!("cases/{n}.json"), b"{}".to_vec()));
    assert!(Package::of(too_many.collect()).unwrap_err().contains("more than 71 members"));
}

#[test]
fn a_manifest_says_which_key_is_wrong() {
    for (old, new, words) in [
        ("format = 1", "format = 2", "format: 2 is unknown"),
        ("format = 1\n", "", "missing field `format`"),
        ("id = \"first-come\"", "id = \"First come\"", "id: `First come`: 1 to 64 of a-z"),
        ("\"1.2.3\"", "\"1.2\"", "version: `1.2` is no version as 1.2.3"),
        ("\"acme\"", "\"\"", "publisher: ``"),
        ("min = \"0.1.0\"", "min = \"x\"", "host.min: `x`"),
        ("min = \"0.1.0\"", "min = \"0.1.0\"\nmax = \"1\"", "host.max: `1`"),
        ("filter = \"1.0.0\"", "filter = \"1\"", "points.filter: `1`"),
        ("filter = \"1.0.0\"", "", "a plugin serves one point, this says 0"),
        ("filter = \"1.0.0\"", "filter = \"1.0.0\"\nrouting = \"1.0.0\"", "this says 2"),
        ("filter = \"1.0.0\"", "colour = \"1.0.0\"", "unknown variant `colour`"),
        ("text = \"looks for greetings\"", "text = \"\"", "scopes.text: a reason of 1 to 200"),
        ("text = ", "transcript = ", "scopes.transcript: filter has no such part"),
        ("[scopes]", "[budgets]\nfuel = -1\n[scopes]", "invalid value"),
        ("[scopes]", "[budgets]\ncpu = 1\n[scopes]", "unknown field `cpu`"),
        ("[scopes]", "[secrets]\n[scopes]", "unknown field `secrets`"),
        ("format", "\u{feff}= format", "TOML parse error"),
    ] {
        let mut members = members();
        assert!(ABOUT.contains(old), "{old}");
        members.insert(MANIFEST.into(), ABOUT.replacen(old, new, 1).into());
        let refused = Package::of(members).unwrap_err();
        assert!(refused.starts_with("manifest: ") && refused.contains(words), "{refused}");
    }
}

#[test]
fn a_host_out_of_range_is_refused() {
    let mut manifest = Package::of(members()).unwrap().manifest;
    let host = |text: &str| Version::parse(text).unwrap();
    manifest.hosts = (host("0.2.0"), Some(host("1.4.0")));
    assert!(manifest.suits(&host("0.1.9")).unwrap_err().contains("host.min is 0.2.0, this is"));
    assert!(manifest.suits(&host("1.4.1")).unwrap_err().contains("host.max is 1.4.0, this is"));
    for good in ["0.2.0", "1.0.0", "1.4.0"] {
        assert_eq!(manifest.suits(&host(good)), Ok(()));
    }
}

#[test]
fn cases_schema_and_texts_are_looked_at() {
    let answered = r#""expect":{"outcome":"answered"}"#;
    let routing = r#"{"input":{"now":1,"seed":1,"conversation":"1","site":"1","team":"1",
        "waited_ms":0,"priority":0,"needs":[[0,1,true]],"levels":[],"attrs":[],"candidates":
        [{"agent":"1","active":0,"capacity":1,"quality":1,"idle_ms":0,"returning":false}]},
        "expect":{"outcome":"answered"}}"#;
    for (name, content, words) in [
        ("cases/hi.json", "{".to_owned(), "case hi: EOF"),
        ("cases/hi.json", CASE.replace("answered", "fault"), "answered, no_opinion or error"),
        ("cases/hi.json", CASE.replace("\"seed\":2,", ""), "case hi: input: missing field `seed`"),
        ("cases/hi.json", CASE.replace(answered, "\"expects\":1"), "unknown field `expects`"),
        ("config.schema.json", "[".into(), "schema: its config schema is not JSON"),
        ("config.schema.json", r#"{"type":"colour"}"#.into(), "schema: its config schema is wrong"),
        (
            "plugin.toml",
            ABOUT.replace("filter", "routing").replace("text", "attrs"),
            "case hi: input",
        ),
    ] {
        let mut members = members();
        members.insert(name.into(), content.into());
        let refused = Package::of(members).unwrap_err();
        assert!(refused.contains(words), "{refused}");
    }
    let mut ranked = members();
    let about = ABOUT.replace("filter", "routing").replace("text", "attrs");
    ranked.insert(MANIFEST.into(), about.into());
    ranked.insert("cases/hi.json".into(), routing.into());
    let refused = Package::of(ranked).unwrap_err();
    assert!(refused.contains("levels: 0, and candidates x needs are 1"), "{refused}");
    for name in ["LICENSE", "README.md"] {
        let mut members = members();
        members.insert(name.into(), b"\xff".to_vec());
        assert!(Package::of(members).unwrap_err().contains(&format!("{name} is not UTF-8")));
    }
}

/// A component in a component in a component …
fn nested(deep: usize) -> Vec<u8> {
    (0..deep).fold(EMPTY.to_vec(), |inner, _| {
        let mut size = inner.len();
        let mut outer = [EMPTY, &[4]].concat();
        while size >= 0x80 {
            outer.push(size as u8 | 0x80);
            size >>= 7;
        }
        outer.push(size as u8);
        [outer, inner].concat()
    })
}

#[test]
fn what_is_nested_without_end_breaks_no_reader() {
    let deep = |times: usize| format!("{}{}", "[".repeat(times), "]".repeat(times));
    let tables = format!("{ABOUT}[budgets]\nfuel = {}\n", deep(20_000));
    let case = CASE.replace("\"hi\"", &deep(100_000));
    let schema = format!("{{\"enum\":{}}}", deep(30_000));
    let round = r##"{"$ref":"#"}"##;
    for (name, content, words) in [
        (MANIFEST, tables, "manifest: TOML parse error"),
        ("cases/hi.json", case, "case hi: recursion limit exceeded"),
        (SCHEMA, schema, "schema: its config schema is not JSON: recursion limit exceeded"),
        (SCHEMA, round.into(), "schema: its config schema is too large, or refers to itself"),
    ] {
        let mut members = members();
        members.insert(name.into(), content.into());
        let refused = Package::of(members).unwrap_err();
        assert!(refused.starts_with(words), "{refused}");
    }
    let mut members = members();
    members.insert(COMPONENT.into(), nested(4_000));
    let refused = Package::of(members).and_then(|package| package.fits()).unwrap_err();
    assert!(refused.starts_with("contract: component.wasm: "), "{refused}");
}
