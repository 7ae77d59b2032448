"""A client of the trigger API."""

import os

import requests


class TemporalAPIClient:
    def __init__(self, base_url=None):
        port = os.getenv("API_PORT", "8000")
        self.base_url = (base_url or f"http://localhost:{port}").rstrip("/")

    def health_check(self):
        return self._answer(requests.get(f"{self.base_url}/"))

    def trigger_shopping_workflow_sync(self, items):
        """Waits for the result."""
        return self._answer(requests.post(f"{self.base_url}/workflows/shopping", json={"items": items}))

    def trigger_shopping_workflow_async(self, items):
        """Answers at once, with the workflow's id."""
        return self._answer(requests.post(f"{self.base_url}/workflows/shopping/async", json={"items": items}))

    def get_workflow_status(self, workflow_id):
        return self._answer(requests.get(f"{self.base_url}/workflows/{workflow_id}/status"))

    def wait_for_workflow(self, workflow_id, timeout=None):
        """The server answers when the workflow has ended."""
        return self._answer(requests.get(f"{self.base_url}/workflows/{workflow_id}/result", timeout=timeout))

    @staticmethod
    def _answer(response):
        response.raise_for_status()
        return response.json()
