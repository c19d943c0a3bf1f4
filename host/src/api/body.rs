//! Reading what was sent: bodies, queries and path parts, with mistakes answered as `bad_frame`.

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::answer::Failure;
use crate::domain::refusal::Refusal;

/// Most bytes in a JSON body; axum enforces it (`DefaultBodyLimit`), this names it.
const MOST: usize = 2_097_152;

/// A JSON body.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(body)) => Ok(Self(body)),
            Err(rejection) => Err(refused(&rejection)),
        }
    }
}

fn refused(rejection: &JsonRejection) -> Failure {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Failure(Refusal::TooLarge { what: "the body", limit: MOST });
    }
    Failure(Refusal::BadFrame(bare(rejection.body_text())))
}

/// What was wrong, without how axum opens such a sentence.
fn bare(text: String) -> String {
    const OPENINGS: [&str; 4] = [
        "Failed to deserialize the JSON body into the target type: ",
        "Failed to parse the request body as JSON: ",
        "Failed to deserialize query string: ",
        "Invalid URL: ",
    ];
    let rest = OPENINGS.iter().find_map(|opening| text.strip_prefix(opening));
    rest.map_or_else(|| text.clone(), str::to_owned)
}

/// The query.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(Self(query)),
            Err(rejection) => Err(Failure(Refusal::BadFrame(bare(rejection.body_text())))),
        }
    }
}

/// What stands in the braces of the path.
pub(super) struct Place<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Place<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(place)) => Ok(Self(place)),
            Err(rejection) => {
                let rule = format!("{}: {}", parts.uri.path(), bare(rejection.body_text()));
                Err(Failure(Refusal::Invalid { field: "path", rule }))
            }
        }
    }
}
