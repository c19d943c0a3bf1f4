//! The API's contract: the document in docs/ is the one the code makes, it is sound, every route is in it and every
//! entry is a route, and what a real server answers is what it says.

use std::collections::BTreeSet;
use std::path::Path;

use kefu_tests::client::Carrier;
use kefu_tests::http::{Answer, Ask};
use kefu_tests::server::{ORIGIN, SITE, Server, Setup};
use serde_json::{Value, json};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

fn document() -> Value {
    serde_json::from_str(&kefu::api::openapi(kefu::health::entries())).unwrap()
}

/// Every operation as (method, path, what is said of it).
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            all.push((method.to_uppercase(), path.clone(), operation.clone()));
        }
    }
    all
}

#[test]
fn the_document_in_docs_is_the_one_the_code_makes() {
    let kept: Value = serde_json::from_str(&read("docs/openapi.json")).unwrap();
    assert!(kept == document(), "docs/openapi.json is stale: run `cargo xtask generate`");
}

#[test]
fn the_list_of_figures_in_docs_is_the_one_the_code_makes() {
    let made = kefu::telemetry::reference();
    assert!(
        read("docs/METRICS.md") == made,
        "docs/METRICS.md is stale: run `cargo xtask generate`"
    );
}

#[test]
fn figures_are_named_as_prometheus_wants_them() {
    let table = kefu::telemetry::reference();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() > 15, "{table}");
    let mut names = BTreeSet::new();
    for row in rows {
        let (name, kind) = (row[1].trim_matches('`'), row[2]);
        assert!(names.insert(name.to_owned()), "{name} is there twice");
        assert!(name.starts_with("kefu_") || name.starts_with("process_"), "{name}");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
        assert!(kind != "histogram" || name.ends_with("_seconds"), "{name} has no unit");
        assert!(!row[5].is_empty(), "{name} means nothing");
    }
}

#[test]
fn the_document_is_sound() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let at = format!("{method} {path}");
        let id = operation["operationId"].as_str().unwrap_or_default();
        assert!(!id.is_empty() && ids.insert(id.to_owned()), "{at}: operationId `{id}`");
        assert!(operation["summary"].as_str().is_some_and(|text| text.ends_with('.')), "{at}");
        let answers = operation["responses"].as_object().unwrap();
        let good = |status: &&String| status.starts_with('2') || *status == "101";
        assert!(answers.keys().any(|status| good(&status)), "{at} never goes well");
        let guarded = !operation["security"].as_array().unwrap().is_empty();
        assert!(!guarded || (answers.contains_key("401") && answers.contains_key("403")), "{at}");
        let braces: BTreeSet<&str> =
            path.split('{').skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let placed = parameters.iter().filter(|one| one["in"] == "path");
        let placed: BTreeSet<&str> = placed.map(|one| one["name"].as_str().unwrap()).collect();
        assert_eq!(braces, placed, "{at}");
    }
    for name in ["RateLimited", "Unavailable"] {
        let refusal = &document["components"]["responses"][name];
        assert!(refusal["headers"]["Retry-After"].is_object(), "{name}");
    }
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer} is named and not there");
    }
    for schema in document["components"]["schemas"].as_object().unwrap().keys() {
        validator(&document, json!({ "$ref": format!("#/components/schemas/{schema}") }));
    }
}

/// A route is declared with its promise (`api::contract`) or, on a bare axum router, by a literal that is found here.
#[test]
fn every_route_is_in_the_document() {
    let known: BTreeSet<String> =
        operations(&document()).into_iter().map(|(_, path, _)| path).collect();
    let mut found = 0;
    for file in ["transport.rs", "api.rs", "health.rs", "app.rs", "api/document.rs"] {
        let text = read(&format!("host/src/{file}"));
        for rest in text.split(".route(\"").skip(1) {
            let path = rest.split('"').next().unwrap();
            found += 1;
            assert!(known.contains(path), "{path} in {file} is not in docs/openapi.json");
        }
    }
    assert!(found >= 3, "the carriers are declared some other way now: teach this test");
    let declares = |path: &Path| std::fs::read_to_string(path).unwrap().contains(".route(");
    for entry in std::fs::read_dir(root().join("host/src/api")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let may = ["pages.rs", "contract.rs", "document.rs", "tests.rs"].contains(&name.as_str());
        let bare = path.is_file() && !may && declares(&path);
        assert!(!bare, "api/{name} declares a route without a promise: use contract::Routes");
    }
}

#[tokio::test]
async fn every_entry_is_a_route() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    for (method, path, _) in operations(&document()) {
        let path = path.replace("{point}", "routing").replace("{id}", "1").replace("{key}", SITE);
        let path = path.replace("{secret}", "unknown");
        let answer = server.asks(Ask { method: &method, path: &path, ..Ask::default() }).await?;
        assert_ne!(answer.status, 405, "{method} {path}");
        assert!(!answer.text.contains("no such address"), "{method} {path}");
    }
    Ok(())
}

/// A validator of a schema that may point into the document.
fn validator(document: &Value, schema: Value) -> jsonschema::Validator {
    let mut whole = json!({ "components": document["components"] });
    whole["allOf"] = json!([schema]);
    jsonschema::draft202012::new(&whole).unwrap()
}

/// Holds an answer against what the document says of it.
fn holds(document: &Value, method: &str, template: &str, answer: &Answer) {
    let at = format!("{method} {template} → {}: {}", answer.status, answer.text);
    let operation = &document["paths"][template][method.to_lowercase()];
    let mut said = &operation["responses"][answer.status.to_string()];
    assert!(said.is_object(), "{at}: this status is not in the document");
    if let Some(pointer) = said["$ref"].as_str() {
        said = document.pointer(pointer.trim_start_matches('#')).unwrap();
    }
    let schema = &said["content"]["application/json"]["schema"];
    if schema.is_object() {
        let validator = validator(document, schema.clone());
        let wrong: Vec<String> =
            validator.iter_errors(&answer.json).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{at}: {wrong:?}");
    }
}

