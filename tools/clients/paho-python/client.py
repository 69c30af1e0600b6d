"""The cases with Paho's client for Python."""
import queue
import sys
import time
from urllib.parse import urlparse

import paho.mqtt.client as mqtt

url, certificate = urlparse(sys.argv[1]), sys.argv[2]
patience = 15
prefix = f"python/{time.time_ns()}"


class Client:
    """A client that notes what it gets."""

    def __init__(self, name, clean=True, will=None):
        self.messages = queue.Queue()
        self.events = queue.Queue()
        transport = "websockets" if url.scheme.startswith("ws") else "tcp"
        self.mqtt = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id=f"{prefix}/{name}",
            clean_session=clean,
            transport=transport,
            reconnect_on_failure=False,
        )
        if url.scheme in ("mqtts", "wss"):
            self.mqtt.tls_set(ca_certs=certificate)
        if transport == "websockets":
            self.mqtt.ws_set_options(path=url.path or "/mqtt")
        if will:
            self.mqtt.will_set(will, "gone", qos=1)
        self.mqtt.on_connect = lambda *_: self.events.put("connected")
        self.mqtt.on_disconnect = lambda *_: self.events.put("disconnected")
        self.mqtt.on_subscribe = lambda *_: self.events.put("subscribed")
        self.mqtt.on_message = lambda _client, _data, message: self.messages.put(message)
        self.mqtt.connect(url.hostname, url.port)
        self.mqtt.loop_start()
        self.expect("connected")

    def expect(self, event):
        got = self.events.get(timeout=patience)
        assert got == event, f"{got} instead of {event}"

    def subscribe(self, topic, qos=2):
        self.mqtt.subscribe(topic, qos)
        self.expect("subscribed")

    def publish(self, topic, payload, qos, retain=False):
        self.mqtt.publish(topic, payload, qos, retain).wait_for_publish(patience)

    def next(self):
        return self.messages.get(timeout=patience)

    def leave(self):
        self.mqtt.disconnect()
        self.expect("disconnected")
        self.mqtt.loop_stop()


def exchange(qos):
    client = Client(f"qos{qos}")
    topic = f"{prefix}/qos{qos}"
    client.subscribe(topic)
    for number in range(100):
        client.publish(topic, f"{number}", qos)
    for number in range(100):
        message = client.next()
        assert (message.payload.decode(), message.qos) == (f"{number}", qos), f"{message.payload} {message.qos}"
    client.leave()


def retained():
    topic = f"{prefix}/retained"
    publisher = Client("keeper")
    publisher.publish(topic, "kept", 1, retain=True)
    publisher.subscribe(topic)
    message = publisher.next()
    assert message.retain and message.payload == b"kept"
    publisher.leave()


def will():
    topic = f"{prefix}/will"
    watcher = Client("watcher")
    watcher.subscribe(topic)
    Client("mortal", will=topic)
    heir = Client("mortal")
    assert watcher.next().payload == b"gone"
    heir.leave()
    watcher.leave()


def offline_queue():
    topic = f"{prefix}/queue"
    before = Client("sleeper", clean=False)
    before.subscribe(topic)
    before.leave()
    publisher = Client("waker")
    for number in range(100):
        publisher.publish(topic, f"{number}", 1)
    after = Client("sleeper", clean=False)
    for number in range(100):
        assert after.next().payload == f"{number}".encode()
    after.leave()
    publisher.leave()


def take_over():
    first = Client("same")
    second = Client("same")
    first.expect("disconnected")
    second.subscribe(f"{prefix}/same")
    second.leave()


def large():
    topic = f"{prefix}/large"
    payload = bytes(range(256)) * 20480
    client = Client("large")
    client.subscribe(topic)
    client.publish(topic, payload, 1)
    assert client.next().payload == payload
    client.leave()


for name, run in {
    "qos0": lambda: exchange(0),
    "qos1": lambda: exchange(1),
    "qos2": lambda: exchange(2),
    "retained": retained,
    "will": will,
    "queue": offline_queue,
    "takeover": take_over,
    "large": large,
}.items():
    try:
        run()
        print(f"{name} ok", flush=True)
    except Exception as error:  # the next case may still work
        print(f"{name} FAILED {type(error).__name__} {error}", flush=True)
