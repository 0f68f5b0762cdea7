"""The other targets of the Dockerfile, its labels, its layers."""

import shutil
from pathlib import Path

import pytest

from tests.deployment.image.checkout import other_checkout
from tests.support import engine
from tests.support.engine import Start
from tests.support.paths import NAME


def test_debug_has_a_shell(start: Start) -> None:
    """The target `debug` serves as the image does, and has a shell."""
    engine.build(f"{NAME}:debug", "--target", "debug")
    container = start(image=f"{NAME}:debug")
    engine.until(container.answers)
    assert container.serves()
    assert engine.run("exec", container.name, "sh", "-c", "echo a shell") == "a shell\n"


def test_test_target_passes_with_the_tests() -> None:
    """In the target `test`, on the base image and with nothing but Python, all tests of this tree pass."""
    engine.build(f"{NAME}:test", "--target", "test", "--build-arg", "TEST=yes")


def test_test_target_fails_with_the_tests(tmp_path: Path) -> None:
    """Where one test fails, so does the build of the target `test`."""
    checkout = other_checkout(tmp_path)
    for test in checkout.glob("tests/**/test_*.py"):
        test.unlink()
    (checkout / "tests/unit/test_none.py").write_text("def test_none() -> None:\n    assert 1 == 2\n")
    with pytest.raises(RuntimeError, match="assert 1 == 2"):
        engine.build(f"{NAME}:test", "--target", "test", "--build-arg", "TEST=yes", context=checkout)


def test_traces(start: Start) -> None:
    """With the packages of OpenTelemetry, the image can send spans, as a hardened container too; it says its size."""
    tag = f"{NAME}:otel"
    engine.build(tag, "--build-arg", "OTEL=yes")
    container = start(*engine.HARDENED, "--env", "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318", image=tag)
    engine.until(container.answers)
    assert container.serves()
    size = engine.inspect(tag)["Size"]
    assert size <= 65_000_000
    started = [line for line in container.log() if line["event"] == "starting"]
    assert [True] == [line["traces"] for line in started]


def test_labels() -> None:
    """Version and revision are labels, and the service tells them."""
    options = ("--build-arg", "VERSION=1.2.3", "--build-arg", "REVISION=0123abc")
    engine.build(f"{NAME}:labelled", *options)
    config = engine.inspect(f"{NAME}:labelled")["Config"]
    labels = {name.removeprefix("org.opencontainers.image."): text for name, text in config["Labels"].items()}
    assert (labels["version"], labels["revision"]) == ("1.2.3", "0123abc")
    assert "REVISION=0123abc" in config["Env"]


def test_an_edit_of_the_application_keeps_the_lower_layers(tmp_path: Path, image: str) -> None:
    """After an edit of the application, only the last layer differs: that much is stored and sent."""
    checkout = other_checkout(tmp_path)
    with (checkout / "app/version.py").open("a") as file:
        file.write("\n# edited\n")
    engine.build(f"{NAME}:edited", context=checkout)
    before, after = (engine.inspect(name)["RootFS"]["Layers"] for name in (image, f"{NAME}:edited"))
    assert after[:2] == before[:2]
    assert after[2:] != before[2:]
    shutil.rmtree(tmp_path)
