"""The builds that the stack is rolled to."""

from tests.support import engine
from tests.support.paths import NAME

FIRST, SECOND = f"{NAME}:first", f"{NAME}:second"

# Two ways to be broken: the first serves, and its health check never passes; the second ends at once.
BROKEN = {
    f"{NAME}:never-ready": 'HEALTHCHECK --interval=1s --retries=2 CMD ["/opt/venv/bin/python", "-c", "exit(1)"]',
    f"{NAME}:bad-setting": "ENV WEB_CONCURRENCY=many",
}


def build() -> list[str]:
    """Build all of them on the engine of this machine, and return their names."""
    engine.build(FIRST, "--build-arg", "REVISION=first")
    engine.build(SECOND, "--build-arg", "REVISION=second")
    for tag, fault in BROKEN.items():
        engine.run("build", "--tag", tag, "-", input=f"FROM {FIRST}\n{fault}\n")
    return [FIRST, SECOND, *BROKEN]
