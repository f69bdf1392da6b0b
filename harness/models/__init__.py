"""Models by name. Any other name is the id of a model at an OpenAI-compatible endpoint."""

MODELS = {
    "openai": "harness.models.openai:OpenAI",
    "scripted": "harness.models.scripted:from_file",
}
