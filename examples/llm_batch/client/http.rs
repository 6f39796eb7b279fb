//! HTTP: the connection, the endpoint, and what a failure means.

use std::error::Error;
use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Response, StatusCode};
use serde_json::Value;

use super::{LlmError, Settings};
use crate::quotas::Region;

/// How long a server may take to accept a connection, and to answer.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(120);

/// A client for all calls of a worker.
pub(super) fn client(settings: &Settings) -> Result<Client, LlmError> {
    // It says so when there is one already, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let builder = Client::builder().connect_timeout(CONNECT).timeout(ANSWER);
    let builder = if settings.direct { builder.no_proxy() } else { builder };
    builder.build().map_err(|error| LlmError::Client(reason(&error)))
}

/// Asks each region for its models, which costs nothing, so that a server that is not there or does not take the key is
/// known before the batch starts.
pub(crate) fn reach(settings: &Settings, regions: &[Region]) -> Result<(), LlmError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| LlmError::Client(error.to_string()))?;
    runtime.block_on(async {
        let client = client(settings)?;
        for region in regions {
            let url = format!("{}/v1/models", region.base_url);
            let request = with_key(client.get(&url), settings);
            let response = request.send().await.map_err(|error| unreachable(&url, &error))?;
            // Some servers have no list of models; that they answer is enough.
            if matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
                return Err(status(url, response).await);
            }
        }
        Ok(())
    })
}

pub(super) fn with_key(request: reqwest::RequestBuilder, settings: &Settings) -> reqwest::RequestBuilder {
    match &settings.api_key {
        Some(key) => request.bearer_auth(key),
        None => request,
    }
}

pub(super) fn unreachable(url: &str, error: &reqwest::Error) -> LlmError {
    LlmError::Unreachable { url: url.to_owned(), reason: reason(error) }
}

/// The error that a response means whose status is no success.
pub(super) async fn refusal(url: String, region: &str, response: Response) -> LlmError {
    if response.status() != StatusCode::TOO_MANY_REQUESTS {
        return status(url, response).await;
    }
    let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = header.and_then(|seconds| seconds.trim().parse().ok()).map(Duration::from_secs);
    LlmError::RateLimited { region: region.to_owned(), retry_after }
}

async fn status(url: String, response: Response) -> LlmError {
    let status = response.status();
    let body = response.text().await.unwrap_or_default();
    let json: Option<Value> = serde_json::from_str(&body).ok();
    let message = json.as_ref().and_then(|json| json["error"]["message"].as_str()).unwrap_or(&body);
    let words: Vec<&str> = message.split_whitespace().collect();
    let message = if words.is_empty() { "(nothing)".to_owned() } else { words.join(" ") };
    LlmError::Status { url, status: status.as_u16(), message: message.chars().take(200).collect() }
}

/// The innermost cause, which names what happened; the outer ones say again that a request failed.
pub(super) fn reason(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
