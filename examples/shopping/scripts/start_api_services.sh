#!/usr/bin/env bash
# Starts the server with the trigger API, and the worker.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
mkdir -p "$run"

until_ready() { # name, log, command that succeeds once it is ready
  for _ in $(seq 300); do
    if eval "$3"; then return; fi
    if ! alive "$1"; then
      echo "The $1 ended; see $2" >&2
      exit 1
    fi
    sleep 0.2
  done
  echo "The $1 is not ready; see $2" >&2
  exit 1
}

if alive api; then
  echo "API server already running"
elif healthy; then
  echo "Port $API_PORT is in use already" >&2
  exit 1
else
  : >"$logs/api.log"
  "${PERDURE:-$here/../../bin/perdure}" server start-dev --headless --ip "${TEMPORAL_HOST%:*}" --port "${TEMPORAL_HOST##*:}" \
    --namespace "$TEMPORAL_NAMESPACE" --config "$here/perdure.json" --log-level info >"$logs/api.log" 2>&1 &
  echo $! >"$run/api.pid"
  until_ready api "$logs/api.log" healthy
fi

if alive worker; then
  echo "Worker already running"
else
  : >"$logs/worker.log"
  (cd "$here" && exec node worker.js) >"$logs/worker.log" 2>&1 &
  echo $! >"$run/worker.pid"
  until_ready worker "$logs/worker.log" 'grep -q RUNNING "$logs/worker.log"'
fi

echo "API:  $api"
echo "Docs: $api/docs"
