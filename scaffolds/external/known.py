"""The agents that are known: a constant each, and its line at the end. Versions are pinned."""

from __future__ import annotations

from functools import partial

from scaffolds.external.agent import Agent
from scaffolds.external.scaffold import external

_COMPACTS = "shortens its own history when it thinks that the window is full"
_OWN_RETRIES = "asks again after failures by rules of its own, each try counted as a call"
_RETRIES_ONCE = "asks once more by itself after a failure, which is counted as a call"

MINI_SWE_AGENT = Agent(
    name="mini-swe-agent",
    registry="pypi",
    package="mini-swe-agent",
    version="2.4.6",
    wire="chat",
    program="minisweagent",
    argv=(
        *("-y", "--exit-immediately", "-l", "0", "-m", "openai/$model", "-o", "$home/traj.json"),
        *("-c", "mini.yaml", "-c", "agent.step_limit=0", "-c", "$home/task.yaml"),
    ),
    files={"task.yaml": '{"run": {"task": $task}}'},
    env={
        "OPENAI_API_BASE": "$url/v1",
        "OPENAI_API_KEY": "$token",
        "MSWEA_CONFIGURED": "true",
        "MSWEA_GLOBAL_CONFIG_DIR": "$home/mini",
        "MSWEA_COST_TRACKING": "ignore_errors",
        "MSWEA_MODEL_RETRY_STOP_AFTER_ATTEMPT": "2",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    },
    also=("mcp",),
    asked=("--help",),
    unequal=("gives a command 30 seconds", _RETRIES_ONCE),
)
CODEX = Agent(
    name="codex",
    registry="npm",
    package="@openai/codex",
    version="0.169.0",
    wire="responses",
    program="@openai/codex-linux-$cpu/vendor/$machine-unknown-linux-musl/bin/codex",
    argv=("exec", "--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"),
    stdin="$statement",
    env={"CODEX_HOME": "$home/.codex", "HARNESS_DOOR": "$token"},
    files={
        ".codex/config.toml": 'model = "$model"\nmodel_provider = "door"\nweb_search = "disabled"\n'
        "check_for_update_on_startup = false\n"
        "[analytics]\nenabled = false\n[feedback]\nenabled = false\n"
        '[model_providers.door]\nname = "door"\nbase_url = "$url/v1"\nenv_key = "HARNESS_DOOR"\n'
        'wire_api = "responses"\nrequest_max_retries = 1\nstream_max_retries = 1\n'
        "stream_idle_timeout_ms = 3600000\n"
    },
    unequal=(
        _COMPACTS,
        _RETRIES_ONCE,
        "has a prompt and tools that depend on the name of the model",
    ),
)
CLAUDE_CODE = Agent(
    name="claude-code",
    registry="npm",
    package="@anthropic-ai/claude-code",
    version="2.1.330",
    wire="messages",
    program="@anthropic-ai/claude-code-linux-$cpu/claude",
    argv=(
        *("-p", "--dangerously-skip-permissions", "--model", "$model"),
        *("--output-format", "stream-json", "--verbose"),
    ),
    stdin="$statement",
    env={
        "ANTHROPIC_BASE_URL": "$url",
        "ANTHROPIC_AUTH_TOKEN": "$token",
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": "$model",
        "CLAUDE_CONFIG_DIR": "$home/.claude",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_MAX_RETRIES": "1",
        "API_TIMEOUT_MS": "3600000",
        "IS_SANDBOX": "1",
    },
    needs=("bash",),
    unequal=(
        _COMPACTS,
        _RETRIES_ONCE,
        "asks a second, smaller model for titles and the like; here that is the same one",
    ),
)
OPENCODE = Agent(
    name="opencode",
    registry="npm",
    package="opencode-ai",
    version="1.18.33",
    wire="chat",
    program="opencode-linux-$cpu/bin/opencode",
    argv=("run", "--auto", "--format", "json", "-m", "door/$model"),
    stdin="$statement",
    env={
        "OPENCODE_CONFIG": "$home/opencode.json",
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
    },
    files={
        "opencode.json": '{"autoupdate": false, "share": "disabled", "small_model": "door/$model",'
        ' "provider": {"door": {"npm": "@ai-sdk/openai-compatible", "models": {"$model": {}},'
        ' "options": {"baseURL": "$url/v1", "apiKey": "$token", "timeout": false}}}}'
    },
    unequal=(_COMPACTS, _OWN_RETRIES, "asks for a title of the talk first: one call more"),
)
QWEN_CODE = Agent(
    name="qwen-code",
    registry="npm",
    package="@qwen-code/qwen-code",
    version="0.24.4",
    wire="chat",
    program="@qwen-code/qwen-code/cli-entry.js",
    argv=("--auth-type", "openai", "-y", "-o", "stream-json"),
    stdin="$statement",
    env={
        "OPENAI_BASE_URL": "$url/v1",
        "OPENAI_API_KEY": "$token",
        "OPENAI_MODEL": "$model",
        "QWEN_HOME": "$home/.qwen",
        "QWEN_CODE_DISABLE_AUTOUPDATE": "1",
    },
    files={
        ".qwen/settings.json": '{"telemetry": {"enabled": false}, "privacy":'
        ' {"usageStatisticsEnabled": false}, "general": {"enableAutoUpdate": false},'
        ' "model": {"generationConfig": {"maxRetries": 1, "timeout": 3600000}}}'
    },
    needs=("bash",),
    unequal=(_COMPACTS, _OWN_RETRIES),
)
PI = Agent(
    name="pi",
    registry="npm",
    package="@mariozechner/pi-coding-agent",
    version="0.73.1",
    wire="chat",
    program="@mariozechner/pi-coding-agent/dist/cli.js",
    argv=("-p", "--mode", "json", "--provider", "door", "--model", "$model"),
    stdin="$statement",
    env={"PI_OFFLINE": "1", "PI_TELEMETRY": "0", "PI_CODING_AGENT_DIR": "$home/.pi/agent"},
    files={
        ".pi/agent/models.json": '{"providers": {"door": {"baseUrl": "$url/v1", "apiKey": "$token",'
        ' "api": "openai-completions", "models": [{"id": "$model", "name": "$model",'
        ' "input": ["text"], "contextWindow": 200000, "maxTokens": 32000, "reasoning": false,'
        ' "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0}}]}}}',
        ".pi/agent/settings.json": '{"retry": {"enabled": true, "maxRetries": 1}}',
    },
    unequal=(
        _COMPACTS,
        _RETRIES_ONCE,
        "is told a window of 200,000 tokens, and asks for 32,000 a reply at most",
    ),
)
AIDER = Agent(
    name="aider",
    registry="pypi",
    package="aider-chat",
    version="0.86.2",
    wire="chat",
    program="aider",
    argv=(
        *("--yes-always", "--no-check-update", "--no-show-release-notes", "--analytics-disable"),
        *("--no-pretty", "--no-fancy-input", "--no-gitignore", "--no-detect-urls"),
        *("--disable-playwright", "--no-show-model-warnings", "--model", "openai/$model"),
        *("--input-history-file", "$home/input", "--chat-history-file", "$home/chat.md"),
        *("--message-file", "$home/task.md"),
    ),
    env={
        "OPENAI_API_BASE": "$url/v1",
        "OPENAI_API_KEY": "$token",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    },
    files={"task.md": "$statement"},
    litter=(".aider*",),
    unequal=(
        "has no tools: it is shown a map of the repository, and asks for files by name",
        "asks the same model for commit messages and summaries",
        _OWN_RETRIES,
    ),
)
OPENHANDS = Agent(
    name="openhands",
    registry="pypi",
    package="openhands",
    version="1.16.0",
    wire="chat",
    program="openhands_cli.entrypoint",
    argv=(
        *("--headless", "--json", "--override-with-envs", "--always-approve"),
        *("--file", "$home/task.md"),
    ),
    env={
        "LLM_MODEL": "openai/$model",
        "LLM_BASE_URL": "$url/v1",
        "LLM_API_KEY": "$token",
        "LLM_NUM_RETRIES": "1",
        "OPENHANDS_PERSISTENCE_DIR": "$home/openhands",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    },
    files={"task.md": "$statement"},
    from_source=("func-timeout",),
    pythons=("3.12",),
    needs=("bash",),
    unequal=(_COMPACTS, _OWN_RETRIES),
)

AGENTS = (MINI_SWE_AGENT, CODEX, CLAUDE_CODE, OPENCODE, QWEN_CODE, PI, AIDER, OPENHANDS)

mini_swe_agent = partial(external, MINI_SWE_AGENT)
codex = partial(external, CODEX)
claude_code = partial(external, CLAUDE_CODE)
opencode = partial(external, OPENCODE)
qwen_code = partial(external, QWEN_CODE)
pi = partial(external, PI)
aider = partial(external, AIDER)
openhands = partial(external, OPENHANDS)
