"""Anyone's results in, ours out. A format is a line here; its module is imported when asked for."""

IMPORTS = {
    "pro": "results.exchange.pro:EvalResults",
    "swebench": "results.exchange.swebench:RunReport",
    "swe-agent": "results.exchange.swe_agent:SweAgent",
    "mini-swe-agent": "results.exchange.mini_swe_agent:MiniSweAgent",
    "harbor": "results.exchange.harbor:HarborJob",
    "inspect": "results.exchange.inspect_logs:InspectLog",
    "csv": "results.exchange.tables:Table",
}
"""Each makes an object with `read(path) -> Imported`; its fields are the format's knobs."""

EXPORTS = {
    "swebench": "results.exchange.predictions:swebench",
    "pro": "results.exchange.predictions:pro",
    "atif": "results.exchange.atif:export",
    "junit": "results.exchange.junit:export",
    "csv": "results.exchange.flat:export",
    "parquet": "results.exchange.parquet:export",
}
"""Each is a function `(store, into) -> Written`."""
