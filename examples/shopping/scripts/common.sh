# What the scripts share; not run by itself. TEMPORAL_HOST, TEMPORAL_NAMESPACE and API_PORT say where.
here="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
export TEMPORAL_HOST="${TEMPORAL_HOST:-localhost:7233}"
export TEMPORAL_NAMESPACE="${TEMPORAL_NAMESPACE:-default}"
export API_PORT="${API_PORT:-8000}"
api="http://localhost:$API_PORT"
# worker.log, api.log; process ids in .run.
logs="${LOG_DIR:-$here}"
run="$logs/.run"

alive() { [ -f "$run/$1.pid" ] && kill -0 "$(cat "$run/$1.pid")" 2>/dev/null; }
healthy() { curl -sf -m 5 "$api/" >/dev/null 2>&1; }
