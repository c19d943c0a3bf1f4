//! The long-poll carrier: cursors, and how refusals become answers.

use super::*;
use crate::domain::ids::ConversationId;

#[test]
fn a_cursor_reads_back_as_written() {
    let at = |id, sent| Follow { conversation: ConversationId::new(id).unwrap(), sent };
    let follows = [at(7, 0), at(9, 12)];
    assert_eq!(cursor(&follows), "7:0,9:12");
    assert_eq!(read_cursor("7:0,9:12", 8), Ok(follows.to_vec()));
    assert_eq!(read_cursor("", 8), Ok(vec![]));
    for hostile in
        ["7", "7:", ":1", "0:1", "7:-1", "7:1;8:1", "7:99999999999999999999", "7:1,8:1,9:1"]
    {
        assert!(read_cursor(hostile, 2).is_err(), "{hostile}");
    }
}

#[tokio::test]
async fn the_refusal_of_the_only_command_is_the_status_too() {
    let answer = || {
        let refusal = Refusal::RateLimited { retry_after_ms: 1200 };
        Answer::refused(refusal.into())
    };
    let one = answered(vec![answer()], true, None);
    assert_eq!(one.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(one.headers()["retry-after"], "2");
    let body = axum::body::to_bytes(one.into_body(), 4096).await.unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["error"]["code"], "rate_limited");
    assert_eq!(body["frames"][0]["code"], "rate_limited");

    let two = answered(vec![answer(), answer()], false, Some("{}".into()));
    assert_eq!(two.status(), StatusCode::OK);
    let body = axum::body::to_bytes(two.into_body(), 4096).await.unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["frames"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_rate_that_no_command_kept_to_is_the_status_too() {
    let limited = |retry_after_ms| {
        let refusal = Refusal::RateLimited { retry_after_ms };
        Answer::refused(refusal.into())
    };
    let all = answered(vec![limited(300), limited(1200), limited(900)], false, None);
    assert_eq!(all.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(all.headers()["retry-after"], "2");
    let body = axum::body::to_bytes(all.into_body(), 4096).await.unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["error"]["code"], "rate_limited");
    assert_eq!(body["error"]["retry_after_ms"], 1200);
    assert_eq!(body["frames"].as_array().unwrap().len(), 3);

    let other = || Answer::refused(Refusal::NotFound("conversation").into());
    let done = || Answer { frame: Some("{}".into()), refusal: None };
    for mixed in [vec![limited(300), done()], vec![limited(300), other()], vec![other(), other()]] {
        assert_eq!(answered(mixed, false, None).status(), StatusCode::OK);
    }
}
