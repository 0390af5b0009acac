"""A server on FastAPI and uvicorn: the other side of tests/conformance/src/scenarios/foreign.rs.

It says back what it hears. A text that begins with `!` is an order to it; some paths are refused. Its first line is
its port; it ends when its input does.

    python3 fastapi_server.py HOST [PORT]
"""

import asyncio
import os
import socket
import sys
import threading

import uvicorn
from fastapi import FastAPI, Response, WebSocket

app = FastAPI()


@app.websocket("/forbidden")
async def forbidden(link: WebSocket) -> None:
    await link.close()  # before it is accepted: that is a 403


@app.websocket("/busy")
async def busy(link: WebSocket) -> None:
    await link.send_denial_response(Response("later\n", 503, {"Retry-After": "1"}))


@app.websocket("/live")
async def live(link: WebSocket) -> None:
    await link.accept()
    while (packet := await link.receive())["type"] != "websocket.disconnect":
        await hear(link, packet.get("text"), packet.get("bytes"))


async def hear(link: WebSocket, text: str | None, data: bytes | None) -> None:
    if data is not None:
        await link.send_bytes(data)
    elif text.startswith("!"):
        await obey(link, *text[1:].split(" ", 2))
    else:
        await link.send_text(text)


async def obey(link: WebSocket, order: str, *words: str) -> None:
    if order == "close":
        await link.close(int(words[0]), words[1])
    elif order == "later":
        await asyncio.sleep(int(words[0]) / 1000)
        await link.send_text(words[1])
    elif order == "extensions":
        await link.send_text(link.headers.get("sec-websocket-extensions", "none"))


def end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


def main() -> None:
    threading.Thread(target=end_with_input, daemon=True).start()
    listener = socket.create_server((sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0))
    config = uvicorn.Config(app, log_level="critical", lifespan="off", ws_max_size=16 << 20)
    print(listener.getsockname()[1], flush=True)
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


main()
