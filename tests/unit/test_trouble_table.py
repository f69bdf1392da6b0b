"""What servers answered, word for word as far as it tells, and who owns each."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.models.trouble import Kind, inside, sort


def openai(message: str, type_: str | None = None, code: Any = None, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": type_, "param": None, "code": code, **more}}


def anthropic(type_: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": type_, "message": message}, "request_id": "r"}


BAD = "invalid_request_error"
FULL = "This model's maximum context length is 2048 tokens."
TABLE: list[tuple[str, int, Any, Kind]] = [
    ("openai", 400, openai(f"{FULL} However, your messages resulted in 9", BAD, "x"), "overflow"),
    (
        "openai responses",
        400,
        openai("Your input exceeds the context window of this model.", BAD),
        "overflow",
    ),
    (
        "openai rate",
        429,
        openai("Rate limit reached for gpt-x on tokens per min", "tokens", "rate_limit_exceeded"),
        "transient",
    ),
    (
        "openai more than a minute holds",
        429,
        openai(
            "Request too large on tokens per min (TPM): Limit 10000, Requested 20000.", "tokens"
        ),
        "overflow",
    ),
    (
        "openai no credit",
        429,
        openai("You exceeded your current quota", "insufficient_quota", "insufficient_quota"),
        "refused",
    ),
    ("openai key", 401, openai("Incorrect API key provided", BAD, "invalid_api_key"), "refused"),
    (
        "openai model",
        404,
        openai("The model `x` does not exist", BAD, "model_not_found"),
        "refused",
    ),
    (
        "openai policy",
        400,
        openai("Invalid prompt: your prompt was flagged as violating our policy.", BAD),
        "refusal",
    ),
    ("openai field", 400, openai("Unsupported parameter: 'max_tokens'", BAD), "broken"),
    (
        "anthropic",
        400,
        anthropic(BAD, "prompt is too long: 210000 tokens > 200000 maximum"),
        "overflow",
    ),
    (
        "anthropic both",
        400,
        anthropic(
            BAD, "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"
        ),
        "overflow",
    ),
    ("anthropic body", 413, anthropic("request_too_large", "Request exceeds 32 MB"), "overflow"),
    ("anthropic rate", 429, anthropic("rate_limit_error", "would exceed your limit"), "transient"),
    ("anthropic load", 529, anthropic("overloaded_error", "Overloaded"), "transient"),
    ("anthropic api", 500, anthropic("api_error", "Internal server error"), "transient"),
    ("anthropic bill", 402, anthropic("billing_error", "check your payment"), "refused"),
    (
        "anthropic credit",
        400,
        anthropic(BAD, "Your credit balance is too low to access the API."),
        "refused",
    ),
    (
        "anthropic spend",
        400,
        anthropic(BAD, "You have reached your specified API usage limits."),
        "refused",
    ),
    ("anthropic key", 401, anthropic("authentication_error", "invalid x-api-key"), "refused"),
    (
        "vllm",
        400,
        openai(
            f"{FULL} However, your prompt contains at least 2049 input tokens", "BadRequestError"
        ),
        "overflow",
    ),
    (
        "vllm flat",
        400,
        {"object": "error", "message": f"{FULL} However, you requested 9", "code": 400},
        "overflow",
    ),
    (
        "vllm model",
        404,
        openai("The model `no` does not exist. Valid aliases: smol.", "NotFoundError", 404),
        "refused",
    ),
    ("vllm key", 401, {"error": "Unauthorized"}, "refused"),
    (
        "vllm knob",
        400,
        openai(
            "max_tokens=10000000 cannot be greater than max_model_len=2048. Please request fewer "
            "output tokens. (parameter=max_tokens, value=10000000)",
            "BadRequestError",
        ),
        "setting",
    ),
    (
        "vllm old, the answer alone",
        400,
        openai(
            "'max_tokens' or 'max_completion_tokens' is too large: 5000. This model's maximum "
            "context length is 2048 tokens and your request has 9 input tokens (5000 > 2048 - 9).",
            "BadRequestError",
        ),
        "setting",
    ),
    (
        "vllm old, with the prompt",
        400,
        openai(
            "'max_tokens' or 'max_completion_tokens' is too large: 500. This model's maximum "
            "context length is 2048 tokens and your request has 1900 input tokens "
            "(500 > 2048 - 1900).",
            "BadRequestError",
        ),
        "overflow",
    ),
    (
        "vllm sum",
        400,
        openai(
            f"{FULL} However, you requested 2100 tokens (1600 in the messages, 500 in the "
            "completion). Please reduce the length of the messages or completion."
        ),
        "overflow",
    ),
    (
        "vllm sum, the answer alone",
        400,
        openai(
            f"{FULL} However, you requested 2057 tokens (9 in the messages, 2048 in the "
            "completion). Please reduce the length of the messages or completion."
        ),
        "setting",
    ),
    (
        "openai answer",
        400,
        openai(
            "max_tokens is too large: 100000. This model supports at most 16384 completion "
            "tokens, whereas you provided 100000.",
            BAD,
            "invalid_value",
        ),
        "setting",
    ),
    (
        "anthropic answer",
        400,
        anthropic(
            BAD,
            "max_tokens: 200000 > 64000, which is the maximum allowed number of output "
            "tokens for claude-x",
        ),
        "setting",
    ),
    (
        "groq answer",
        400,
        openai(
            "`max_tokens` must be less than or equal to `8192`, the maximum value for "
            "`max_tokens` is less than the `context_window` for this model",
            BAD,
        ),
        "setting",
    ),
    (
        "deepseek answer",
        400,
        openai("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]", BAD),
        "setting",
    ),
    (
        "vllm echoes",
        400,
        openai(
            "1 validation error:\n {'input': 'rate limit; maximum context length'}", "Bad Request"
        ),
        "broken",
    ),
    (
        "vllm dead",
        500,
        openai("EngineCore encountered an issue.", "InternalServerError", 500),
        "transient",
    ),
    (
        "sglang",
        400,
        openai("The input (9 tokens) is longer than the model's context length (8 tokens)."),
        "overflow",
    ),
    (
        "sglang total",
        400,
        {
            "object": "error",
            "message": "Requested token count exceeds the model's maximum context length of 8.",
        },
        "overflow",
    ),
    (
        "sglang answer",
        400,
        openai(
            "Requested token count exceeds the model's maximum context length of 2048 tokens. "
            "You requested a total of 9009 tokens: 9 tokens from the input messages and 9000 "
            "tokens for the completion."
        ),
        "setting",
    ),
    (
        "llama.cpp",
        400,
        openai(
            "request (12031 tokens) exceeds the available context size (2048 tokens)",
            "exceed_context_size_error",
            400,
            n_ctx=2048,
        ),
        "overflow",
    ),
    ("llama.cpp loads", 503, openai("Loading model", "unavailable_error", 503), "transient"),
    ("llama.cpp key", 401, openai("Invalid API Key", "authentication_error", 401), "refused"),
    (
        "llama.cpp image",
        500,
        openai("image input is not supported - hint: mmproj", "server_error", 500),
        "broken",
    ),
    (
        "llama.cpp field",
        400,
        openai("Field 'temperature': type must be number, but is string", BAD, 400),
        "broken",
    ),
    (
        "llama-cpp-python",
        400,
        openai(f"{FULL} However, you requested 12020 tokens", BAD, "context_length_exceeded"),
        "overflow",
    ),
    (
        "llama-cpp-python form",
        500,
        openai("1 validation error:\n {'type': 'list_type'}", "internal_server_error"),
        "broken",
    ),
    ("llama-cpp-python crash", 500, "Internal Server Error", "transient"),
    ("llama-cpp-python key", 401, {"detail": "Invalid API key"}, "refused"),
    (
        "litellm",
        400,
        openai("litellm.ContextWindowExceededError: litellm.BadRequestError", BAD, "400"),
        "overflow",
    ),
    (
        "litellm rate",
        429,
        openai("litellm.RateLimitError: OpenAIException", "throttling_error", "429"),
        "transient",
    ),
    (
        "litellm upstream",
        500,
        openai("litellm.InternalServerError: Connection error.", "internal_server_error", "500"),
        "transient",
    ),
    ("litellm key", 400, openai("No connected db.", "no_db_connection", "400"), "refused"),
    (
        "litellm model",
        400,
        openai("Invalid model name passed in model=no-such-model.", BAD, "400"),
        "refused",
    ),
    (
        "openrouter",
        400,
        openai("This endpoint's maximum context length is 8 tokens.", code=400),
        "overflow",
    ),
    ("openrouter credit", 402, openai("Insufficient credits", code=402), "refused"),
    ("openrouter guard", 403, openai("Your chosen model requires moderation", code=403), "refusal"),
    ("openrouter late", 408, openai("Timed out", code=408), "transient"),
    (
        "openrouter upstream",
        400,
        openai("Provider returned error", metadata={"error_type": "provider_unavailable"}),
        "transient",
    ),
    ("openrouter none", 503, openai("No provider available", code=503), "transient"),
    (
        "together",
        422,
        openai("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4097.", BAD),
        "overflow",
    ),
    (
        "together answer",
        422,
        openai(
            "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4097. Given: "
            "9 `inputs` tokens and 5000 `max_new_tokens`",
            BAD,
        ),
        "setting",
    ),
    (
        "together 403",
        403,
        openai("Input token count + max_tokens must be less than the context length", BAD),
        "overflow",
    ),
    ("together load", 503, openai("The engine is overloaded"), "transient"),
    ("together spend", 402, openai("You have reached your spending limit"), "refused"),
    ("together proxy", 524, "<html>a timeout occurred</html>", "transient"),
    (
        "gemini",
        400,
        [{"error": {"message": "The input token count (9) exceeds the maximum number of tokens "}}],
        "overflow",
    ),
    (
        "gemini rate",
        429,
        [
            {
                "error": {
                    "code": 429,
                    "message": "You exceeded your current quota. Please retry in 30.5s.",
                    "status": "RESOURCE_EXHAUSTED",
                }
            }
        ],
        "transient",
    ),
    ("gemini key", 400, [{"error": {"code": 400, "message": "API key not valid."}}], "refused"),
    (
        "xai",
        400,
        {"code": "invalid", "error": "This model's maximum prompt length is 8 but has 9 tokens."},
        "overflow",
    ),
    (
        "groq",
        413,
        openai(
            "Request too large on tokens per minute (TPM): Limit 6000, Requested 9000", "tokens"
        ),
        "overflow",
    ),
    (
        "groq busy",
        413,
        openai("Rate limit reached: Limit 6000, Used 5000, Requested 2000"),
        "transient",
    ),
    (
        "mistral",
        400,
        {"object": "error", "message": "Prompt contains 9 tokens, too large for model with 8"},
        "overflow",
    ),
    ("lm studio", 400, {"error": "loaded with context length of only 8 tokens"}, "overflow"),
    ("zhipu", 400, openai("Prompt", code="1261"), "overflow"),
    ("cerebras", 413, "", "overflow"),
    ("bedrock", 400, {"message": "ThrottlingException: Too many tokens, please wait"}, "transient"),
    ("transformers serve", 400, {"detail": "Server is pinned to 'm'; requested 'x'."}, "refused"),
    ("a gateway", 502, "<html><body>Bad Gateway</body></html>", "transient"),
]


@pytest.mark.parametrize(("who", "status", "body", "kind"), TABLE, ids=[row[0] for row in TABLE])
def test_each_error_has_one_owner(who: str, status: int, body: Any, kind: Kind) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    assert sort(status, {}, text).kind == kind


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (openai("EngineCore encountered an issue.", "InternalServerError", 500), "transient"),
        (openai("litellm.APIConnectionError: Response payload", None, "500"), "transient"),
        (openai("Rate limit", code=429), "transient"),
        (anthropic("overloaded_error", "Overloaded"), "transient"),
        (openai("Insufficient credits", code=402), "refused"),
        (openai(f"{FULL} you have", BAD, "context_length_exceeded"), "overflow"),
    ],
)
def test_an_error_in_a_200_or_in_a_stream_is_sorted_by_the_same_rules(
    body: Any, kind: Kind
) -> None:
    trouble = inside(body, {})
    assert trouble is not None and trouble.kind == kind


def test_who_says_that_it_is_asked_too_much_is_told_apart_from_who_is_ill() -> None:
    assert sort(429, {}, "slow down").crowded == "rate"
    assert sort(503, {}, "code 429: rate limit reached, overloaded").crowded == "rate"
    assert sort(529, {}, "").crowded == "load"
    assert sort(503, {}, "The engine is overloaded").crowded == "load"
    assert sort(429, {}, "The engine is currently overloaded").crowded == "load"
    assert not sort(500, {}, "oops").crowded and not sort(503, {}, "Loading model").crowded


def test_credit_that_comes_back_at_a_known_time_is_waited_for() -> None:
    trouble = sort(402, {"retry-after": "30"}, "Insufficient credits")
    assert (trouble.kind, trouble.retry_after) == ("transient", 30.0)
