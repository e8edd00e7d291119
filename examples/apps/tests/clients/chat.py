"""A client for websocket_chat: chat.py URL

Sends each line of its standard input as a message and prints each message that it receives. Some lines are commands:

/ping   sends a ping and prints `pong` when it is answered
/deaf   receives nothing from here on

Ends when its input does, or when the server closes; then it prints `closed CODE REASON`.
"""

import asyncio
import sys

import websockets


def say(line):
    print(line, flush=True)


async def receive(socket):
    async for message in socket:
        say(message)


async def main(url):
    lines = asyncio.StreamReader(limit=1 << 20)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    try:
        socket = await websockets.connect(url, ping_interval=None)
    except websockets.exceptions.InvalidHandshake as error:
        # The name and the place of the status depend on the version.
        status = getattr(error, "status_code", None) or error.response.status_code
        say(f"refused {status}")
        return
    receiving = asyncio.create_task(receive(socket))

    async def send():
        while line := (await lines.readline()).decode().rstrip("\n"):
            if line == "/ping":
                await (await socket.ping())
                say("pong")
            elif line == "/deaf":
                receiving.cancel()
                say("deaf")
            else:
                await socket.send(line)

    sending = asyncio.create_task(send())
    closed = asyncio.create_task(socket.wait_closed())
    await asyncio.wait([sending, closed], return_when=asyncio.FIRST_COMPLETED)
    await socket.close()
    say(f"closed {socket.close_code} {socket.close_reason}")


asyncio.run(main(sys.argv[1]))
