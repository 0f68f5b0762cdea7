-- What wrk sends, and the result as one line of JSON, which is easier to read than wrk's own table.

wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"data": ["1", "2"]}'

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '{"requests": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, "errors": %d}\n',
        summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
