# SPDX-License-Identifier: Apache-2.0
"""A browser or a program that asks the API, and holds each answer against doc/openapi.yaml."""
import base64
import collections
import http.client
import json
import re
import urllib.parse

import yaml
from conftest import PASSWORD, ROOT
from hostile import connect

API = yaml.safe_load((ROOT / "doc" / "openapi.yaml").read_text())
BASE = "/api/v1"
METHODS = ("get", "post", "put", "patch", "delete")
Answer = collections.namedtuple("Answer", "status headers body json")
succeeded = set()  # (method, path of the description) that were answered with 2xx


# The description, as a judge of answers

def resolve(node):
    while "$ref" in node:
        for part in (found := API, *node["$ref"].split("/")[1:]):
            found = found if part is API else found[part]
        node = found
    return node


TYPES = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool,
         "null": type(None)}


def merged(schema):
    """What "allOf" says together."""
    schema = resolve(schema)
    out = {k: v for k, v in schema.items() if k != "allOf"}
    for part in map(merged, schema.get("allOf", [])):
        out.setdefault("type", part.get("type"))
        out["properties"] = {**part.get("properties", {}), **out.get("properties", {})}
        out["required"] = [*part.get("required", []), *out.get("required", [])]
    return out


def check_schema(value, schema, where):
    schema = merged(schema)
    if not schema:
        return  # anything
    if "type" in schema:
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        assert type(value) in [TYPES[t] for t in types], (where, value)
    assert value in schema.get("enum", [value]), (where, value)
    if schema.get("format") == "date-time" and value is not None:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", value), (where, value)
    if isinstance(value, list):
        for v in value:
            check_schema(v, schema["items"], where + "[]")
    elif isinstance(value, dict):
        known = schema.get("properties", {})
        assert set(schema.get("required", ())) <= set(value), (where, value)
        for k, v in value.items():
            rest = schema.get("additionalProperties")
            assert k in known or isinstance(rest, dict), f"{where}.{k} is not described"
            check_schema(v, known.get(k, rest), f"{where}.{k}")


def described(path):
    """The description's path for one that was asked for; of several the one with fewest parameters."""
    path = path.partition("?")[0]
    for pattern in sorted(API["paths"], key=lambda p: p.count("{")):
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", re.escape(pattern).replace(r"\{", "{")
                               .replace(r"\}", "}")), path):
            return pattern
    return None


def judge(method, path, a):
    pattern = described(path)
    operation = API["paths"].get(pattern, {}).get(method.lower())
    if not operation:
        assert a.status in (404, 405, 421) or method == "OPTIONS"
        return
    responses = operation["responses"]
    response = resolve(responses.get(str(a.status), responses["default"]))
    assert str(a.status) in responses or a.status >= 400, (method, path, a)
    kind = a.headers.get("Content-Type", "").partition(";")[0]
    content = response.get("content", {})
    assert kind in content if content else not a.body, (method, path, a.status, kind)
    if content.get(kind, {}).get("schema"):
        check_schema(a.json, content[kind]["schema"], f"{method} {path}")
    if 200 <= a.status < 300:
        succeeded.add((method.lower(), pattern))


class Client:
    """A browser or a program; what it is answered is judged."""

    def __init__(self, server, service="https", login=None, password=PASSWORD, name="example.org"):
        self.server, self.service, self.name = server, service, name
        self.login, self.password = login, password
        self.cookie = self.csrf = None

    def connection(self):
        s = connect(self.server, self.service)
        if self.service == "https":
            s = self.server.context().wrap_socket(s, server_hostname=self.name)
        c = http.client.HTTPConnection(self.name)
        c.sock = s
        return c

    def ask(self, method, path, body=None, headers=None, expect=None):
        headers = {"Host": self.name, **(headers or {})}
        if self.login:
            pair = f"{self.login}:{self.password}".encode()
            headers.setdefault("Authorization", "Basic " + base64.b64encode(pair).decode())
        if self.cookie:
            headers.setdefault("Cookie", f"__Host-signet={self.cookie}")
        if self.csrf and method not in ("GET", "HEAD"):
            headers.setdefault("X-CSRF-Token", self.csrf)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        c = self.connection()
        c.request(method, path, body, headers)
        r = c.getresponse()
        octets = r.read()
        is_json = octets and "json" in r.headers.get("Content-Type", "")
        parsed = json.loads(octets) if is_json else None
        a = Answer(r.status, r.headers, octets, parsed)
        c.close()
        assert a.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in a.headers["Content-Security-Policy"]
        if method != "HEAD":
            judge(method, path, a)
        if expect:
            assert a.status == expect, (method, path, a)
        return a

    def get(self, path, expect=200, **kwargs):
        return self.ask("GET", BASE + path, expect=expect, **kwargs).json

    def start(self, login, password=PASSWORD):
        a = self.ask("POST", BASE + "/session", {"login": login, "password": password}, expect=200)
        cookie, *attributes = a.headers["Set-Cookie"].split("; ")
        assert set(attributes) == {"Path=/", "Secure", "HttpOnly", "SameSite=Strict"}
        name, _, self.cookie = cookie.partition("=")
        assert name == "__Host-signet" and len(self.cookie) >= 32
        self.csrf = a.json["csrf"]
        return a.json


def quoted(text):
    return urllib.parse.quote(text, safe="")


OPERATIONS = [(method, path) for path, methods in API["paths"].items() for method in methods
              if method in METHODS]
