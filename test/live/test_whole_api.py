# SPDX-License-Identifier: Apache-2.0
"""Runs last, by its name: each route that doc/openapi.yaml describes has been answered well by one of the
tests before, with an answer that the description fits."""
import pytest
from webclient import BASE, OPERATIONS, succeeded

ALONE = {("patch", BASE + "/queue/{id}"), ("delete", BASE + "/queue/{id}"),  # the queue is empty
         ("get", "/.well-known/acme-challenge/{token}")}  # test_acme.py, by an authority


def test_every_route_was_answered():
    if not {("get", BASE + "/queue"), ("get", BASE + "/accounts/{address}/encryption")} <= succeeded:
        pytest.skip("the other tests did not run before")
    assert set(OPERATIONS) - succeeded == ALONE
