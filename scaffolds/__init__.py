"""The scaffolds, by name. To add one: write its module, add its line."""

SCAFFOLDS = {
    "bash": "scaffolds.presets:bash",
    "bash-fenced": "scaffolds.presets:bash_fenced",
    "editor": "scaffolds.presets:editor",
    "editor-elide": "scaffolds.presets:editor_elide",
    "oracle": "scaffolds.controls:Oracle",
    "nop": "scaffolds.controls:Nop",
}
