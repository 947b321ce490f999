"""What the benchmark serves: a visitor's history as the service sends it, page by page.

Alone: `python3 benches/fixtures.py FOLDER` writes some of it.

A conversation has 15 attributes, most of which no client here needs, and its relationships; 100 of them are a page of
about 135 KB. Everything is drawn from one seed, so that two runs measure the same bytes.
"""

import base64
import gzip
import json
import random
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

SEED = 20260606

NEWEST = datetime(2026, 6, 1, 9, 30, tzinfo=timezone.utc)
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
PREVIEWS = [
    "Where is my order?",
    "Thank you so much 🎉🎉",
    "I was charged twice for order #48213, could you have a look at it please?",
    "Der Reißverschluss klemmt. Kann ich die Jacke umtauschen?",
    "“Out for delivery” since Tuesday,\nand nobody rang",
    "注文した商品がまだ届いていません。配送状況を教えていただけますか？",
    "It says \"code expired\" — can I get a new one?",
    "Hi, I would like to change the delivery address of my last order to my office, since I am away until the end of the month",
]
AGENTS = ["Ada Lovelace", "Zoë Müller", "Grace Hopper", "李小龍"]
BRANDS = ["5f1d0b7eab3e4f0012a4b001", "5f1d0b7eab3e4f0012a4b002", "5f1d0b7eab3e4f0012a4b003"]


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def jwt(claims):
    """A token that looks like the service's. Nobody here checks its signature."""
    parts = [{"alg": "HS256", "typ": "JWT"}, claims]
    parts = [base64.urlsafe_b64encode(compact(part)).rstrip(b"=") for part in parts]
    return b".".join([*parts, b"c2lnbmF0dXJlIG9mIHRoZSBiZW5jaG1hcms"]).decode()


TRACKING_ID = "5f1d0c2ab3e4f50012a4c010"
CHAT_KEY = jwt({"jti": "5f1d0b7eab3e4f0012a4f001", "org": "5f1d0b7eab3e4f0012a40001", "orgName": "bench",
                "role": "org.tracking", "iat": 1767225600})
TRACKING_TOKEN = jwt({"id": TRACKING_ID, "org": "5f1d0b7eab3e4f0012a40001", "iat": 1780000000, "exp": 4102444800})


def timestamp(at):
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"


def epoch_ms(at):
    return (at - EPOCH) // timedelta(milliseconds=1)


def conversation(draw, at):
    """One conversation as (the service's resource, the fields that a reader has to find in it)."""
    def object_id():
        return f"{draw.getrandbits(96):024x}"

    def resource(kind, of):
        return {"links": {"self": f"/v1/{kind}s/{of}"}, "data": {"type": kind, "id": of}}

    own, agent = object_id(), object_id()
    created = at - timedelta(milliseconds=draw.randrange(60_000, 86_400_000))
    last = None if draw.random() < 0.02 else at
    locked = at + timedelta(minutes=10) if draw.random() < 0.6 else None
    assistant = None
    if draw.random() < 0.25:
        transferred = at if draw.random() < 0.5 else None
        assistant = {"id": object_id(), "transferredAt": transferred and timestamp(transferred)}
    shown = {
        "id": own,
        "created_at": created,
        "preview": draw.choice(PREVIEWS) if last else "",
        "in_assistant_mode": assistant and int(locked is None and assistant["transferredAt"] is None),
        "last_message_at": last,
        "ended": int(locked is not None),
        "ended_at": locked,
        "end_reason": draw.choice(["customer_ended", "user_ended"]) if locked else None,
        "name": f"Order {draw.randrange(10_000, 99_999)}" if draw.random() < 0.8 else None,
        "brand_id": draw.choice(BRANDS),
        "unread": 0 if locked else draw.randrange(5),
    }
    attributes = {
        "name": shown["name"],
        "preview": shown["preview"] or None,
        "previewDetails": {
            "lastResponder": {"displayName": draw.choice(AGENTS), "avatarUrl": f"https://cdn.example.com/avatars/{agent}/64.png"},
            "messageCreatedAt": last and timestamp(last),
        },
        "trackingId": TRACKING_ID,
        "createdAt": timestamp(created),
        "lastSeenAt": timestamp(at + timedelta(milliseconds=draw.randrange(600_000))),
        "lastMessageAt": last and timestamp(last),
        "lockedAt": locked and timestamp(locked),
        "lockReason": shown["end_reason"],
        "unreadMessageCount": shown["unread"],
        "brandId": shown["brand_id"],
        "respondingUserIds": [agent, None],
        "custom": {"orderNumberStr": f"SO-{draw.randrange(10**6)}", "itemsNum": draw.randrange(9), "giftBool": draw.random() < 0.2},
        "satisfaction": {"id": object_id(), "status": "scheduled", "lockedAt": None},
        "assistant": assistant,
    }
    # The service leaves out what is not set, except for these.
    attributes = {k: v for k, v in attributes.items() if v is not None or k in ("preview", "lastMessageAt", "lockedAt")}
    document = {
        "type": "chat_session",
        "id": own,
        "attributes": attributes,
        "relationships": {
            "org": {"data": {"type": "org", "id": "5f1d0b7eab3e4f0012a40001"}},
            "customer": resource("customer", "5f1d0c2ab3e4f50012a4c0ff"),
            "brand": {"data": {"type": "brand", "id": shown["brand_id"]}},
            "assignedUser": resource("user", agent),
            "messages": {"links": {"self": f"/c/v1/chat/sessions/{own}/messages"}},
        },
    }
    return document, shown


