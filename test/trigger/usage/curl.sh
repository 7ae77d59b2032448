# Synchronous
curl -X POST http://localhost:8000/workflows/shopping \
  -H "Content-Type: application/json" \
  -d '{"items":[{"fruit":"APPLE","amount":5}]}'
echo

# Asynchronous
curl -X POST http://localhost:8000/workflows/shopping/async \
  -H "Content-Type: application/json" \
  -d '{"items":[{"fruit":"BANANA","amount":3}]}' | tee started
echo
workflow_id=$(sed -E 's/.*"workflow_id":"([^"]*)".*/\1/' started)

# Get result
curl http://localhost:8000/workflows/${workflow_id}/result
echo

# Check status
curl http://localhost:8000/workflows/${workflow_id}/status
echo

# Test health
curl http://localhost:8000/
