//! The worker.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use concurry::clock;
use concurry::prelude::*;
use serde::Deserialize;

use super::attempts::{asked_wait, may_pass};
use super::http;
use super::{LlmError, Prompt, Reply, Settings};

/// Calls a chat-completions API.
#[worker]
pub(crate) struct Llm {
    http: reqwest::Client,
    settings: Settings,
}

#[worker]
impl Llm {
    pub(crate) fn new(settings: Settings) -> Result<Self, LlmError> {
        Ok(Self { http: http::client(&settings)?, settings })
    }

    /// Waits until a region's limits admit the prompt, asks that region, and tells the limits what it really took.
    #[retry(on = may_pass, after = asked_wait)]
    pub(crate) async fn complete(&self, prompt: Prompt) -> Result<Reply, LlmError> {
        let clock = clock::system();
        let asked = clock.now();
        let estimate = estimate(&prompt.text, self.settings.max_tokens);
        let mut acquired = self.limits.acquire_async([("tokens", estimate)]).await?;
        let (admitted, admitted_at) = (clock.now(), unix_nanos());

        let outcome = self.ask(acquired.config(), &prompt.text).await;
        let used = match &outcome {
            Ok(completion) => completion.usage.total_tokens,
            // The server has counted more than we know of: let it cool down.
            Err(LlmError::RateLimited { .. }) => estimate,
            Err(_) => 0,
        };
        acquired.update([("tokens", used)])?;
        let region = acquired.config()["region"].as_str().unwrap_or_default().to_owned();
        acquired.release()?; // at once: others wait for what is refunded

        let completion = outcome?;
        Ok(Reply {
            text: completion.choices.into_iter().filter_map(|choice| choice.message.content).collect(),
            region,
            tokens: used,
            admitted_at,
            waited: admitted - asked,
            latency: clock.now() - admitted,
            served_in: completion.served_in,
        })
    }

    /// One HTTP call to the region that `config` describes.
    async fn ask(&self, config: &serde_json::Value, prompt: &str) -> Result<Completion, LlmError> {
        let url = format!("{}/v1/chat/completions", config["base_url"].as_str().unwrap_or_default());
        let body = json!({
            "model": self.settings.model,
            "max_tokens": self.settings.max_tokens,
            "messages": [{ "role": "user", "content": prompt }],
        });
        let request = http::with_key(self.http.post(&url).json(&body), &self.settings);
        let response = request.send().await.map_err(|error| http::unreachable(&url, &error))?;
        if !response.status().is_success() {
            let region = config["region"].as_str().unwrap_or_default();
            return Err(http::refusal(url, region, response).await);
        }
        let served_in = response.headers().get("openai-processing-ms").and_then(|value| value.to_str().ok());
        let served_in = served_in.and_then(|millis| millis.parse().ok()).map(Duration::from_millis);
        let completion: Result<Completion, _> = response.json().await;
        match completion {
            Ok(completion) => Ok(Completion { served_in, ..completion }),
            Err(error) => Err(LlmError::Unreadable { url, reason: http::reason(&error) }),
        }
    }
}

/// The most tokens that a call can take. A token of text is 3 or 4 bytes on the average and hardly ever less than 2; a
/// message has a few more around it.
pub(crate) fn estimate(prompt: &str, max_tokens: u64) -> u64 {
    (prompt.len() as u64).div_ceil(2) + 16 + max_tokens
}

/// The time, comparable between processes.
#[expect(clippy::disallowed_methods, reason = "for people: no limit goes by it")]
pub(crate) fn unix_nanos() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// What is of interest in a chat completion.
#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
    usage: Usage,
    #[serde(skip)]
    served_in: Option<Duration>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
}

#[derive(Deserialize)]
struct Usage {
    total_tokens: u64,
}
