//! Visitors for whom a site's own server vouches: the same person everywhere, and nobody else.

use std::process::Command;

use kefu_tests::client::{Carrier, Client, Options};
use kefu_tests::http::{Answer, Ask};
use kefu_tests::server::{ORIGIN, SITE, Server, Setup};
use serde_json::{Value, json};

async fn secret(server: &Server) -> anyhow::Result<(String, String)> {
    let token = server.agent_token("admin").await?;
    let sites = server.asks(Ask::get("/v1/sites").bearer(&token)).await?.ok()?;
    let id = sites.json["sites"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/sites/{id}/identity-secret");
    let answer = server.asks(Ask::get(&path).bearer(&token)).await?.ok()?;
    Ok((answer.json["secret"].as_str().unwrap().to_owned(), path))
}

/// What a site's own server does, with its own means.
fn signed(secret: &str, id: &str, name: &str, email: &str) -> Value {
    let script = "printf '%s\n%s\n%s' \"$1\" \"$2\" \"$3\" | openssl dgst -sha256 -hmac \"$0\" -r";
    let made = Command::new("sh").args(["-c", script, secret, id, name, email]).output().unwrap();
    let text = String::from_utf8(made.stdout).unwrap();
    let signature = text.split_whitespace().next().expect("openssl signs");
    json!({ "id": id, "name": name, "email": email, "signature": signature })
}

async fn comes(server: &Server, identity: Option<Value>, token: &str) -> anyhow::Result<Answer> {
    let mut body = json!({ "site": SITE });
    if let Some(identity) = identity {
        body["identity"] = identity;
    }
    if !token.is_empty() {
        body["token"] = token.into();
    }
    server.asks(Ask::post("/v1/visitors", body).header("origin", ORIGIN)).await
}

fn text(answer: &Answer, field: &str) -> String {
    answer.json[field].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_signed_visitor_is_the_same_person_on_every_device() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let (secret, _) = secret(&server).await?;
    let li = || Some(signed(&secret, "u-17", "李雷", "li@shop.example"));
    let phone = comes(&server, li(), "").await?.ok()?;
    let desk = comes(&server, li(), "").await?.ok()?;
    assert_eq!(text(&phone, "visitor"), text(&desk, "visitor"));
    let other = comes(&server, Some(signed(&secret, "u-18", "", "")), "").await?.ok()?;
    assert_ne!(text(&phone, "visitor"), text(&other, "visitor"));

    let anonymous = comes(&server, None, "").await?.ok()?;
    let token = text(&anonymous, "token");
    let known = comes(&server, Some(signed(&secret, "u-19", "", "")), &token).await?.ok()?;
    assert_eq!(text(&anonymous, "visitor"), text(&known, "visitor"), "an anonymous one stays");
    let switched = comes(&server, li(), &text(&known, "token")).await?.ok()?;
    assert_eq!(text(&phone, "visitor"), text(&switched, "visitor"), "not two people in one");
    Ok(())
}

#[tokio::test]
async fn what_was_not_signed_does_not_count() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let (secret, path) = secret(&server).await?;
    let good = signed(&secret, "u-17", "Li", "li@shop.example");
    let with = |field: &str, value: &str| {
        let mut forged = good.clone();
        forged[field] = value.into();
        forged
    };
    for forged in [
        signed("kis_of-another-site", "u-17", "Li", "li@shop.example"),
        with("id", "u-1"),
        with("name", "The boss"),
        with("name", ""),
        with("email", "eve@evil.example"),
        with("signature", ""),
        with("signature", "00"),
    ] {
        let answer = comes(&server, Some(forged.clone()), "").await?;
        assert_eq!((answer.status, answer.code()), (403, "forbidden"), "{forged}");
        assert!(answer.text.contains("signature"), "{}", answer.text);
    }
    let answer = comes(&server, Some(with("name", "a\nb")), "").await?;
    assert_eq!((answer.status, answer.code()), (400, "invalid"));

    let admin = server.agent_token("admin").await?;
    let rotated = server.asks(Ask::post(&path, json!({})).bearer(&admin)).await?.ok()?;
    assert_ne!(rotated.json["secret"], secret);
    assert_eq!(comes(&server, Some(good), "").await?.status, 403, "the old secret is over");
    let agent = server.agent_token("agent1").await?;
    assert_eq!(server.asks(Ask::get(&path).bearer(&agent)).await?.status, 403);
    assert_eq!(server.asks(Ask::get(&path)).await?.status, 401);
    let config = server.asks(Ask::get(&format!("/v1/sites/{SITE}/widget"))).await?.ok()?;
    let sites = server.asks(Ask::get("/v1/sites").bearer(&agent)).await?.ok()?;
    for told in [config.text, sites.text] {
        assert!(!told.contains("kis_"), "{told}");
    }
    Ok(())
}

