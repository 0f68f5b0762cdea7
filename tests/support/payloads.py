"""Texts that do harm where they are taken for anything but text."""

PAYLOADS = (
    b'"}\\n{"event":"forged","level":"critical"}',
    b'x"} 1\\nforged_total{a="b"} 1',
    b"%0d%0a%0d%0aHTTP/1.1%20200%20OK%0d%0aX-Forged:%201",
    b"%22%7d%0a%7b%22event%22:%22forged%22%7d",
    b"\\u000a\\u0022\\u007d{}",
    b"%1b%5b31m%9b31m%7f%00%08",
    b"%e2%80%a8%e2%80%ae%e2%81%a6%c2%85%ef%bf%bf%f0%9f%92%a9",
    b"%ff%fe%c0%af%ed%a0%80",
    b"%s%n%x%d%(message)s{0}{0.__class__.__init__.__globals__}",
    b"{{7*7}}${7*7}<%=7*7%>#{7*7}{{config}}{%25debug%25}",
    b"${jndi:ldap://127.0.0.1/a}$(env)`env`;env|env&&env",
    b"../../../../../../proc/self/environ",
    b"..%2f..%2f..%2fproc%2fself%2fenviron%00.html",
    b"file:///proc/self/environ",
    b"<script>alert(1)</script><!--#exec cmd='env'--><?php phpinfo() ?>",
    b"' OR 1=1 --\\' UNION SELECT",
    b"__import__('os').environ",
    b"a" * 4000,
)

# These reach the service in a header alone.
RAW = (
    "\u202eright\u2028left\u2066".encode(),
    b"\x9b31m\x85\xff\xfe\xa0",
    b"\ttab\t",
    b'\\"\\\\"',
)
