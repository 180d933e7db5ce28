"""Talks to a router with sig1.py: adds a sender, listens to another, asks and answers. Says what it saw as JSON."""
import json, sys

import sig1

client = sig1.Client("127.0.0.1", int(sys.argv[1]))
seen = {"version": client.welcome["version"]}

added = client.call("add_sender", sender="python", events=["tic"], requests=["double"], series=77)
client.handlers["double"] = lambda n: 2 * n
for number in range(1, 101):
    client.socket.sendall(sig1.event(added["aliases"]["tic"], number, json.dumps({"n": number}).encode()))

client.call("add_listener", listener_id=1, sender="rust", event="toc", policy={"drop_oldest": 1000})
client.call("add_listener", listener_id=2, event="#connect", snapshot=True)
seen["listed"] = sorted(s["sender"] for s in client.call("list_senders") if s["sender"])
seen["answer"] = client.call("request", sender="rust", method="greet", params="python", deadline_ms=5000)
client.pump(lambda: sum(event == "toc" for _, event, _, _ in client.events) == 100)
seen["numbers"] = [number for _, event, number, _ in client.events if event == "toc"]
seen["data"] = [data for _, event, _, data in client.events if event == "toc"]
seen["connected"] = sorted(sender for sender, event, _, _ in client.events if event == "#connect")
try:
    client.call("request", sender="nobody", method="x")
except RuntimeError as error:
    seen["error"] = str(error)
client.call("remove_sender", sender="python")
client.send(method="goodbye", params={"text": "done"})
print(json.dumps(seen))
