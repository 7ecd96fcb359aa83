# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/openapi.yaml against what a running control unit really takes and answers.

Stricter than OpenAPI: an answer has every member of its schema, unless the description begins with "Absent" or the schema has a
list of its own of what is required, and none that isn't in the schema."""
import json
import re
from pathlib import Path

import jsonschema
import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENT = yaml.safe_load((ROOT / "docs/openapi.yaml").read_text())
METHODS = ("get", "put", "post", "delete")


def resolve(value):
    while isinstance(value, dict) and "$ref" in value:
        found = DOCUMENT
        for name in value["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        value = found
    return value


def merge(schema):
    """An object that is put together of several by allOf, as one: nothing else can say that there is no further member."""
    parts = [merge(resolve(part)) for part in schema.get("allOf", [])]
    if not parts or not all("properties" in part for part in parts):
        return schema
    members = {name: value for part in parts for name, value in part["properties"].items()}
    made = {"type": "object", "properties": members} | {key: value for key, value in schema.items() if key != "allOf"}
    required = [part["required"] for part in parts if "required" in part]
    return made | {"required": sum(required, [])} if required else made


def strict(schema, answer):
    """OpenAPI's schema as JSON Schema."""
    schema = merge(resolve(schema))
    made = {key: value for key, value in schema.items() if key not in ("description", "nullable", "example", "format")}
    if "properties" in schema:
        made["properties"] = {name: strict(value, answer) for name, value in schema["properties"].items()}
        if answer:
            made.setdefault("additionalProperties", False)
            made.setdefault("required", [name for name, value in schema["properties"].items()
                                         if not resolve(value).get("description", "").startswith("Absent")])
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            made[key] = strict(schema[key], answer)
    for key in ("allOf", "oneOf", "anyOf"):
        if key in schema:
            made[key] = [strict(value, answer) for value in schema[key]]
    return {"anyOf": [{"type": "null"}, made]} if schema.get("nullable") else made


def content(part, answer):
    """A validator of a body, or None where there is none."""
    schema = resolve(part or {}).get("content", {}).get("application/json", {}).get("schema")
    return jsonschema.Draft7Validator(strict(schema, answer)) if schema else None


class Operation:
    def __init__(self, path, method, described):
        self.name = f"{method.upper()} {path}"
        self.path, self.method = path, method.upper()
        self.pattern = re.compile(re.sub(r"\{\w+\}", "[^/]+", path) + "$")
        self.request = content(described.get("requestBody"), False)
        self.answers = {int(status): content(answer, True) for status, answer in described["responses"].items()}
        self.seen = set()  # statuses


OPERATIONS = [Operation(path, method, item[method]) for path, item in DOCUMENT["paths"].items() for method in METHODS if method in item]
# Of any address: bad credentials, too many of them, a body without end, a method that it doesn't take, a disk that takes nothing.
EVERYWHERE = {401, 403, 404, 405, 413, 429, 500, 503, 507}
ERROR = content(DOCUMENT["components"]["responses"]["Error"], True)


def first_error(validator, value):
    error = jsonschema.exceptions.best_match(validator.iter_errors(value))
    return error and f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"


def find(method, path):
    return next((o for o in OPERATIONS if o.method == method and o.pattern.match(path)), None)


def complaint(method, path, sent, status, answer):
    """What is wrong with a call and its answer, as a text, or None."""
    path = path.split("?", 1)[0]
    operation = find(method, path)
    if status >= 400:
        why = first_error(ERROR, answer)
        if why:
            return f"{method} {path}: {status} isn't an error as described: {why}"
        if operation and status not in operation.answers and status not in EVERYWHERE:
            return f"{operation.name}: {status} isn't described"
        if operation:
            operation.seen.add(status)
        return None
    if not operation:
        return f"{method} {path} isn't described, and answers {status}"
    if status not in operation.answers:
        return f"{operation.name}: {status} isn't described"
    operation.seen.add(status)
    if operation.request and sent:
        why = first_error(operation.request, json.loads(sent))
        if why:
            return f"{operation.name} took a body that isn't as described: {why}"
    validator = operation.answers[status]
    why = first_error(validator, answer) if validator else isinstance(answer, (dict, list)) and "there is a body"
    return f"{operation.name}: {status} isn't as described: {why}" if why else None


def routes_of_the_sources():
    """Method and path of every route that a table in control/ has."""
    found = set()
    for source in (ROOT / "control").glob("*.c"):
        for method, path in re.findall(r'\{\s*"(GET|PUT|POST|DELETE)",\s*"(/[^"]*)",\s*[A-Z_0-9]+\s*\}', source.read_text()):
            found.add(f"{method} {path}")
    return found


def routes_of_the_document():
    return {f"{o.method} {re.sub(r'{[^}]*}', '{}', o.path)}" for o in OPERATIONS}
