#!/usr/bin/python3
"""A TCP proxy that makes a server on this machine look far away.

    tests/e2e/delay_proxy.py RTT_MILLISECONDS TARGET_PORT [LISTEN_PORT]

Listens on 127.0.0.1 and passes everything on to 127.0.0.1:TARGET_PORT, each way half a round trip
late; what a client sends first waits one round trip more, as long as TCP's handshake would take.
Prints `listening PORT` when it is ready, and `closed UP DOWN` (bytes) for each connection that ends.
"""

import asyncio
import sys

CHUNK = 64 * 1024
CHUNKS_UNDERWAY = 512


async def receive(reader, queue, earliest, delay):
    """Notes for each chunk when it would arrive at the other side."""
    loop = asyncio.get_running_loop()
    chunk = b"-"
    while chunk:
        try:
            chunk = await reader.read(CHUNK)
        except ConnectionError:
            chunk = b""
        await queue.put((max(loop.time(), earliest) + delay, chunk))


async def deliver(queue, writer):
    """Passes chunks on when their time has come; returns their number of bytes."""
    loop = asyncio.get_running_loop()
    total = 0
    while True:
        when, chunk = await queue.get()
        if (pause := when - loop.time()) > 0:
            await asyncio.sleep(pause)
        try:
            if not chunk:
                writer.write_eof()
                return total
            writer.write(chunk)
            total += len(chunk)
            await writer.drain()
        except (ConnectionError, OSError):
            return total


async def connected(client_reader, client_writer, target, rtt):
    earliest = asyncio.get_running_loop().time() + rtt
    server_reader, server_writer = await asyncio.open_connection("127.0.0.1", target)
    up, down = (asyncio.Queue(CHUNKS_UNDERWAY) for _ in range(2))
    receivers = [asyncio.create_task(receive(client_reader, up, earliest, rtt / 2)),
                 asyncio.create_task(receive(server_reader, down, 0, rtt / 2))]
    try:
        sent, received = await asyncio.gather(deliver(up, server_writer), deliver(down, client_writer))
        print("closed", sent, received, flush=True)
    finally:
        for task in receivers:
            task.cancel()
        server_writer.close()
        client_writer.close()


async def main(rtt, target, port=0):
    server = await asyncio.start_server(
        lambda reader, writer: connected(reader, writer, target, rtt), "127.0.0.1", port, backlog=512)
    print("listening", server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    try:
        asyncio.run(main(float(sys.argv[1]) / 1000, *map(int, sys.argv[2:])))
    except KeyboardInterrupt:
        pass
