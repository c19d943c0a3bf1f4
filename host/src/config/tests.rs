//! What an operator relies on: the documented defaults are the defaults, and every mistake is named at once.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use super::reader::Reader;
use super::{Config, Network, Problems};

const DOCUMENTED: &str = include_str!("../../../config/kefu.toml");

fn parse(text: &str, environment: &[(&str, &str)]) -> Result<Config, Problems> {
    let environment = environment.iter().map(|(k, v)| (OsString::from(*k), OsString::from(*v)));
    Config::parse("kefu.toml", text, environment)
}

#[test]
fn the_documented_file_is_the_defaults() {
    assert_eq!(parse(DOCUMENTED, &[]).unwrap(), parse("", &[]).unwrap());
}

/// Every key there is, with its default.
fn keys() -> Vec<(String, toml::Value)> {
    let mut reader = Reader::new("", "", std::iter::empty());
    let _ = Config::read(&mut reader);
    reader.asked().to_vec()
}

#[test]
fn the_documented_file_has_exactly_the_keys_there_are_each_with_its_default_and_a_reason() {
    let mut written = Vec::new();
    let (mut section, mut before) = ("", "");
    for line in DOCUMENTED.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if let Some((key, value)) = line.split_once(" = ").filter(|_| !line.starts_with('#'))
        {
            assert!(before.starts_with("# "), "{section}.{key} has no reason above it");
            let value = format!("v = {value}").parse::<toml::Table>().unwrap().remove("v").unwrap();
            written.push((format!("{section}.{key}"), value));
        }
        before = line;
    }
    let sorted = |mut keys: Vec<(String, toml::Value)>| {
        keys.sort_by(|a, b| a.0.cmp(&b.0));
        keys
    };
    assert_eq!(sorted(written), sorted(keys()));
}

