"""Tables: those that can be derived are compared with what is served."""

import json
import re
import shlex

from tests.deployment.copy.test_copy import EDITED, REMOVED
from tests.support.http_client import get
from tests.support.pages import PAGES, blocks, names, sessions, table
from tests.support.paths import ROOT
from tests.support.service import Service, wait_until

EVERY_LINE = {"timestamp", "level", "event"}


def test_the_table_of_metrics_names_what_is_served(product: Service) -> None:
    """The table names each metric that is served with its type, and no other one."""
    text = get(product.metrics_port, "/metrics").body.decode()
    served = dict(re.findall(r"^# TYPE (\S+) (\w+)", text, re.MULTILINE))
    documented = {row[0].strip("`"): re.split("[;,]", row[1])[0] for row in table("docs/reference/metrics.md")}
    assert served == documented


def test_the_table_of_metrics_names_the_labels(product: Service) -> None:
    """The table names the labels of each metric."""
    text = get(product.metrics_port, "/metrics").body.decode()
    for row in table("docs/reference/metrics.md"):
        metric = row[0].strip("`")
        series = re.findall(rf"^{metric}(?:_bucket)?(?:{{(.*)}})? ", text, re.MULTILINE)
        served = {name for labels in series for name in re.findall(r"(\w+)=", labels)} - {"le"}
        assert served == names([row[1]])


def test_the_table_of_the_log_names_each_key_of_a_request(product: Service) -> None:
    """The table names each key of a request's line, but for those that all lines have."""
    documented = names([row[0] for row in table("docs/reference/logs.md")])
    trace = f"traceparent: 00-{'a' * 32}-{'b' * 16}-01"
    get(product.port, "/nowhere", "X-Request-ID: documented", trace)
    (line,) = wait_until(lambda: product.requests(request_id="documented"), "the line is written")
    assert set(line) - EVERY_LINE == documented - {"error"}


def test_the_lines_of_the_pages_have_the_keys_of_a_line(product: Service) -> None:
    """A request's line on a page has the keys, in their order, that a line has."""
    get(product.port, "/nowhere", "X-Request-ID: example-line")
    (line,) = wait_until(lambda: product.requests(request_id="example-line"), "the line is written")
    shown = [json.loads(block) for page in PAGES for block in blocks(page, "json")]
    assert len(shown) >= 2
    for example in shown:
        assert list(line) == list(example)


def test_the_table_of_statuses_names_what_is_described(product: Service) -> None:
    """The table of statuses has those of the OpenAPI description, and those that no route has."""
    description = json.loads(get(product.port, "/openapi.json").body)
    operations = [operation for item in description["paths"].values() for operation in item.values()]
    described = {status for operation in operations for status in operation["responses"]} - {"200"}
    assert described | {"404"} == names([row[0] for row in table("docs/reference/http.md", "Errors")])


def test_the_table_of_requests_names_each_route(product: Service) -> None:
    """The table of requests has the paths and methods of the OpenAPI description."""
    description = json.loads(get(product.port, "/openapi.json").body)
    described = {f"{method.upper()} {path}" for path, item in description["paths"].items() for method in item}
    rows = table("docs/reference/http.md", "Requests")
    assert described == {name for name in names([row[0] for row in rows]) if re.match("[A-Z]+ /", name)}


def test_the_walk_of_the_copy_is_what_is_tested() -> None:
    """The page on copies shows the package, the removals and the edits that the test of copies makes."""
    page = ROOT / "docs" / "make-it-yours.md"
    package = ROOT / "tests" / "deployment" / "copy" / "quotes" / "__init__.py"
    assert package.read_text() in blocks(page, "python")
    removals = [command.removeprefix("git rm -r ") for command, _ in sessions(page) if command.startswith("git rm ")]
    assert sorted(REMOVED) == sorted(shlex.split(" ".join(removals)))
    edited = names([row[0] for row in table("docs/make-it-yours.md")])
    assert set(EDITED) <= edited
