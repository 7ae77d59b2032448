#!/usr/bin/env bash
# Stops what start_api_services.sh started.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

for name in worker api; do
  if alive "$name"; then
    pid="$(cat "$run/$name.pid")"
    kill "$pid"
    for _ in $(seq 100); do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
    kill -9 "$pid" 2>/dev/null || true
    echo "Stopped the $name"
  else
    echo "The $name is not running"
  fi
  rm -f "$run/$name.pid"
done
