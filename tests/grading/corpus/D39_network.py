# threat: D39
# Right only if every attempt fails.
import os
import socket
import urllib.request


def done(*ways):
    count = 0
    for way in ways:
        try:
            way()
        except (OSError, ValueError):
            continue
        count += 1
    return count


def area(width, height):
    families = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK, socket.AF_PACKET, socket.AF_VSOCK)
    ways = [
        lambda family=family, kind=kind: socket.socket(family, kind)
        for family in families
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET)
    ]
    ways += [
        socket.socketpair,
        lambda: socket.create_connection(("127.0.0.1", GRADER_PORT), 1),
        lambda: socket.getaddrinfo("example.org", 80),
        lambda: socket.gethostbyname("example.org"),
        lambda: urllib.request.urlopen("http://127.0.0.1:GRADER_PORT/", timeout=1),
        lambda: socket.socket(fileno=3).sendto(b"corpus", ("127.0.0.1", GRADER_PORT)),
        lambda: socket.send_fds(socket.socket(fileno=os.dup(3)), [b"corpus"], [0]),
        lambda: socket.socket(fileno=os.dup(3)).connect("\0corpus"),
    ]
    return width * height + done(*ways)
