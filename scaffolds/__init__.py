"""The scaffolds, by name. To add one: write its module, add its line."""

AGENTS = {
    "aider": "scaffolds.external.known:aider",
    "claude-code": "scaffolds.external.known:claude_code",
    "codex": "scaffolds.external.known:codex",
    "mini-swe-agent": "scaffolds.external.known:mini_swe_agent",
    "opencode": "scaffolds.external.known:opencode",
    "openhands": "scaffolds.external.known:openhands",
    "pi": "scaffolds.external.known:pi",
    "qwen-code": "scaffolds.external.known:qwen_code",
}
"""Other people's, run in the box."""

SCAFFOLDS = {
    "bash": "scaffolds.presets:bash",
    "bash-fenced": "scaffolds.presets:bash_fenced",
    "editor": "scaffolds.presets:editor",
    "editor-elide": "scaffolds.presets:editor_elide",
    "oracle": "scaffolds.controls:Oracle",
    "nop": "scaffolds.controls:Nop",
    **AGENTS,
}
