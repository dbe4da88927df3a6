"""A request that comes while the reply to another is being sent is heard, on every kernel."""

from __future__ import annotations

from tests.kernel.conftest import is_idle, parent

SLOW_REPLY = """
import select, zmq
kernel = get_ipython().kernel
channel = kernel.shell_channel_thread
replies = channel.manager._main_to_shell_channel

def reply_once_a_request_is_there(message):
    replies.on_recv(channel.io_loop, channel.manager._send_on_shell_channel)
    select.select([kernel.shell_stream.socket.getsockopt(zmq.FD)], [], [], 20)  # looking at the socket itself would take the signal
    channel.manager._send_on_shell_channel(message)

channel.io_loop.add_callback(replies.on_recv, channel.io_loop, reply_once_a_request_is_there)
"""


def test_a_request_that_comes_with_a_reply_is_heard(kernel):
    """ipykernel 6 has no thread for it."""
    threaded = kernel.text("print(hasattr(get_ipython().kernel, 'shell_channel_thread'))") == "True\n"
    for cell in (SLOW_REPLY if threaded else "pass", "1 + 1"):
        mine = kernel.send(cell)
        kernel.until(lambda message, mine=mine: is_idle(message) and parent(message) == mine)
