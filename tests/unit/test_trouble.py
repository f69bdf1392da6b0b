from __future__ import annotations

import json

import pytest

from harness.models.trouble import inside, sort, words

OVERFLOWS = [
    (400, "request (12031 tokens) exceeds the available context size (2048 tokens)"),
    (400, "This model's maximum context length is 2048 tokens. However, you requested 12020"),
    (400, "litellm.ContextWindowExceededError: OpenAIException"),
    (400, "prompt is too long: 250000 tokens > 200000 maximum"),
    (422, "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4097"),
    (400, "The input token count (5) exceeds the maximum number of tokens allowed (4)."),
    (400, "The input (9 tokens) is longer than the model's context length (8 tokens)."),
]


@pytest.mark.parametrize(("status", "text"), OVERFLOWS)
def test_a_conversation_that_is_too_long_is_told_by_its_words(status: int, text: str) -> None:
    assert sort(status, {}, json.dumps({"error": {"message": text}})).kind == "overflow"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (
            429,
            '{"error": {"message": "Rate limit reached for requests", "code": "429"}}',
            "transient",
        ),
        (429, '{"error": {"code": "insufficient_quota", "message": "quota"}}', "refused"),
        (402, "", "refused"),
        (401, '{"error": "Unauthorized"}', "refused"),
        (401, '{"detail": "Invalid API key"}', "refused"),
        (403, "forbidden", "refused"),
        (404, '{"error": {"message": "The model `x` does not exist."}}', "refused"),
        (500, "Internal Server Error", "transient"),
        (502, "<html><body>Bad Gateway</body></html>", "transient"),
        (
            529,
            '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
            "transient",
        ),
        (500, '{"error": {"message": "image input is not supported"}}', "broken"),
        (400, '{"error": {"message": "temperature must be non-negative"}}', "broken"),
        (400, '{"error": {"code": "content_filter", "message": "filtered"}}', "refusal"),
    ],
)
def test_each_error_has_one_owner(status: int, body: str, kind: str) -> None:
    assert sort(status, {}, body).kind == kind


def test_an_error_inside_a_200_is_found() -> None:
    trouble = inside({"error": {"message": "EngineCore encountered an issue", "code": 500}}, {})
    assert trouble and trouble.kind == "transient"
    assert inside({"choices": []}, {}) is None


@pytest.mark.parametrize(
    "body",
    ['{"error": {"message": "m"}}', '{"error": "m"}', '{"detail": "m"}', '[{"error": "m"}]', "m"],
)
def test_the_human_part_of_a_body_is_found_in_every_shape(body: str) -> None:
    assert words(body) == "m"
