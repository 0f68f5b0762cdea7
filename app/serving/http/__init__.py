"""HTTP/1.1 for a WSGI application: llhttp parses, asyncio (or uvloop) moves the bytes, and the policy is here.

It depends on neither Flask nor any other package of this project.
"""
