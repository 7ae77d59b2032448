#!/usr/bin/env bash
# Says what runs; exit code 1 when something does not.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

status=0
for name in api worker; do
  if alive "$name"; then
    echo "$name: running (pid $(cat "$run/$name.pid"))"
  else
    echo "$name: not running"
    status=1
  fi
done
if healthy; then
  echo "health: $(curl -s "$api/")"
else
  echo "health: no answer at $api/"
  status=1
fi
exit $status
