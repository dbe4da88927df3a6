"""A server in a process of its own, for crowds: it answers each prompt with words that only this prompt can have.

Prompts: `echo NAME COUNT CROWD` is answered with COUNT frames, once CROWD streams have begun; `wait NAME` with one frame and
then silence. It prints its address.
"""

from __future__ import annotations

import asyncio
import json

from nbgemini.offline.http_server import ClientConnection, read_requests
from tests.fakes.script import END, event, frame, head, thought

begun, opened = [], asyncio.Event()


def chunk(data):
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


async def talk(connection, reader, writer):
    try:
        async for request in read_requests(reader):
            prompt = json.loads(request.body)["contents"][-1]["parts"][-1]["text"]
            writer.write(head().data + chunk(event(frame(thought(f"T{prompt.split()[1]} ")))))
            await answer(writer, prompt.split())
            if prompt.startswith("wait"):
                await connection.left.wait()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def answer(writer, prompt):
    _, name, count, crowd = [*prompt, "0", "1"][:4]
    begun.append(name)
    if len(begun) >= int(crowd):
        opened.set()
    await opened.wait()
    for number in range(int(count)):
        writer.write(chunk(event(frame(f"{name}.{number} "))))
        await writer.drain()
        await asyncio.sleep(0)
    if prompt[0] == "echo":
        writer.write(chunk(event(frame(finish="STOP"))) + chunk(END.data))


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: ClientConnection(talk), "127.0.0.1", 0, backlog=4096)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
