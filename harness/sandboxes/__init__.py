SANDBOXES = {
    "docker": "harness.sandboxes.docker:Docker",
    "bubblewrap": "harness.sandboxes.bubblewrap:Bubblewrap",
    "host": "harness.sandboxes.host:Host",
}
