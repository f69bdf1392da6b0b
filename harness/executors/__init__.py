"""Who makes the attempts: this machine, or the nodes of a cluster."""

FLEETS = {"ray": "harness.executors.ray:Ray"}