# Which columns of a line are text that the library keeps.
TEXTS = [0, 1, 2, 4, 6, 7, 8, 9]


def line(shown):
    """A conversation as every program prints it: see `print_row` in peers/harness.c."""
    def text(value):
        if value is None:
            return "-"
        if isinstance(value, datetime):
            return timestamp(value)
        return str(value).replace("\n", "\\n")

    def instant(value):
        return "-" if value is None else str(epoch_ms(value))

    times = [instant(shown["created_at"]), instant(shown["last_message_at"])]
    return "\t".join([*map(text, shown.values()), *times])


def page(size, number, last, draw):
    def link(page):
        return f"/c/v1/chat/sessions?page={page}&pageSize={size}" if 1 <= page <= last else None

    rows = []
    for index in range(size):
        since = timedelta(minutes=((number - 1) * size + index) * 7 + draw.randrange(5), milliseconds=draw.randrange(1000))
        rows.append(conversation(draw, NEWEST - since))
    document = {
        "meta": {"page": number, "pageSize": size, "total": size * last, "totalPages": last},
        "links": {"self": link(number), "first": link(1), "prev": link(number - 1), "next": link(number + 1)},
        "data": [document for document, _ in rows],
    }
    return compact(document), [line(shown) for _, shown in rows]


def write_history(folder, size, pages):
    """Writes pages 1 to `pages`, plain and as gzip, and the rows a reader has to find (page by page, in rows.txt)."""
    folder.mkdir(parents=True)
    draw = random.Random(SEED + size)
    with open(folder / "rows.txt", "w", encoding="utf-8") as rows:
        for number in range(1, pages + 1):
            body, lines = page(size, number, pages, draw)
            put(folder / f"{number}.json", body)
            rows.writelines(line + "\n" for line in lines)


def put(file, body):
    file.write_bytes(body)
    file.with_name(file.name + ".gz").write_bytes(gzip.compress(body, 6, mtime=0))


def write_all(folder, pages):
    """`pages`: how many there are of each size."""
    for size, count in pages.items():
        write_history(folder / str(size), size, count)
    settings = {"enabled": True, "noHistory": False, "closableChat": True, "teamName": "Bench Support", "greeting": "Hi! How can we help?",
                "offhoursDisplay": "online", "offhoursMessage": "We are away right now.", "brandId": BRANDS[0], "widgetColor": "#1f6feb"}
    put(folder / "settings.json", compact({"data": {"type": "chat_settings", "id": "5f1d0b7eab3e4f0012a40002", "attributes": settings}}))
    token = {"trackingId": TRACKING_ID, "token": TRACKING_TOKEN, "verified": False}
    put(folder / "token.json", compact({"data": {"type": "tracking_token", "id": TRACKING_ID, "attributes": token}}))


if __name__ == "__main__":
    write_all(Path(sys.argv[1]), {1: 40, 10: 40, 100: 50, 1000: 6})
