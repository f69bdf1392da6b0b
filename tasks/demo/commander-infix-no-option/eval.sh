#!/bin/sh
# Runs FAIL_TO_PASS and PASS_TO_PASS, and nothing else; the report is JUnit XML.
prefix=${HARNESS_PREFIX:-/opt/task}
exec "$prefix/bin/node" --test --test-reporter=junit --test-reporter-destination="$HARNESS_REPORT" \
    test/infix-no.test.js
