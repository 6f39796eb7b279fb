//! HTTP in and out.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{HeaderName, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Deserialize;
use serde_json::json;

use super::answer::Answer;
use super::faults::{Fault, Faults};
use super::region::{Refusal, Region};

/// In milliseconds; the name that `OpenAI` gives it.
const PROCESSING: HeaderName = HeaderName::from_static("openai-processing-ms");

/// What is of interest in a request.
#[derive(Deserialize)]
struct Request {
    model: String,
    messages: Vec<Message>,
    max_tokens: u64,
}

#[derive(Deserialize)]
struct Message {
    content: String,
}

/// A region, and the calls that it fails.
#[derive(Clone)]
struct Served {
    region: Arc<Region>,
    faults: Arc<Faults>,
}

/// The routes of one region.
pub(super) fn routes(region: Arc<Region>, faults: Arc<Faults>) -> axum::Router {
    axum::Router::new().route("/v1/chat/completions", post(complete)).with_state(Served { region, faults })
}

async fn complete(State(served): State<Served>, Json(request): Json<Request>) -> Response {
    let prompt: String = request.messages.iter().map(|message| message.content.as_str()).collect();
    let answer = Answer::to(&prompt, request.max_tokens);
    let fault = served.faults.of(&prompt);
    // What fails counts as a request, and takes no tokens.
    let tokens = if fault.is_some() { 0 } else { answer.prompt_tokens + answer.completion_tokens };
    let slot = match served.region.admit(tokens) {
        Ok(slot) => slot,
        Err(refusal) => return too_many(&refusal),
    };
    if let Some(fault) = fault {
        drop(slot);
        return failed(fault);
    }
    tokio::time::sleep(answer.latency).await;
    // Before the response: a client that has it may use the connection again at once.
    drop(slot);
    let processing = [(PROCESSING, answer.latency.as_millis().to_string())];
    (processing, Json(completion(&request, &answer))).into_response()
}

#[expect(clippy::disallowed_methods, reason = "the wire has it, and nobody goes by it")]
fn completion(request: &Request, answer: &Answer) -> serde_json::Value {
    let created = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    json!({
        "id": "chatcmpl-embedded",
        "object": "chat.completion",
        "created": created,
        "model": request.model,
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": answer.text },
            "finish_reason": "stop",
        }],
        "usage": {
            "prompt_tokens": answer.prompt_tokens,
            "completion_tokens": answer.completion_tokens,
            "total_tokens": answer.prompt_tokens + answer.completion_tokens,
        },
    })
}

/// The answer to a call that is failed on purpose.
fn failed(fault: Fault) -> Response {
    let body = |message: &str| Json(json!({ "error": { "message": message, "type": "server_error" } }));
    match fault {
        Fault::Error => {
            (StatusCode::INTERNAL_SERVER_ERROR, body("something went wrong here")).into_response()
        }
        Fault::Busy => {
            let busy = body("the engine is overloaded");
            (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, "1")], busy).into_response()
        }
    }
}

fn too_many(refusal: &Refusal) -> Response {
    // The header holds whole seconds; a fraction is rounded up, since what comes early is refused again.
    let seconds = refusal.retry_after.saturating_add(Duration::from_nanos(999_999_999)).as_secs();
    let message =
        format!("the quota of {} is used up; try again in {:?}", refusal.quota, refusal.retry_after);
    let body = json!({ "error": { "message": message, "type": "rate_limit_exceeded", "code": "rate_limit_exceeded" } });
    (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, seconds.to_string())], Json(body)).into_response()
}