#[tokio::test]
async fn the_agent_sees_who_is_vouched_for_whatever_the_form_says() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let agent = server.agent("agent1", Carrier::WebSocket).await?;
    let (secret, _) = secret(&server).await?;
    let li = signed(&secret, "u-17", "李雷", "li@shop.example");
    let nameless = signed(&secret, "u-18", "", "li@shop.example");
    // An anonymous visitor that called itself the boss, and was then vouched for without a name.
    let early = text(&comes(&server, None, "").await?.ok()?, "token");
    for (identity, early, name, verified) in [
        (Some(li), "", Some("李雷"), true),
        (None, &*early, Some("The boss"), false),
        (Some(nameless), &*early, None, true),
    ] {
        let token = text(&comes(&server, identity, early).await?.ok()?, "token");
        let options = Options::new(server.address, &token, Carrier::LongPoll);
        let visitor = Client::connect(options).await?;
        let fields = json!({ "name": "The boss" });
        let open = visitor.drafts(json!({ "type": "open", "fields": fields, "text": "hi" }));
        let id = visitor.acked(&open).await?.conversation;
        agent.sees(&id, "message").await?;
        let path = format!("/v1/conversations/{id}");
        let token = server.agent_token("agent1").await?;
        let seen = server.asks(Ask::get(&path).bearer(&token)).await?.ok()?;
        let row = &seen.json["conversation"];
        assert_eq!((&row["visitor_name"], &row["verified"]), (&json!(name), &json!(verified)));
        let told =
            agent.is_told("conversation", |frame| frame["conversation"]["id"] == *id).await?;
        assert_eq!(told["conversation"]["verified"], verified);
        let email = if verified { json!("li@shop.example") } else { Value::Null };
        assert_eq!(row["fields"]["email"], email);
        assert_eq!(row["fields"]["name"], "The boss", "the answer in the form stays");
    }
    Ok(())
}

#[tokio::test]
async fn a_site_may_talk_only_to_those_it_vouches_for() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let early = server.visitor(Carrier::WebSocket).await?;
    let (secret, path) = secret(&server).await?;
    let site = path.trim_end_matches("/identity-secret");
    let admin = server.agent_token("admin").await?;
    let body = json!({ "widget": { "identity_required": true } });
    let patch = Ask { method: "PATCH", ..Ask::post(site, body) };
    server.asks(patch.bearer(&admin)).await?.ok()?;
    let config = server.asks(Ask::get(&format!("/v1/sites/{SITE}/widget"))).await?.ok()?;
    assert_eq!(config.json["identity_required"], true);
    let answer = comes(&server, None, "").await?;
    assert_eq!((answer.status, answer.code()), (403, "forbidden"));
    let open = early.drafts(json!({ "type": "open", "fields": {}, "text": "hi" }));
    assert_eq!(early.refused(&open).await?, "forbidden");
    comes(&server, Some(signed(&secret, "u-17", "", "")), "").await?.ok()?;
    Ok(())
}
