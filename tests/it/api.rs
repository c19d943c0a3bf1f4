//! The API as a new integrator meets it: what is wrong is said so that it can be put right.

use kefu_tests::http::{Answer, Ask};
use kefu_tests::server::{ORIGIN, SITE, Server, Setup};
use serde_json::json;

fn message(answer: &Answer) -> String {
    answer.json["error"]["message"].as_str().unwrap_or_default().to_owned()
}

fn says(answer: &Answer, status: u16, words: &[&str]) {
    assert_eq!(answer.status, status, "{}", answer.text);
    let message = message(answer);
    assert!(words.iter().all(|word| message.contains(word)), "{message:?} lacks one of {words:?}");
}

#[tokio::test]
async fn a_mistake_is_named_with_its_place() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let admin = server.agent_token("admin").await?;
    let raw = |body: &'static str| {
        let ask = Ask { method: "POST", path: "/v1/teams", body: body.into(), ..Ask::default() };
        ask.header("content-type", "application/json").bearer(&admin)
    };
    says(&server.asks(raw("{\n  \"name\": }")).await?, 400, &["line 2", "column"]);
    says(&server.asks(raw("{\"nmae\":\"x\"}")).await?, 400, &["nmae", "name"]);
    says(&server.asks(raw("{\"name\":5}")).await?, 400, &["name", "integer", "string"]);
    let untyped = Ask { headers: Vec::new(), ..raw("{\"name\":\"x\"}") };
    says(&server.asks(untyped).await?, 400, &["Content-Type", "application/json"]);
    let long = Ask::post("/v1/teams", json!({ "name": "x".repeat(3 << 20) })).bearer(&admin);
    says(&server.asks(long).await?, 413, &["2097152"]);
    let get = |path| Ask::get(path).bearer(&admin);
    says(&server.asks(get("/v1/conversations/abc")).await?, 400, &["id", "abc", "decimal"]);
    says(&server.asks(get("/v1/conversations/7")).await?, 404, &["conversation"]);
    says(&server.asks(get("/v1/conversations?sate=open")).await?, 400, &["sate", "state"]);
    says(&server.asks(get("/v1/conversations?state=open")).await?, 400, &["state", "waiting"]);
    says(&server.asks(Ask::get("/v1/agents")).await?, 401, &["no token"]);
    says(&server.asks(Ask::get("/v1/agents").bearer("x")).await?, 401, &["token"]);
    let basic = Ask::get("/v1/agents").header("authorization", "Basic eDp5");
    let refused = server.asks(basic).await?;
    says(&refused, 401, &["Bearer"]);
    assert_eq!(refused.headers["www-authenticate"], "Bearer");
    Ok(())
}

#[tokio::test]
async fn an_address_or_method_that_is_none_is_answered_as_json() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    for path in ["/v1/nothing", "/v1/", "/nothing/at/all", "/health/nothing"] {
        let answer = server.asks(Ask::get(path)).await?;
        says(&answer, 404, &["no such address", path]);
        assert_eq!((answer.status, answer.code()), (404, "not_found"), "{path}");
    }
    for path in ["/v1/teams", "/v1/events", "/health/live", "/v1/openapi.json"] {
        let ask = Ask { method: "DELETE", path, ..Ask::default() };
        let answer = server.asks(ask).await?;
        assert_eq!((answer.status, answer.code()), (405, "bad_frame"), "{path}");
        let allow = answer.headers.get("allow").and_then(|value| value.to_str().ok());
        assert!(allow.is_some_and(|allow| allow.contains("GET")), "{path}: {allow:?}");
        assert!(message(&answer).contains("DELETE"), "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn every_answer_names_its_request() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let id = |answer: &Answer| {
        answer
            .headers
            .get("x-request-id")
            .map(|id| id.to_str().unwrap().to_owned())
            .unwrap_or_default()
    };
    let first = id(&server.asks(Ask::get("/health/live")).await?);
    let second = id(&server.asks(Ask::get("/v1/nothing")).await?);
    assert!(first.len() == 16 && second.len() == 16 && first != second, "{first} {second}");
    let given = Ask::get("/v1/me").header("x-request-id", "proxy-7");
    assert_eq!(id(&server.asks(given).await?), "proxy-7");
    let long = Ask::get("/v1/me").header("x-request-id", "x".repeat(65));
    assert_eq!(id(&server.asks(long).await?).len(), 16);
    Ok(())
}

/// A change of a site, as an admin sends it.
async fn patched(server: &Server, change: serde_json::Value) -> anyhow::Result<Answer> {
    let admin = server.agent_token("admin").await?;
    let sites = server.asks(Ask::get("/v1/sites").bearer(&admin)).await?.ok()?;
    let path = format!("/v1/sites/{}", sites.json["sites"][0]["id"].as_str().unwrap());
    let ask = Ask { method: "PATCH", ..Ask::post(&path, change) };
    server.asks(ask.bearer(&admin)).await
}

#[tokio::test]
async fn a_change_of_a_widget_leaves_what_it_does_not_name() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let whole = json!({
        "color": "#112233",
        "position": "left",
        "greeting": { "en": "Hello", "zh-CN": "您好" },
        "fields": [{
            "name": "topic", "kind": "select", "label": { "en": "About" }, "required": true,
            "options": [{ "value": "a", "label": { "en": "A" }, "skill": "billing" }],
        }],
        "needs": [{ "skill": "billing", "level": 2, "required": false }],
        "identity_required": true,
    });
    let set = patched(&server, json!({ "widget": whole.clone() })).await?.ok()?;
    assert_eq!(set.json["site"]["widget"], whole);
    let changed = patched(&server, json!({ "widget": { "color": "#abcdef" } })).await?.ok()?;
    let mut expected = whole;
    expected["color"] = "#abcdef".into();
    assert_eq!(changed.json["site"]["widget"], expected);
    let named = patched(&server, json!({ "name": "Shop" })).await?.ok()?;
    assert_eq!(named.json["site"]["widget"], expected, "nothing of the widget was given");
    let emptied = patched(&server, json!({ "widget": { "greeting": {}, "fields": [] } })).await?;
    let emptied = emptied.ok()?.json["site"]["widget"].clone();
    assert_eq!((&emptied["greeting"], &emptied["fields"]), (&json!({}), &json!([])));
    assert_eq!(emptied["identity_required"], true);
    Ok(())
}

