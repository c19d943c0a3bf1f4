//! What an operator relies on: the documented defaults are the defaults, and every mistake is named at once.

use super::reader::Reader;
use super::{Config, Network, Problems};

const DOCUMENTED: &str = include_str!("../../../config/kefu.toml");

fn parse(text: &str, environment: &[(&str, &str)]) -> Result<Config, Problems> {
    let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    Config::parse("kefu.toml", text, environment)
}

#[test]
fn the_documented_file_is_the_defaults() {
    assert_eq!(parse(DOCUMENTED, &[]).unwrap(), parse("", &[]).unwrap());
}

#[test]
fn the_documented_file_has_every_key_with_its_default_and_a_reason() {
    let mut reader = Reader::new("", "", std::iter::empty()).unwrap();
    let _ = Config::read(&mut reader);
    let table: toml::Table = DOCUMENTED.parse().unwrap();
    for (path, default) in reader.asked() {
        let (section, key) = path.split_once('.').unwrap();
        let written = table.get(section).and_then(|section| section.get(key));
        assert_eq!(written, Some(default), "{path}");
        let line = DOCUMENTED.lines().position(|line| line.starts_with(&format!("{key} = ")));
        let before = DOCUMENTED.lines().nth(line.unwrap() - 1).unwrap();
        assert!(before.starts_with("# "), "{path} has no reason above it");
    }
}

#[test]
fn all_problems_are_reported_at_once_with_place_key_and_expectation() {
    let text =
        "[server]\nlisten = \"nowhere\"\nlisen = 1\n[transport]\nheartbeat = \"soon\"\n[extra]\n";
    let found = parse(text, &[("KEFU__LIMITS__TEXT_BYTES", "7")]).unwrap_err();
    let told: Vec<_> = found.0.iter().map(|p| (p.place.as_str(), p.key.as_str())).collect();
    let expected = [
        ("kefu.toml", "server.listen"),
        ("kefu.toml", "server.lisen"),
        ("kefu.toml", "transport.heartbeat"),
        ("KEFU__LIMITS__TEXT_BYTES", "limits.text_bytes"),
        ("kefu.toml", "extra"),
    ];
    assert_eq!(told, expected);
    assert!(found.to_string().contains("expected a whole number from 64 to 60000; found 7"));
}

#[test]
fn the_environment_wins_over_the_file() {
    let environment = [("KEFU__SERVER__LISTEN", "0.0.0.0:9"), ("KEFU__SESSIONS__GRACE", "2s")];
    let config = parse("[sessions]\ngrace = \"9s\"\n", &environment).unwrap();
    assert_eq!((config.server.listen.port(), config.sessions.grace_ms), (9, 2000));
}

#[test]
fn a_network_contains_its_addresses_only() {
    let contains = |net: &str, ip: &str| Network::parse(net).unwrap().contains(ip.parse().unwrap());
    assert!(contains("10.0.0.0/8", "10.255.1.2"));
    assert!(contains("10.0.0.1", "::ffff:10.0.0.1"));
    assert!(contains("0.0.0.0/0", "8.8.8.8"));
    assert!(!contains("10.0.0.0/8", "11.0.0.1"));
    assert!(!contains("::1", "127.0.0.1"));
    assert!(Network::parse("10.0.0.0/33").is_none());
}
