"""A release as its users meet it: they verify it, run it, build it again, and refuse what is not it."""

import base64
import json
import subprocess
from pathlib import Path

import pytest

from tests.deployment.image import layers, test_contents
from tests.deployment.release.steps import SIGN, VERIFY, Release, build, run
from tests.support import engine
from tests.support.paths import NAME, ROOT

PLATFORMS = ("linux-amd64", "linux-arm64")
VERIFIER = ROOT / "config/release/verify.sh"


def refusal(*command: str | Path) -> str:
    """Run a command that must fail, and return why it did."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    print(done.stderr)  # noqa: T201 - pytest shows it with -s
    assert 0 != done.returncode
    return done.stderr


def test_signature_and_attestations_are_verified(release: Release, keys: Path) -> None:
    """With our public key the signature is found good, and for each platform the bill and the provenance."""
    printed = run(VERIFIER, release.name(), "--key", keys / "ours.pub", *VERIFY)
    assert [release.name(platform) for platform in PLATFORMS] == [
        line.split()[1] for line in printed.splitlines() if line.startswith("verified: ")
    ]


def test_the_attested_bill_is_the_one_inside(release: Release, keys: Path) -> None:
    """What is attested is what the image itself has, and the provenance names base and commit."""
    for platform in PLATFORMS:
        engine.run("pull", release.name(platform))
        inside = layers.read(release.name(platform))[f"/usr/share/sbom/{NAME}.cdx.json"].content
        assert json.loads(inside) == attested("cyclonedx", release.name(platform), keys)
        provenance = attested("slsaprovenance", release.name(platform), keys)
        labels = engine.inspect(release.name(platform))["Config"]["Labels"]
        base = labels["org.opencontainers.image.base.digest"].removeprefix("sha256:")
        assert [base] == [material["digest"]["sha256"] for material in provenance["materials"]]
        revision = labels["org.opencontainers.image.revision"]
        assert revision == provenance["invocation"]["configSource"]["digest"]["sha1"]


def attested(kind: str, name: str, keys: Path) -> dict[str, object]:
    """Return what is attested of an image, once cosign has verified it."""
    command = ["cosign", "verify-attestation", "--type", kind, "--key", str(keys / "ours.pub"), *VERIFY, name]
    envelope = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    predicate: dict[str, object] = json.loads(base64.b64decode(envelope["payload"]))["predicate"]
    return predicate


@pytest.mark.parametrize("platform", PLATFORMS)
def test_runs(release: Release, platform: str) -> None:
    """Pulled by its digest, hardened, it answers, turns healthy and holds what it should; arm64 by emulation."""
    option = ("--platform", platform.replace("-", "/"))
    engine.run("pull", *option, release.name())
    container = engine.Container(*option, *engine.HARDENED, "--publish", "127.0.0.1::5000", image=release.name())
    try:
        engine.until(container.answers, 60)
        assert container.serves()
        engine.until(lambda: container.health() == "healthy", 60)
        machine = {"linux-amd64": "x86_64\n", "linux-arm64": "aarch64\n"}[platform]
        assert machine == container.python("import platform; print(platform.machine())")
    finally:
        container.remove()


@pytest.mark.parametrize("platform", PLATFORMS)
def test_holds_what_it_should(release: Release, platform: str) -> None:
    """Either architecture's image passes the tests of contents, and is no larger than 45 MB."""
    engine.run("pull", release.name(platform))
    entries = layers.read(release.name(platform))
    assert layers.size(release.name(platform)) <= test_contents.MEGABYTES_45
    for check in (
        test_contents.test_only_python_is_executed,
        test_contents.test_no_tools,
        test_contents.test_owned_by_root,
        test_contents.test_modes,
        test_contents.test_only_what_is_admitted,
        test_contents.test_everything_has_bytecode,
    ):
        check(entries)


def test_anyone_builds_the_same_digest(release: Release, repository: Path, registry: str, tmp_path: Path) -> None:
    """Another checkout of the commit, built without a cache, is the released image to the last bit."""
    run("git", "clone", "--quiet", repository, tmp_path / "clone")
    build(tmp_path / "clone", tmp_path / "again", registry)
    assert release.digest() == (tmp_path / "again" / "digest").read_text()


def test_another_key_is_refused(release: Release, keys: Path) -> None:
    """What we have signed is not what another has signed."""
    reason = refusal(VERIFIER, release.name(), "--key", keys / "other.pub", *VERIFY)
    assert "accepted signatures do not match threshold" in reason


def test_a_changed_image_is_refused(release: Release, keys: Path, tmp_path: Path) -> None:
    """An image that is put in the place of the released one, under its tag, bears no signature of ours."""
    (tmp_path / "Dockerfile").write_text(f"FROM {release.name()}\nENV CHANGED=1\n")
    tag = f"{release.image}:changed"
    engine.run("build", "--provenance=false", "--tag", tag, tmp_path)
    engine.run("push", tag)
    digest = engine.run("buildx", "imagetools", "inspect", "--format", "{{print .Manifest.Digest}}", tag)
    assert release.digest() != digest
    assert "no signatures found" in refusal(VERIFIER, f"{release.image}@{digest}", "--key", keys / "ours.pub", *VERIFY)


def test_a_changed_bill_is_refused(release: Release, keys: Path, tmp_path: Path) -> None:
    """A bill of materials that another has attested does not count, even where the image is signed by us."""
    (tmp_path / "sbom.json").write_text(json.dumps({"bomFormat": "CycloneDX", "components": []}))
    subject = release.name("linux-amd64")
    options = ("--type", "cyclonedx", "--key", keys / "other.key", *SIGN)
    run("cosign", "attest", "--yes", "--predicate", tmp_path / "sbom.json", *options, subject)
    assert attested("cyclonedx", subject, keys)["components"] != []


def test_changed_bytes_are_refused(release: Release, registry: str, storage: Path, tmp_path: Path) -> None:
    """A registry that hands out other bytes than the digest names is not believed."""
    assert registry
    digest = release.digest("linux-amd64").removeprefix("sha256:")
    data = storage / "docker/registry/v2/blobs/sha256" / digest[:2] / digest / "data"
    original = data.read_bytes()
    data.write_bytes(original.replace(b'"config"', b'"Config"'))
    try:
        source = f"docker://{release.name('linux-amd64')}"
        reason = refusal("skopeo", "copy", "--src-tls-verify=false", source, f"dir:{tmp_path / 'copy'}")
        assert "digest" in reason.lower()
    finally:
        data.write_bytes(original)
