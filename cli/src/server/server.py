"""A server that knows nothing of its clients: `python3 server.py LOG ACKS [PEM]`, where ACKS is yes or no.

With the file PEM, of a certificate and its key, it speaks TLS.

It prints its port, writes one line for each message (connection, id, sequence number) and answers with an
acknowledgement. It ends with its standard input.
"""
import asyncio, json, logging, ssl, sys

try:
    from websockets.asyncio.server import serve
    from websockets.exceptions import ConnectionClosed
except ImportError:
    sys.exit(3)

logging.disable()  # connections that end badly are what this server is here for
log = open(sys.argv[1], "x", buffering=1, encoding="utf-8")
connections, turn = 0, asyncio.Lock()


async def talk(socket, connection):
    async for text in socket:
        message = json.loads(text)
        if message["type"] == "ping":
            await socket.send('{"type":"pong"}')
            continue
        log.write(f"{connection} {message['id']} {message['data']['seq']}\n")
        if sys.argv[2] == "yes":
            await socket.send(json.dumps({"type": "ack", "id": message["id"]}))


async def handle(socket):
    global connections
    async with turn:  # a connection is read to its end before the next: no other order exists between two
        connections += 1
        try:
            await talk(socket, connections)
        except ConnectionClosed:
            pass


def tls(pem):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


async def main():
    context = tls(sys.argv[3]) if sys.argv[3:] else None
    async with serve(handle, "127.0.0.1", 0, ssl=context) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
