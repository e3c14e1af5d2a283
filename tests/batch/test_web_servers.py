"""Web servers that are silent, slow or endless are errors after a time limit."""

import socket
import threading

import pytest
from command import PHOTO

from imgconv.batch import remote
from imgconv.batch.urls import parse_path
from imgconv.errors import ImageError

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
IMAGE = PHOTO.read_bytes()
ANSWERS = {  # parts, each sent after a pause in seconds
    "silent": [],
    "silent after its header": [(0, HEAD % len(IMAGE))],
    "silent after half of the image": [(0, HEAD % len(IMAGE) + IMAGE[: len(IMAGE) // 2])],
    "one byte at a time": [(0, HEAD % len(IMAGE)), *((0.1, IMAGE[i : i + 1]) for i in range(100))],
    "closed early": [(0, HEAD % len(IMAGE) + IMAGE[:9000]), (0, None)],
}


@pytest.fixture
def address(request, monkeypatch):
    """A server that sends the parts of an answer, and nothing more while it is open."""
    monkeypatch.setattr(remote, "SILENCE", 1.0)
    monkeypatch.setattr(remote, "LEAST_BYTES", 100)
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server, request.param, done))
        thread.start()
        yield parse_path(f"http://127.0.0.1:{server.getsockname()[1]}/photo.jpg")
        done.set()
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def serve(server, parts, done):
    connections = []
    try:
        while True:
            connection, _ = server.accept()
            connections.append(connection)
            for pause, part in parts:
                if done.wait(pause):
                    return
                connection.close() if part is None else connection.sendall(part)
    except OSError:
        return
    finally:
        for connection in connections:
            connection.close()


@pytest.mark.parametrize("address", ANSWERS.values(), ids=ANSWERS, indirect=True)
def test_a_server_that_does_not_send_is_an_error(address, request):
    fact = "sent [0-9]+ bytes in 1 seconds" if "one byte" in request.node.name else None
    with pytest.raises(ImageError, match=fact):
        remote.read_image(address, None)


@pytest.mark.parametrize("address", [[(0.2, HEAD % len(IMAGE)), (0.2, IMAGE[:50_000]), (0.2, IMAGE[50_000:])]], indirect=True)
def test_an_image_in_parts_is_read(address):
    assert remote.read_image(address, None) == IMAGE