#[tokio::test]
async fn what_every_get_answers_is_what_the_document_says() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let document = document();
    let (admin, visiting) = (server.agent_token("admin").await?, server.visitor_token().await?);
    let agent = server.agent("agent1", Carrier::WebSocket).await?;
    let hello = json!({ "type": "hello", "protocol": 1, "resume": [] });
    let open = json!({ "type": "open", "key": "k1", "text": "hi", "fields": {} });
    let post = Ask::post("/v1/commands", json!({ "frames": [hello, open] })).bearer(&visiting);
    let welcome = server.asks(post).await?.ok()?;
    holds(&document, "POST", "/v1/commands", &welcome);
    let frames = &welcome.json["frames"];
    let session = frames[0]["session"].as_str().unwrap().to_owned();
    let conversation = frames[1]["conversation"].as_str().unwrap().to_owned();
    let sites = server.asks(Ask::get("/v1/sites").bearer(&admin)).await?.ok()?;
    let site = sites.json["sites"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/conversations/{conversation}/files?name=a.txt");
    let file = Ask { method: "POST", path: &path, body: "hi".into(), ..Ask::default() };
    let file = server.asks(file.bearer(&visiting)).await?.ok()?;
    holds(&document, "POST", "/v1/conversations/{id}/files", &file);
    let file = file.json["file"]["url"].as_str().unwrap().to_owned();
    let visitor = server.visitor(Carrier::WebSocket).await?;
    let over = visitor.opens().await?;
    agent.sees(&over, "assigned").await?;
    visitor.says("where is it?").await?;
    agent.says_in(&over, "on its way").await?;
    agent.closes(&over).await?;
    agent.is_told("report", |frame| frame["report"]["conversation"] == over.as_str()).await?;
    let text = |path: &str| match path {
        "/v1/conversations/{id}/report" => path.replace("{id}", &over),
        "/v1/files/{secret}" => file.clone(),
        path if path.starts_with("/v1/sites/") => {
            path.replace("{id}", &site).replace("{key}", SITE)
        }
        path => path.replace("{id}", &conversation).replace("{key}", SITE),
    };
    let mut asked = 0;
    for (method, template, operation) in operations(&document) {
        if method != "GET" || template == "/v1/ws" {
            continue;
        }
        let path = match template.as_str() {
            "/v1/events" => format!("/v1/events?session={session}&wait=100"),
            _ => text(&template),
        };
        let visitors = template == "/v1/events" || template == "/v1/me/conversations";
        let token = if visitors { &visiting } else { &admin };
        let answer = server.asks(Ask::get(&path).bearer(token)).await?;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        holds(&document, "GET", &template, &answer);
        if !operation["security"].as_array().unwrap().is_empty() && template != "/metrics" {
            let answer = server.asks(Ask::get(&path)).await?;
            assert_eq!(answer.status, 401, "{path}");
            holds(&document, "GET", &template, &answer);
        }
        asked += 1;
    }
    assert!(asked >= 18, "only {asked} were asked");
    drop(agent);
    Ok(())
}

#[tokio::test]
async fn what_admins_change_is_answered_as_the_document_says() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let document = document();
    let admin = server.agent_token("admin").await?;
    let site = Ask::post("/v1/visitors", json!({ "site": SITE })).header("origin", ORIGIN);
    holds(&document, "POST", "/v1/visitors", &server.asks(site).await?);
    let team =
        server.asks(Ask::post("/v1/teams", json!({ "name": "Sales" })).bearer(&admin)).await?;
    assert_eq!(team.status, 201, "{}", team.text);
    holds(&document, "POST", "/v1/teams", &team);
    let team = team.json["team"]["id"].clone();
    let new = json!({ "key": "shop", "name": "Shop", "team": team, "origins": [ORIGIN] });
    let site = server.asks(Ask::post("/v1/sites", new).bearer(&admin)).await?;
    assert_eq!(site.status, 201, "{}", site.text);
    holds(&document, "POST", "/v1/sites", &site);
    let new = json!({ "login": "amy", "name": "Amy", "skills": [{ "name": "vip", "level": 3 }] });
    let agent = server.asks(Ask::post("/v1/agents", new).bearer(&admin)).await?;
    assert_eq!(agent.status, 201, "{}", agent.text);
    holds(&document, "POST", "/v1/agents", &agent);
    let path = format!("/v1/agents/{}", agent.json["agent"]["id"].as_str().unwrap());
    let change = Ask { method: "PATCH", ..Ask::post(&path, json!({ "capacity": 3 })) };
    let changed = server.asks(change.bearer(&admin)).await?;
    assert_eq!(changed.json["agent"]["capacity"], 3, "{}", changed.text);
    holds(&document, "PATCH", "/v1/agents/{id}", &changed);
    for (path, body, status) in [
        ("/v1/teams", json!({ "nmae": "x" }), 400),
        ("/v1/sites", json!({ "key": "shop", "name": "Shop", "team": team }), 400),
        ("/v1/agents/1/password", json!({}), 404),
        ("/v1/login", json!({ "login": "amy", "password": "wrong" }), 401),
    ] {
        let template = path.replace("/1/", "/{id}/");
        let answer = server.asks(Ask::post(path, body).bearer(&admin)).await?;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
        holds(&document, "POST", &template, &answer);
    }
    Ok(())
}
