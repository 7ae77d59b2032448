#!/usr/bin/env bash
# Calls every endpoint of the running API and checks what it answers.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

check() { # what, answer, text that must be in it
  if [[ "$2" == *"$3"* ]]; then
    echo "ok: $1"
  else
    echo "FAILED: $1: expected $3 in: $2" >&2
    exit 1
  fi
}
post() { curl -s -X POST "$api$1" -H "Content-Type: application/json" -d "$2"; }

check "health check" "$(curl -s "$api/")" '"temporal_connected":true'
check "synchronous workflow" "$(post /workflows/shopping '{"items":[{"fruit":"APPLE","amount":5},{"fruit":"BANANA","amount":3}]}')" \
  '"status":"completed","result":"Ordered 5 Apples...Ordered 3 Bananas..."'
started="$(post /workflows/shopping/async '{"items":[{"fruit":"ORANGE","amount":10}]}')"
check "asynchronous workflow" "$started" '"status":"started","result":null'
id="$(sed -E 's/.*"workflow_id":"([^"]*)".*/\1/' <<<"$started")"
check "result retrieval" "$(curl -s "$api/workflows/$id/result")" '"result":"Ordered 10 Oranges..."'
check "status checking" "$(curl -s "$api/workflows/$id/status")" '"status":"COMPLETED"'
echo "All tests passed"
