"""The builds that the stack is rolled to."""

from tests.support import engine

FIRST, SECOND = "flask_app:first", "flask_app:second"

# Two ways to be broken: the first serves, and its health check never passes; the second ends at once.
BROKEN = {
    "flask_app:never-ready": 'HEALTHCHECK --interval=1s --retries=2 CMD ["/opt/venv/bin/python", "-c", "exit(1)"]',
    "flask_app:bad-setting": "ENV WEB_CONCURRENCY=many",
}


def build() -> list[str]:
    """Build all of them on the engine of this machine, and return their names."""
    engine.build(FIRST, "--build-arg", "REVISION=first")
    engine.build(SECOND, "--build-arg", "REVISION=second")
    for tag, fault in BROKEN.items():
        engine.run("build", "--tag", tag, "-", input=f"FROM {FIRST}\n{fault}\n")
    return [FIRST, SECOND, *BROKEN]
