"""The benchmarks, by name: where tasks come from, and who can grade them."""

SOURCES = {
    "swebench-pro": "tasks.swebench_pro.load:SwebenchPro",
    "local": "tasks.local.load:LocalFolders",
    "demo": "tasks.local.load:demo",
}
GRADERS = {
    "swebench-pro": "tasks.swebench_pro.grade:ProGrader",
    "local": "tasks.local.grade:LocalGrader",
}
