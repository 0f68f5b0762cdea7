"""FastAPI, with prometheus-fastapi-instrumentator by its README and the same logs."""

import time
import uuid
from collections.abc import Awaitable, Callable

import structlog
from fastapi import FastAPI, Request, Response
from prometheus_fastapi_instrumentator import Instrumentator
from pydantic import BaseModel

import json_logs

json_logs.configure()
log = structlog.get_logger()
app = FastAPI()
Instrumentator().instrument(app).expose(app)


class Numbers(BaseModel):
    """The body of a request."""

    data: list[float]


@app.middleware("http")
async def log_request(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Write one line for each request, in the place of uvicorn's."""
    started = time.perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(
        request_id=request.headers.get("X-Request-ID") or str(uuid.uuid4()),
        method=request.method,
        path=request.url.path,
        peer=request.client.host if request.client else None,
        user_agent=request.headers.get("User-Agent"),
    )
    response = await call_next(request)
    log.info("request", status=response.status_code, duration=time.perf_counter() - started)
    return response


@app.post("/")
async def add(numbers: Numbers) -> float:
    """Add floats."""
    return sum(numbers.data)