/// Another value that is as good as this one.
fn another(path: &str, default: &toml::Value) -> String {
    match (path, default) {
        ("server.listen", _) => "127.0.0.1:9".into(),
        ("server.public_url", _) => "https://chat.example".into(),
        ("server.data_dir", _) => "2026".into(),
        ("storage.url", _) => "postgres://kefu:secret@db/kefu".into(),
        ("redis.url", _) => "redis://:secret@r1,redis://:secret@r2".into(),
        ("redis.prefix", _) => "other".into(),
        ("kafka.brokers", _) => "kafka1:9092,kafka2:9092".into(),
        ("kafka.topic", _) => "talks".into(),
        ("plugins.require", _) => "none".into(),
        ("telemetry.log", _) => "debug".into(),
        ("telemetry.log_format", _) => "json".into(),
        ("warmup.openings", _) => r#"["daily 09:00 UTC"]"#.into(),
        ("limits.file_types", _) => r#"["image/png"]"#.into(),
        (_, toml::Value::Array(_)) => r#"["10.0.0.0/8"]"#.into(),
        (_, toml::Value::Boolean(yes)) => (!yes).to_string(),
        (_, toml::Value::Integer(number)) => (number + 1).to_string(),
        (_, toml::Value::Float(number)) => (number + 1.0).to_string(),
        (_, toml::Value::String(duration)) => {
            let unit = duration.find(|c: char| c.is_ascii_alphabetic()).unwrap();
            let number: u64 = duration[..unit].parse().unwrap();
            format!("{}{}", number + 1, &duration[unit..])
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_key_can_be_set_by_environment_and_arrives() {
    for (path, default) in keys() {
        let below =
            [("KEFU__STORAGE__URL", "postgres://db/kefu"), ("KEFU__REDIS__URL", "redis://other")];
        // What a key needs to make sense.
        let below = match path.as_str() {
            "redis.url" => &below[..1],
            "kafka.brokers" => &below[..],
            _ => &[],
        };
        let usual = parse("", below).unwrap();
        let variable = format!("KEFU__{}", path.replace('.', "__").to_uppercase());
        let value = another(&path, &default);
        let set = [below, &[(variable.as_str(), value.as_str())]].concat();
        assert_ne!(parse(DOCUMENTED, &set).unwrap(), usual, "{variable}={value}");
    }
}

#[test]
fn a_tier_needs_the_one_before_it() {
    let found = parse("[redis]\nurl = \"redis://cache\"\n", &[]).unwrap_err();
    assert_eq!(found.0[0].key, "redis.url");
    let found = parse("[kafka]\nbrokers = \"kafka:9092\"\n", &[]).unwrap_err();
    assert_eq!(found.0[0].key, "kafka.brokers");
    assert!(parse("[kafka]\nbrokers = \"kafka\"\n", &[]).is_err(), "a port is needed");
}

#[test]
fn a_file_that_is_no_toml_does_not_hide_the_environment() {
    let wrong = [("KEFU__LIMITS__TEXT_BYTES", "abc"), ("KEFU__KAFKA__BROKERS", "kafka:9092")];
    let found = parse("[redis", &wrong).unwrap_err();
    let told: Vec<_> = found.0.iter().map(|p| p.key.as_str()).collect();
    // Nobody knows what the file says of Redis.
    assert_eq!(told, ["", "limits.text_bytes"]);
    assert!(found.0[0].expected.starts_with("TOML: "), "{}", found.0[0].expected);
}

#[test]
fn keys_that_make_no_sense_together_are_all_named() {
    let text = "[transport]\nheartbeat = \"50s\"\npoll_wait = \"45s\"\n\
                [limits]\ntext_bytes = 60000\n[stream]\nwaiting = 16\nwaiting_bytes = 65536\n\
                [plugins]\ninstance_memory_mb = 300\n";
    let found = parse(text, &[]).unwrap_err();
    let told: Vec<_> = found.0.iter().map(|p| p.key.as_str()).collect();
    let expected = [
        "transport.heartbeat",
        "transport.poll_wait",
        "transport.frame_bytes",
        "stream.waiting",
        "stream.waiting_bytes",
        "plugins.total_memory_mb",
    ];
    assert_eq!(told, expected);
    let heartbeat = &found.0[0].expected;
    let both = r#"found transport.heartbeat = "50s", transport.idle_timeout = "45s""#;
    assert!(heartbeat.ends_with(both), "{heartbeat}");
    let found = parse("[transport]\noutbox_bytes = 4096\n", &[]).unwrap_err();
    assert_eq!(found.0[0].key, "transport.outbox_bytes");
}

#[test]
fn an_opening_is_days_a_time_and_a_zone() {
    let opening = |text: &str| {
        let config = parse(&format!("[warmup]\nopenings = [\"{text}\"]\n"), &[])?;
        Ok::<_, Problems>(config.warmup.openings.into_iter().next().unwrap())
    };
    let shop = opening("mon-fri 09:05 Asia/Shanghai").unwrap();
    assert_eq!((shop.days, shop.at), ([true, true, true, true, true, false, false], (9, 5)));
    assert_eq!(shop.zone.iana_name(), Some("Asia/Shanghai"));
    // Over the end of the week, and single days.
    let days = opening("sat-mon,wed 23:59 UTC").unwrap().days;
    assert_eq!(days, [true, false, true, false, false, true, true]);
    assert_eq!(opening("daily 00:00 Europe/Berlin").unwrap().days, [true; 7]);
    for wrong in [
        "mon-fri 09:00 Asia/Shangai",
        "mon-fri 09:00",
        "mo-fr 09:00 UTC",
        "mon-fri 24:00 UTC",
        "mon-fri 9:00 UTC",
        "mon-fri 09:60 UTC",
        "mon-fri 09:00 UTC and more",
        "",
    ] {
        let told = opening(wrong).unwrap_err().to_string();
        assert!(told.contains("warmup.openings: expected") && told.contains(wrong), "{told}");
    }
}

#[test]
fn an_unknown_key_says_what_may_be_meant() {
    let text =
        "[transport]\nheartbeet = \"9s\"\ngrace = \"1s\"\nxyzzy = 1\n[sesions]\ngrace = \"1s\"\n";
    let told = parse(text, &[]).unwrap_err().to_string();
    for line in [
        "kefu.toml: transport.heartbeet: no such key (did you mean `transport.heartbeat`?)",
        "kefu.toml: transport.grace: no such key (did you mean `sessions.grace`?)",
        "kefu.toml: transport.xyzzy: no such key\n",
        "kefu.toml: sesions: no such section (did you mean `sessions`?)",
    ] {
        assert!(told.contains(line), "{line}\n{told}");
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
fn a_section_that_is_none_is_said_of_whoever_wrote_it() {
    let told = |text: &str, environment: &[(&str, &str)]| {
        let found = parse(text, environment).unwrap_err();
        let expected = "no such section (did you mean `limits`?)";
        assert!(found.0.iter().all(|p| p.key == "limts" && p.expected == expected), "{found}");
        found.0.into_iter().map(|problem| problem.place).collect::<Vec<_>>()
    };
    let variable = [("KEFU__LIMTS__TEXT_BYTES", "7")];
    assert_eq!(told("", &variable), ["KEFU__LIMTS__TEXT_BYTES"]);
    let more = [variable[0], ("KEFU__LIMTS__FIELD_BYTES", "7")];
    assert_eq!(told("", &more), ["KEFU__LIMTS__FIELD_BYTES", "KEFU__LIMTS__TEXT_BYTES"]);
    let file = "[limts]\nfield_bytes = 7\n";
    assert_eq!(told(file, &variable), ["kefu.toml", "KEFU__LIMTS__TEXT_BYTES"]);
    assert_eq!(told(file, &[]), ["kefu.toml"]);
}

#[test]
fn a_variable_that_is_not_text_is_named_and_a_stranger_is_not() {
    let broken = || OsString::from_vec(vec![b'7', 0xff]);
    let environment = [
        (OsString::from("KEFU__LIMITS__TEXT_BYTES"), broken()),
        (OsString::from("SOMEBODY_ELSES"), broken()),
        (OsString::from_vec(b"KEFU__LIMITS__\xff".to_vec()), OsString::from("7")),
    ];
    let found = Config::parse("kefu.toml", "", environment.into_iter()).unwrap_err();
    let told: Vec<_> = found.0.iter().map(|p| (p.key.as_str(), p.expected.as_str())).collect();
    let expected = [("limits.text_bytes", "text in UTF-8"), ("limits.\u{fffd}", "text in UTF-8")];
    assert_eq!(told, expected);
    assert_eq!(found.0[0].place, "KEFU__LIMITS__TEXT_BYTES");
}

#[test]
fn the_environment_wins_over_the_file() {
    let environment = [("KEFU__SERVER__LISTEN", "0.0.0.0:9"), ("KEFU__SESSIONS__GRACE", "2s")];
    let config = parse("[sessions]\ngrace = \"9s\"\n", &environment).unwrap();
    assert_eq!((config.server.listen.port(), config.sessions.grace_ms), (9, 2000));
}

#[test]
fn a_variable_with_an_underscore_too_few_is_named_and_others_are_left_alone() {
    for (stray, meant) in [
        ("KEFU_SERVER_LISTEN", "KEFU__SERVER__LISTEN"),
        ("KEFU_SERVER__LISTEN", "KEFU__SERVER__LISTEN"),
        ("KEFU_STORAGE_URI", "KEFU__STORAGE__URL"),
        ("KEFU_DATA_DIR", "KEFU__SERVER__DATA_DIR"),
    ] {
        let told = parse("", &[(stray, "1")]).unwrap_err().to_string();
        let line = format!("{stray}: no such variable (did you mean `{meant}`?)");
        assert!(told.ends_with(&line), "{told}");
    }
    // Read elsewhere, by the tests, or made by Kubernetes for services of these names.
    let mut others = vec!["KEFU_CONFIG".to_owned(), "KEFU_PROGRAM".into(), "KEFU_BIN".into()];
    others.extend(["POSTGRES", "REDIS", "KAFKA"].map(|name| format!("KEFU_TEST_{name}")));
    for service in ["", "SERVER_", "REDIS_", "KAFKA_", "STORAGE_", "STREAM_", "WEB_"] {
        for end in ["SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT", "PORT_8030_TCP"] {
            others.push(format!("KEFU_{service}{end}"));
        }
    }
    for other in &others {
        assert_eq!(parse("", &[(other, "1")]), parse("", &[]), "{other}");
    }
}

#[test]
fn a_password_is_never_shown() {
    for (url, shown) in [
        ("postgres://kefu:s3:cr@t@db:5432/kefu", "postgres://kefu:***@db:5432/kefu"),
        (
            "postgres://db/kefu?user=kefu&password=s3cret",
            "postgres://db/kefu?user=kefu&password=***",
        ),
        ("postgres://kefu@db/kefu?sslmode=require", "postgres://kefu@db/kefu?sslmode=require"),
    ] {
        let config = parse("", &[("KEFU__STORAGE__URL", url)]).unwrap();
        assert_eq!(config.storage.url.whole(), url);
        assert_eq!(config.storage.url.to_string(), shown);
        assert!(!format!("{config:?}").contains("s3"), "{config:?}");
        let environment = [(OsString::from("KEFU__STORAGE__URL"), OsString::from(url))];
        let mut reader = Reader::new("", "", environment.into_iter());
        let _ = Config::read(&mut reader);
        let printed = reader.asked().iter().find(|(key, _)| key == "storage.url").unwrap();
        assert_eq!(printed.1.as_str(), Some(shown));
    }
    let members = "redis://:s3cret@r1:6379,rediss://kefu:s3c@r2";
    let environment = [("KEFU__REDIS__URL", members), ("KEFU__STORAGE__URL", "postgres://db/kefu")];
    let config = parse("", &environment).unwrap();
    assert_eq!(config.redis.url.to_string(), "redis://:***@r1:6379,rediss://kefu:***@r2");
    for mistaken in ["mysql://kefu:s3cret@db/kefu", "kefu:s3cret@db"] {
        let told = parse("", &[("KEFU__STORAGE__URL", mistaken)]).unwrap_err().to_string();
        assert!(told.contains("KEFU__STORAGE__URL: storage.url: expected `postgres://"), "{told}");
        assert!(!told.contains("s3cret"), "{told}");
    }
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