#[tokio::test]
async fn a_setting_of_a_widget_that_is_none_is_named() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let refused = patched(&server, json!({ "widget": { "colour": 1 } })).await?;
    says(&refused, 400, &["widget", "colour", "color"]);
    let field = json!({ "name": "a", "kind": "text", "label": {}, "required": false, "hint": 1 });
    let refused = patched(&server, json!({ "widget": { "fields": [field] } })).await?;
    says(&refused, 400, &["fields", "hint", "options"]);
    let need = json!({ "skill": "a", "level": 1, "required": false, "must": true });
    let refused = patched(&server, json!({ "widget": { "needs": [need] } })).await?;
    says(&refused, 400, &["needs", "must", "required"]);
    Ok(())
}

#[tokio::test]
async fn a_list_is_read_page_by_page() -> anyhow::Result<()> {
    let server = Server::start(Setup::default().unlimited()).await?;
    let admin = server.agent_token("admin").await?;
    for number in 0..5 {
        let visitor = server.visitor_token().await?;
        let hello = json!({ "type": "hello", "protocol": 1, "resume": [] });
        let open = json!({ "type": "open", "key": format!("k{number}"), "text": "hi" });
        let post = Ask::post("/v1/commands", json!({ "frames": [hello, open] }));
        server.asks(post.bearer(&visitor)).await?.ok()?;
    }
    let (mut seen, mut path) = (Vec::new(), "/v1/conversations?limit=2".to_owned());
    for _ in 0..3 {
        let page = server.asks(Ask::get(&path).bearer(&admin)).await?.ok()?;
        let rows = page.json["conversations"].as_array().unwrap();
        assert_eq!(page.json["total"], 5, "on all pages");
        seen.extend(rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()));
        match page.json["next"].as_str() {
            Some(next) => path = format!("/v1/conversations?limit=2&before={next}"),
            None => break,
        }
    }
    let mut sorted = seen.clone();
    sorted.sort_by_key(|id| std::cmp::Reverse(id.parse::<u64>().unwrap()));
    sorted.dedup();
    assert_eq!((seen.len(), &seen), (5, &sorted));
    Ok(())
}

#[tokio::test]
async fn head_etag_and_preflight_are_as_http_says() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let head = Ask { method: "HEAD", ..Ask::get("/v1/openapi.json") };
    let head = server.asks(head).await?;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    let whole = server.asks(Ask::get("/v1/openapi.json")).await?;
    assert_eq!(whole.json["openapi"], "3.1.0");
    let tag = whole.headers["etag"].to_str()?.to_owned();
    let again = Ask::get("/v1/openapi.json").header("if-none-match", tag);
    assert_eq!(server.asks(again).await?.status, 304);
    let refused = Ask::post("/v1/commands", json!({ "frames": [] })).header("origin", ORIGIN);
    let shown = server.asks(refused).await?.headers.get("access-control-allow-origin").cloned();
    assert!(shown.is_some_and(|shown| shown == ORIGIN), "a page cannot read the carrier's answer");
    for path in ["/v1/visitors", "/v1/commands", "/v1/events", &format!("/v1/sites/{SITE}/widget")]
    {
        let ask = Ask { method: "OPTIONS", path, ..Ask::default() };
        let answer = server.asks(ask.header("origin", ORIGIN)).await?;
        let shown = answer.headers.get("access-control-allow-origin");
        assert!(answer.status == 204 && shown.is_some_and(|shown| shown == ORIGIN), "{path}");
        let ask = Ask { method: "OPTIONS", path, ..Ask::default() };
        let answer = server.asks(ask.header("origin", "https://evil.example")).await?;
        assert!(answer.headers.get("access-control-allow-origin").is_none(), "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn figures_count_what_happened() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let visitor = server.visitor_token().await?;
    let hello = json!({ "type": "hello", "protocol": 1, "resume": [] });
    let open = json!({ "type": "open", "key": "k1", "text": "hi" });
    let wrong = json!({ "type": "nonsense" });
    let post = Ask::post("/v1/commands", json!({ "frames": [hello, open, wrong] }));
    server.asks(post.bearer(&visitor)).await?.ok()?;
    server.asks(Ask::get("/v1/conversations/7")).await?;
    let text = server.asks(Ask::get("/metrics")).await?.text;
    for line in [
        "kefu_ack_duration_seconds_count 1",
        "kefu_frame_refusals_total{code=\"bad_frame\"} 1",
        "kefu_http_requests_total{method=\"GET\",route=\"/v1/conversations/{id}\",status=\"401\"} 1",
        "kefu_sessions{carrier=\"longpoll\"} 1",
        "kefu_plugin_calls_total{point=\"filter\",outcome=",
        "kefu_waiting_conversations{team=",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    let known = kefu::telemetry::reference();
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = line.split(' ').next().unwrap();
        assert!(known.contains(&format!("`{name}`")), "{name} is not in docs/METRICS.md");
    }
    Ok(())
}
