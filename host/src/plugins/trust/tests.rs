//! Who may serve under which rule; and revocation lists, as other programs make them and as nobody may.

use super::*;
use crate::plugins::keys::SecretKey;
use crate::plugins::package::Members;

const DIGEST: &str = "3aa0578f7902fa9dfa2c169c979e07c804b85ec3aabcddee7e45b95bf5bea239";

fn key(byte: u8) -> SecretKey {
    SecretKey::read(&format!("kefu-secret-key-v1\n{}\n", format!("{byte:02x}").repeat(32))).unwrap()
}

fn name(byte: u8) -> String {
    key(byte).public().to_string()
}

/// A package of this publisher, signed by this key, if any.
fn package(publisher: &str, signer: Option<u8>) -> Package {
    let about = format!(
        "format = 1\nid = \"p\"\nversion = \"1.0.0\"\npublisher = \"{publisher}\"\n\
         host.min = \"0.1.0\"\npoints.filter = \"1.0.0\"\n"
    );
    let members: Members = [
        ("LICENSE", "x"),
        ("README.md", "x"),
        ("component.wasm", "\0asm\x0d\0\x01\0"),
        ("config.schema.json", "{}"),
        ("plugin.toml", &about),
    ]
    .into_iter()
    .map(|(name, content)| (name.to_owned(), content.as_bytes().to_vec()))
    .collect();
    let package = Package::of(members).unwrap();
    match signer {
        Some(signer) => package.signed_by(&key(signer)).unwrap(),
        None => package,
    }
}

/// Keys 1 and 2 are acme's, 3 is zoo's.
fn trust(require: Require) -> Trust {
    let keys = [(1, "acme"), (2, "acme"), (3, "zoo")];
    let keys = keys.map(|(byte, publisher)| PublisherKey {
        key: name(byte),
        publisher: publisher.into(),
        added_at: 0,
        added_by: "admin".into(),
    });
    Trust { require, keys: keys.into(), revocations: Vec::new() }
}

fn list(publisher: &str, serial: u64, keys: &[u8], packages: &[&str], signer: u8) -> Revocations {
    let list = Revocations {
        publisher: publisher.into(),
        serial,
        keys: keys.iter().map(|byte| name(*byte)).collect(),
        packages: packages.iter().map(|digest| (*digest).to_owned()).collect(),
        signer: name(signer),
    };
    Revocations::read(&list.signed_by(&key(signer))).unwrap()
}

#[test]
fn each_rule_takes_what_it_says() {
    let packages = [
        None,
        Some(package("acme", None)),
        Some(package("acme", Some(9))),
        Some(package("acme", Some(3))),
        Some(package("acme", Some(2))),
    ];
    for (require, outcomes) in [
        (Require::None, ["", "", "", "", ""]),
        (Require::Signed, ["bare component", "is not signed", "", "", ""]),
        (
            Require::Trusted,
            ["bare component", "is not signed", "is not trusted here", "is trusted for zoo", ""],
        ),
    ] {
        for (package, words) in packages.iter().zip(outcomes) {
            let outcome = trust(require).examine(package.as_ref());
            let Err(refused) = outcome else {
                assert_eq!(words, "", "{require:?} {package:?}");
                continue;
            };
            let rule = format!("trust: plugins.require = \"{}\"", require.word());
            assert!(refused.starts_with(&rule), "{refused}");
            assert!(!words.is_empty() && refused.contains(words), "{refused}");
        }
    }
}

#[test]
fn what_is_revoked_serves_under_no_rule() {
    for require in [Require::None, Require::Signed, Require::Trusted] {
        let good = package("acme", Some(2));
        let mut trust = trust(require);
        trust.revocations.push(list("acme", 4, &[1], &[], 2));
        let refused = trust.examine(Some(&package("acme", Some(1)))).unwrap_err();
        let words = format!("trust: its key {} is revoked by revocation list 4 of acme", name(1));
        assert_eq!(refused, words);
        assert_eq!(trust.examine(Some(&good)), Ok(()));
        trust.revocations = vec![list("acme", 5, &[1], &[good.digest()], 2)];
        let refused = trust.examine(Some(&good)).unwrap_err();
        assert!(refused.contains("is revoked by revocation list 5 of acme"), "{refused}");
        let again = package("acme", Some(1)).digest().to_owned();
        assert_eq!(again, good.digest(), "whoever signs it");
    }
}

