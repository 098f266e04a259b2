"""The adapter for servers that speak the OpenAI-compatible wire format: hosted ones, vLLM, llama.cpp, Ollama and others.

One call is one attempt: retries, limits and the journal are wrappers. aiohttp costs about a tenth of a millisecond of
CPU a request, where the vendors' packages cost 1.5 to 6.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import TYPE_CHECKING, Any

import orjson

from deeppersona.errors import Malformed, NotSupported, RateLimited, Unreachable, UsageError
from deeppersona.models.port import Completion, Prompt, Usage

if TYPE_CHECKING:
    import aiohttp

HOSTED = "https://api.openai.com/v1"
MOST_BYTES = 8_000_000  # an answer beyond this is no answer
_BUSY = frozenset({408, 409, 425, 500, 502, 503, 504, 520, 522, 524, 529})
_LOST = {
    401: "the server does not accept the key", 403: "the server forbids it",
    404: "the server knows no such model or address", 402: "the account has no money left",
}  # fmt: skip
# What some servers do not know, and what it is sent as instead; None: left out.
_ALTERNATIVE = {"max_tokens": "max_completion_tokens", "temperature": None, "seed": None, "top_logprobs": None}


def key_for(url: str | None) -> str:
    """The key of a server, from the environment. A key of the hosted service is never sent to another host."""
    if url is None:
        key = os.environ.get("OPENAI_API_KEY", "").strip()  # a newline comes along from files, and no header takes it
        if not key:
            raise UsageError(
                "openai: needs a key: set OPENAI_API_KEY in the environment, or name a server of your own: "
                "openai:NAME@http://127.0.0.1:8000/v1"
            )
        return key
    return os.environ.get("DEEPPERSONA_API_KEY", "").strip()


class OpenAICompatible:
    """One model of one server."""

    def __init__(self, model: str, url: str | None = None, *, timeout_s: float = 180.0, name: str = "") -> None:
        self.model, self.url = model, (url or HOSTED).rstrip("/")
        self._name = name or f"openai:{model}"
        self._key = key_for(url)
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None
        self._instead: dict[str, str | None] = {}

    @property
    def name(self) -> str:
        """``openai:NAME``: the place where it runs is not part of what it is."""
        return self._name

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            import aiohttp

            headers = {"Content-Type": "application/json"}
            if self._key:
                headers["Authorization"] = f"Bearer {self._key}"
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300, keepalive_timeout=60),
                timeout=aiohttp.ClientTimeout(total=self._timeout_s, connect=20.0), headers=headers,
                skip_auto_headers=("Accept-Encoding", "User-Agent"), auto_decompress=True,
            )  # fmt: skip
        return self._session

    def _body(self, prompt: Prompt) -> bytes:
        body: dict[str, Any] = {
            "model": self.model, "messages": [{"role": m.role, "content": m.text} for m in prompt.messages],
            "max_tokens": prompt.max_tokens, "temperature": prompt.temperature, "seed": prompt.seed & 0x7FFFFFFF,
        }  # fmt: skip
        if prompt.shape == "schema":
            wanted = {"name": "answer", "strict": True, "schema": prompt.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": wanted}
        elif prompt.shape == "json":
            body["response_format"] = {"type": "json_object"}
        if prompt.top_logprobs:
            body |= {"logprobs": True, "top_logprobs": prompt.top_logprobs}
        for known, other in self._instead.items():
            value = body.pop(known, None)
            if other is not None and value is not None:
                body[other] = value
        return orjson.dumps(body)

    async def complete(self, prompt: Prompt) -> Completion:
        """One attempt. Redirects are not followed: a key goes nowhere but to the server named."""
        import aiohttp

        began = time.perf_counter()
        instead = dict(self._instead)
        try:
            async with self._opened().post(
                f"{self.url}/chat/completions", data=self._body(prompt), allow_redirects=False
            ) as response:
                content = await self._read(response)
                if response.status != 200:
                    return await self._not_ok(response, self._without_key(content), prompt, instead)
        except TimeoutError:
            raise Unreachable(f"no answer within {self._timeout_s:g} s") from None
        except aiohttp.ClientError as error:
            raise Unreachable(f"{self.url}: {type(error).__name__}: {error}") from None
        try:
            return _completion(content, time.perf_counter() - began, prompt)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError):
            said = _error_words(self._without_key(content))[:120]
            raise Malformed(f"the server's answer is no completion: {said}") from None

    @staticmethod
    async def _read(response: aiohttp.ClientResponse) -> bytes:
        found = bytearray()
        if (response.content_length or 0) <= MOST_BYTES:  # the length of a packed answer says little
            async for chunk in response.content.iter_any():
                found += chunk
                if len(found) > MOST_BYTES:
                    break
            else:
                return bytes(found)
        response.close()
        raise Malformed(f"an answer of over {MOST_BYTES:,} bytes")

    def _without_key(self, content: bytes) -> bytes:
        """What a server says of an error, and some repeat the key in it."""
        return content.replace(self._key.encode(), b"***") if len(self._key) > 7 else content

    async def _not_ok(
        self, response: aiohttp.ClientResponse, content: bytes, prompt: Prompt, instead: Mapping[str, str | None]
    ) -> Completion:  # fmt: skip
        status, said = response.status, _error_words(content)
        if status == 429:
            if "insufficient_quota" in said:
                raise UsageError(f"{self.name}: {said}; add money to the account, then run the same command again")
            raise RateLimited(f"429: {said}", _retry_after(response.headers.get("Retry-After")))
        if status in _BUSY:
            after = _retry_after(response.headers.get("Retry-After"))
            if after is not None and status == 503:
                raise RateLimited(f"{status}: {said}", after)
            raise Unreachable(f"server error {status}: {said}")
        if status in (400, 422):
            for known in _ALTERNATIVE:
                if known in said and known not in instead:  # what others have found out meanwhile is no reason to fail
                    self._instead[known] = _ALTERNATIVE[known]
                    return await self.complete(prompt)
            raise NotSupported(f"{self.name}: the server refuses the request ({status}): {said}")
        why = _LOST.get(status, f"the server answered {status}")
        hint = " (keys: OPENAI_API_KEY for api.openai.com, DEEPPERSONA_API_KEY for a server you name)"
        raise UsageError(f"{self.name}: {why}: {said}{hint if status in (401, 403) else ''}")

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None
            await asyncio.sleep(0)


def _error_words(content: bytes) -> str:
    """What a server says of an error, short and on one line."""
    try:
        found = orjson.loads(content)
        error = found.get("error", found) if isinstance(found, dict) else found
        said = error.get("message", error) if isinstance(error, dict) else error
        code = error.get("code") if isinstance(error, dict) else None
        text = f"{said} ({code})" if code else str(said)
    except orjson.JSONDecodeError:
        text = content[:300].decode("utf-8", "replace")
    return " ".join(text.split())[:300]


def _retry_after(header: str | None) -> float | None:
    """Seconds of a Retry-After header, which is a number or a date."""
    if not header:
        return None
    try:
        seconds = float(header)
        return max(seconds, 0.0) if isfinite(seconds) else None
    except ValueError:
        try:
            return max(parsedate_to_datetime(header).timestamp() - time.time(), 0.0)
        except (TypeError, ValueError):
            return None


def _completion(content: bytes, seconds: float, prompt: Prompt) -> Completion:
    found = orjson.loads(content)
    choice = found["choices"][0]
    message = choice["message"]
    text = message.get("content") or ""
    if isinstance(text, list):  # content parts
        text = "".join(part.get("text", "") for part in text)
    return Completion(
        text=str(text), finish=str(choice.get("finish_reason") or "stop"), usage=_usage(found, text, prompt),
        refusal=str(message.get("refusal") or ""), top=_top(choice), seconds=round(seconds, 3),
    )  # fmt: skip


def _usage(found: dict[str, Any], text: str, prompt: Prompt) -> Usage:
    """Tokens as the server counted them; where it does not, a quarter of the characters."""
    usage = found.get("usage") or {}
    details = usage.get("prompt_tokens_details") or {}
    cached = details.get("cached_tokens") or usage.get("prompt_cache_hit_tokens")
    if cached is None:
        cached = (found.get("timings") or {}).get("cache_n") or 0  # llama.cpp
    tokens_in, tokens_out = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if tokens_in is None:
        tokens_in = sum(len(m.text) for m in prompt.messages) // 4
    if tokens_out is None:
        tokens_out = len(text) // 4
    read, written = max(int(tokens_in), 0), max(int(tokens_out), 0)
    return Usage(read, min(max(int(cached), 0), read), written)


def _top(choice: dict[str, Any]) -> dict[str, float]:
    content = (choice.get("logprobs") or {}).get("content") or []
    if not content:
        return {}
    return {str(t["token"]): float(t["logprob"]) for t in content[0].get("top_logprobs") or [content[0]]}