#[test]
fn a_list_is_about_its_own_publisher() {
    let mut trust = trust(Require::Trusted);
    let theirs = package("zoo", Some(3));
    // As if they had come before key 3 was trusted for zoo.
    trust.revocations.push(list("acme", 1, &[3], &[theirs.digest()], 1));
    assert_eq!(trust.examine(Some(&theirs)), Ok(()));
    let named = trust.may_revoke(&list("acme", 2, &[3], &[theirs.digest()], 1)).unwrap_err();
    assert!(named.contains("is zoo's, not acme's"), "{named}");
    // A key that nobody is trusted with stays revoked, whatever its holder calls himself.
    trust.require = Require::Signed;
    trust.revocations = vec![list("acme", 1, &[9], &[], 1)];
    assert!(trust.examine(Some(&package("other", Some(9)))).unwrap_err().contains("is revoked"));
}

#[test]
fn who_may_revoke_and_with_which_serial() {
    let mut trust = trust(Require::Trusted);
    let first = list("acme", 4, &[1], &[DIGEST], 2);
    assert_eq!(trust.may_revoke(&first), Ok(()));
    trust.revocations.push(first);
    for (list, words) in [
        (list("acme", 4, &[1], &[DIGEST], 2), "serial 4 is not above 4"),
        (list("acme", 3, &[1], &[DIGEST], 2), "serial 3 is not above 4"),
        (list("acme", 5, &[], &[DIGEST], 2), "this takes it back"),
        (list("acme", 5, &[1], &[], 2), "this takes it back"),
        (list("acme", 5, &[1], &[DIGEST], 1), "is revoked by revocation list 4 of acme"),
        (list("acme", 5, &[1], &[DIGEST], 3), "is not trusted for acme here"),
        (list("acme", 5, &[1], &[DIGEST], 9), "is not trusted for acme here"),
        (list("none", 5, &[], &[], 9), "is not trusted for none here"),
    ] {
        let refused = trust.may_revoke(&list).unwrap_err();
        assert!(refused.starts_with("revocations: ") && refused.contains(words), "{refused}");
    }
    // A key may also revoke itself: it is the last thing it does.
    assert_eq!(trust.may_revoke(&list("acme", 5, &[1, 2], &[DIGEST], 2)), Ok(()));
}

#[test]
fn a_list_is_what_other_programs_make_and_nothing_else() {
    let made = list("acme", 3, &[], &[DIGEST], 7).signed_by(&key(7));
    // printf, sha256sum and `openssl pkeyutl -sign -rawin`.
    let theirs = format!(
        "kefu-revocations-v1\npublisher acme\nserial 3\npackage {DIGEST}\nsigned {} \
         bd7446d9f186f187b1238be3fec1760531f1bb7507e6f747f8511ab1281b1ff889c6d81431604cd04dcc32ca1f\
         4635ac87a8a9df45e469515ff22abd9959f80b\n",
        name(7)
    );
    assert_eq!(made, theirs);
    for at in 0..theirs.len() {
        let mut changed = theirs.clone().into_bytes();
        changed[at] ^= 1;
        let changed = String::from_utf8(changed).unwrap();
        let refused = Revocations::read(&changed);
        assert!(refused.is_err(), "byte {at}: {changed}");
    }
    for (old, new, words) in [
        ("kefu-revocations-v1", "kefu-revocations-v2", "its first line must be"),
        ("publisher acme\n", "", "there is no line `publisher`"),
        ("acme", "ACME", "publisher: `ACME`"),
        ("serial 3", "serial 0", "serial: `0`: 1 to"),
        ("serial 3", "serial 9223372036854775808", "serial: `9223372036854775808`: 1 to"),
        ("serial 3", "serial 03", "not in their one order"),
        ("package 3aa", "package 3AA", "neither `key KEY` nor `package DIGEST`"),
        ("package", "plugin", "neither `key KEY` nor `package DIGEST`"),
        ("serial 3\n", "serial 3\nkey ed25519:00\n", "is no key"),
        ("serial 3", "serial 4", "did not sign this list"),
        ("\nsigned", "\nsigned by", "is no key"),
        ("\nsigned", "\nsealed", "its last line must be"),
        (theirs.as_str(), "", "its last line must be"),
    ] {
        let refused = Revocations::read(&theirs.replacen(old, new, 1)).unwrap_err();
        assert!(refused.starts_with("revocations: ") && refused.contains(words), "{refused}");
    }
    let twice = format!("package {DIGEST}\npackage {DIGEST}\n");
    let twice = theirs.replacen(&format!("package {DIGEST}\n"), &twice, 1);
    assert!(Revocations::read(&twice).unwrap_err().contains("not in their one order"));
    let long = "x".repeat(LARGEST_LIST + 1);
    assert!(Revocations::read(&long).unwrap_err().contains("at most"));
}
