# SPDX-License-Identifier: Apache-2.0
"""Many sessions change the same few mailboxes at random. Each keeps the model that the responses it
reads imply, and holds every response against the standard while it comes; at the end all models are
what a new session sees. SIGNET_STRESS_SECONDS says for how long (60)."""
import contextlib
import json
import os
import random
import re
import sqlite3
import threading
import time

import pytest
from conftest import finish, make_server
from rawimap import Imap, numbers, pairs

pytestmark = pytest.mark.sanitized
SECONDS = float(os.environ.get("SIGNET_STRESS_SECONDS", "60"))
CLIENTS = 20
MAILBOXES = [b"INBOX", b"One", b"Two"]
FLAGS = [rb"\Seen", rb"\Answered", rb"\Flagged", rb"\Draft", b"$Forwarded", b"Red", b"Green",
         b"Blue"]
KEEP = b"$Keep"  # set when a message is made, and never changed: nobody removes what has it
SIZE = 60        # messages around which a mailbox is held
KEPT = 30        # messages of a mailbox that are kept
CODES = (b"COPYUID", b"HIGHESTMODSEQ", b"PERMANENTFLAGS")
KINDS = ["plain", "condstore", "qresync", "compress", "rev2"]


class Shared:
    """What must be the same for everybody, for ever."""

    def __init__(self):
        self.lock = threading.Lock()
        self.stop = threading.Event()
        self.errors = []
        self.flags_at = {}   # (mailbox, UID, MODSEQ): flags
        self.made = set()    # (mailbox, UID) that APPENDUID and COPYUID have told
        self.ident = {}      # (mailbox, UID): the message's own name
        self.emailid = {}    # (mailbox, UID): EMAILID
        self.kept = {m: set() for m in MAILBOXES}
        self.n = 0
        self.commands = 0

    def new_ident(self):
        with self.lock:
            self.n += 1
            return b"m%d" % self.n

    def created(self, mailbox, uid, ident):
        with self.lock:
            assert (mailbox, uid) not in self.made, f"UID {uid} of {mailbox} a second time"
            self.made.add((mailbox, uid))
        if ident:
            self.same(self.ident, (mailbox, uid), ident)

    def same(self, table, key, value):
        with self.lock:
            before = table.setdefault(key, value)
            assert before == value, f"{key} was {before} and is {value}"


class Message:
    def __init__(self):
        self.uid = self.flags = self.modseq = None


class Model:
    """The selected mailbox as one session must see it."""

    def __init__(self, shared, mailbox, qresync, has_modseqs):
        self.shared, self.mailbox = shared, mailbox
        self.qresync, self.has_modseqs = qresync, has_modseqs
        self.messages = []
        self.gone = set()        # UIDs that are expunged
        self.may_expunge = False
        self.answered = set()    # messages of which the running command has told anything
        self.flags_told = set()  # messages of which it has told the flags
        self.untold = []         # messages of which STORE said nothing: the next NOOP removes them
        self.searched = None

    def take(self, r):
        if r[0] == b"OK":
            assert r[1] is None or r[1].split()[0] in CODES, r
        elif r[0] in (b"SEARCH", b"ESEARCH"):
            self.searched = search_result(r)
        elif r[0] == b"VANISHED":
            assert self.qresync and len(r) == 2, r
            for uid in numbers(r[1]):
                self.vanish(uid)
        elif r[0] in (b"FLAGS", b"STATUS"):
            pass
        elif r[1] == b"EXISTS":
            self.grow(int(r[0]))
        elif r[1] == b"EXPUNGE":
            assert not self.qresync, r
            self.remove(int(r[0]) - 1)
        elif r[1] == b"FETCH":
            self.fetched(int(r[0]), pairs(r[2]))
        else:
            assert r[1] == b"RECENT", r

    def grow(self, n):
        assert n >= len(self.messages), f"EXISTS {n} with {len(self.messages)}"
        self.messages += [Message() for _ in range(n - len(self.messages))]

    def remove(self, i):
        assert self.may_expunge, "EXPUNGE while sequence numbers are in use"
        assert 0 <= i < len(self.messages), f"EXPUNGE {i + 1} of {len(self.messages)}"
        m = self.messages.pop(i)
        if m.uid:
            assert m.uid not in self.shared.kept[self.mailbox], f"UID {m.uid} was to be kept"
            self.gone.add(m.uid)

    def vanish(self, uid):
        """Where it was is known, or one of those without a known UID that can be it."""
        assert uid not in self.gone, f"UID {uid} vanished twice"
        unknown = None
        for i, m in enumerate(self.messages):
            if m.uid == uid:
                self.remove(i)
                return
            if m.uid is None:
                unknown = i
            elif m.uid < uid:
                unknown = None
            else:
                break
        assert unknown is not None, f"UID {uid} vanished and was not there"
        self.remove(unknown)
        self.gone.add(uid)

    def neighbours_allow(self, i, uid):
        before = [m.uid for m in self.messages[:i] if m.uid]
        after = [m.uid for m in self.messages[i + 1:] if m.uid]
        return (not before or before[-1] < uid) and (not after or uid < after[0])

    def fetched(self, n, items):
        assert 1 <= n <= len(self.messages), f"FETCH of {n} in {len(self.messages)}"
        m = self.messages[n - 1]
        self.answered.add(m)
        if b"UID" in items:
            uid = int(items[b"UID"])
            assert m.uid in (None, uid), f"message {n} had UID {m.uid}, has {uid}"
            assert uid not in self.gone, f"UID {uid} is back"
            assert m.uid or self.neighbours_allow(n - 1, uid), f"UID {uid} at {n}"
            m.uid = uid
        assert not self.qresync or b"UID" in items, items
        flags = frozenset(items[b"FLAGS"]) - {rb"\Recent"} if b"FLAGS" in items else None
        assert (b"MODSEQ" in items) <= self.has_modseqs, items
        if b"MODSEQ" in items:
            self.modseq_told(m, int(items[b"MODSEQ"][0]), flags)
        if flags is not None:
            m.flags = flags
            self.flags_told.add(m)
        if m.uid:
            self.identified(m.uid, items)

    def modseq_told(self, m, modseq, flags):
        assert m.modseq is None or modseq >= m.modseq, f"MODSEQ of {m.uid} fell"
        if flags is not None and m.flags is not None and m.modseq is not None and flags != m.flags:
            assert modseq > m.modseq, f"flags of {m.uid} changed, MODSEQ {modseq} did not"
        m.modseq = modseq
        if m.uid and flags is not None:
            self.shared.same(self.shared.flags_at, (self.mailbox, m.uid, modseq), flags)

    def identified(self, uid, items):
        if b"EMAILID" in items:
            self.shared.same(self.shared.emailid, (self.mailbox, uid), items[b"EMAILID"][0])
        for item, value in items.items():
            if item.startswith(b"BODY[HEADER.FIELDS") and value != b"NIL":
                ident = re.fullmatch(rb"Subject: (\S+)\r\n\r\n", value)[1]
                self.shared.same(self.shared.ident, (self.mailbox, uid), ident)


def search_result(r):
    if r[0] == b"SEARCH":
        return [int(n) for n in r[1:] if not isinstance(n, list)]
    return numbers(r[r.index(b"ALL") + 1]) if b"ALL" in r else []


def has_uid(m):
    return m.uid is not None


def removable(m):
    return m.uid is not None and m.flags is not None and KEEP not in m.flags


class Client:
    def __init__(self, server, shared, index):
        self.shared = shared
        self.kind = KINDS[index % len(KINDS)]
        self.own = b"Of%d" % index  # a keyword that only this session sets, on kept messages
        self.random = random.Random(index)
        self.server = server
        self.c = Imap(server, "stress@example.org")
        self.cache = {}  # mailbox: (UIDVALIDITY, modification number, {UID: flags})
        self.gone = {m: set() for m in MAILBOXES}
        self.figures = {}
        self.model = None
        if self.kind == "compress":
            self.c.compress()
        elif self.kind == "rev2":
            self.c.ok(b"ENABLE IMAP4rev2 CONDSTORE")
        elif self.kind != "plain":
            self.c.ok(b"ENABLE " + self.kind.upper().encode())
        self.select(MAILBOXES[index % len(MAILBOXES)])

    def has_modseqs(self):
        return self.kind not in ("plain", "compress")

    # Selecting

    def remember(self):
        """For QRESYNC: what is known of the mailbox, if it is known of all messages."""
        if self.model and self.kind == "qresync":
            known = {m.uid: m.flags for m in self.model.messages if m.uid and m.flags is not None}
            if len(known) == len(self.model.messages):
                self.cache[self.model.mailbox] = (self.uidvalidity, self.highest, known)
            else:
                self.cache.pop(self.model.mailbox, None)

    def select(self, mailbox):
        self.remember()
        cached = self.cache.get(mailbox)
        command = b"SELECT " + mailbox
        if cached:
            command += b" (QRESYNC (%d %d))" % cached[:2]
        a = self.c.ok(command)
        codes = dict(code.partition(b" ")[::2] for code in a.codes())
        self.model = Model(self.shared, mailbox, self.kind == "qresync", self.has_modseqs())
        self.model.gone = self.gone[mailbox]
        self.uidvalidity, self.highest = int(codes[b"UIDVALIDITY"]), int(codes[b"HIGHESTMODSEQ"])
        self.risen(mailbox, self.highest, int(codes[b"UIDNEXT"]))
        self.model.grow(a.of(b"EXISTS")[0][0])
        if cached:
            assert cached[0] == self.uidvalidity and cached[1] <= self.highest
            self.resynchronise(a, dict(cached[2]))
        else:
            assert not a.of(b"FETCH") and not a.of(b"VANISHED")

    def resynchronise(self, a, known):
        """RFC 7162 section 3.2.5: VANISHED (EARLIER) and FETCH make the old state the new one."""
        for earlier, uids in a.of(b"VANISHED"):
            assert earlier == [b"EARLIER"]
            for uid in numbers(uids):
                assert uid not in self.shared.kept[self.model.mailbox]
                if known.pop(uid, None) is not None:
                    self.model.gone.add(uid)
        for n, items in a.of(b"FETCH"):
            known[int(pairs(items)[b"UID"])] = None
        assert len(known) == len(self.model.messages), "QRESYNC left the wrong messages"
        for m, uid in zip(self.model.messages, sorted(known)):
            m.uid, m.flags = uid, known[uid]
        for n, items in a.of(b"FETCH"):
            self.model.fetched(n, pairs(items))
        assert all(m.flags is not None for m in self.model.messages)

    # Commands

    def run(self, command, may_expunge, allowed=(b"OK",)):
        model = self.model
        model.may_expunge, model.searched = may_expunge, None
        model.answered, model.flags_told = set(), set()
        a = self.c.command(command, model.take)
        assert a.status in allowed, (command, a)
        if a.code and a.code.startswith(b"HIGHESTMODSEQ "):
            modseq = int(a.code.split()[1])
            assert modseq >= self.highest
            self.highest = modseq
        return a

    def some(self, most=8, fits=lambda m: True):
        """Positions of messages, ascending."""
        positions = [i for i, m in enumerate(self.model.messages) if fits(m)]
        k = self.random.randint(1, most)
        return sorted(self.random.sample(positions, min(k, len(positions))))

    def name(self, positions, uid):
        return b",".join(b"%d" % (self.model.messages[i].uid if uid else i + 1) for i in positions)

    def noop(self):
        self.run(b"NOOP", True)
        for m in self.model.untold:
            assert m not in self.model.messages, f"STORE of UID {m.uid} was not answered"
        self.model.untold.clear()

    def append(self):
        mailbox = self.random.choice(MAILBOXES)
        idents = [self.shared.new_ident() for _ in range(self.random.choice((1, 1, 1, 4)))]
        keep = len(self.shared.kept[mailbox]) < KEPT and self.random.random() < 0.2
        command = b"APPEND " + mailbox
        for ident in idents:
            m = b"Subject: %s\r\n\r\n" % ident + b"x" * self.random.randint(0, 3000) + b"\r\n"
            flags = b" ".join(self.random.sample(FLAGS, self.random.randint(0, 3)) + [KEEP] * keep)
            command += b" (%s) {%d+}\r\n" % (flags, len(m)) + m
        a = self.run(command, True)
        uids = numbers(a.code.split()[2])
        assert a.code.startswith(b"APPENDUID ") and len(uids) == len(idents), a
        for uid, ident in zip(uids, idents):
            self.shared.created(mailbox, uid, ident)
        if keep:
            self.shared.kept[mailbox].update(uids)

    def store(self):
        sign = self.random.choice((b"", b"+", b"-"))
        uid = self.random.random() < 0.5
        flags = self.random.sample(FLAGS, self.random.randint(1, 2))
        if sign:
            self.store_flags(self.some(fits=has_uid if uid else lambda m: True), uid, sign, flags)
        else:
            self.store_flags(self.some(fits=removable), uid, sign, flags)

    def store_flags(self, positions, uid, sign, flags):
        if not positions:
            return
        silent = self.random.random() < 0.3
        since = self.unchanged_since(positions)
        meant = [self.model.messages[i] for i in positions]
        a = self.run(b"%sSTORE %s %s%sFLAGS%s (%s)" % (
            b"UID " * uid, self.name(positions, uid), since, sign, b".SILENT" * silent,
            b" ".join(flags)), uid)
        modified = self.refused = self.modified(a, uid)
        for m in meant:
            known = m.uid if uid else None
            if m in self.model.flags_told or (known or m) in modified:
                continue
            if silent and m.flags is not None:
                m.flags = {b"": frozenset(flags), b"+": m.flags | set(flags),
                           b"-": m.flags - set(flags)}[sign]
            elif not silent and not since and m in self.model.messages:
                self.model.untold.append(m)

    def store_own(self):
        """Where nobody else interferes, the answer and a search show at once what was done."""
        uid, sign = self.random.random() < 0.5, self.random.choice((b"+", b"-"))
        positions = self.some(fits=lambda m: m.uid and KEEP in (m.flags or ()))
        meant = [self.model.messages[i] for i in positions]
        self.store_flags(positions, uid, sign, [self.own])
        for m in meant:
            if not self.refused:
                assert (self.own in m.flags) == (sign == b"+"), (self.kind, m.uid, m.flags)
        self.run(b"SEARCH KEYWORD " + self.own, False)
        if all(m.flags is not None for m in self.model.messages):
            own = [i + 1 for i, m in enumerate(self.model.messages) if self.own in m.flags]
            assert self.model.searched == own, (self.kind, self.model.searched, own)

    def unchanged_since(self, positions):
        modseqs = [self.model.messages[i].modseq for i in positions]
        if None in modseqs or not self.has_modseqs() or self.random.random() < 0.5:
            return b""
        return b"(UNCHANGEDSINCE %d) " % max(modseqs)

    def modified(self, a, uid):
        """UIDs, or messages: sequence numbers have not changed during STORE."""
        if not (a.code or b"").startswith(b"MODIFIED "):
            return set()
        found = numbers(a.code.split()[1])
        return set(found) if uid else {self.model.messages[n - 1] for n in found}

    def delete(self):
        uid = self.random.random() < 0.5
        self.store_flags(self.some(fits=removable), uid, b"+", [rb"\Deleted"])

    def expunge(self):
        self.run(b"EXPUNGE", True)

    def uid_expunge(self):
        positions = self.some(fits=has_uid)
        if positions:
            self.run(b"UID EXPUNGE " + self.name(positions, True), True)

    def copy(self, move=False):
        positions = self.some(4, removable)
        if not positions:
            return
        uid = self.random.random() < 0.5
        target = self.random.choice(MAILBOXES)
        source = self.model.mailbox
        meant = {self.model.messages[i].uid for i in positions}
        a = self.run(b"%s%s %s %s" % (b"UID " * uid, b"MOVE" if move else b"COPY",
                                     self.name(positions, uid), target), True)
        codes = [c for c in [a.code, *a.codes()] if c and c.startswith(b"COPYUID ")]
        if not codes:
            return  # all of them were gone
        _, _, old, new = codes[0].split()
        old, new = numbers(old), numbers(new)
        assert len(old) == len(new) and set(old) <= meant and new == sorted(new), codes
        for was, uid in zip(old, new):
            self.shared.created(target, uid, self.shared.ident.get((source, was)))
        if move:
            assert not any(m.uid in old for m in self.model.messages), "moved and still there"

    def move(self):
        self.copy(move=True)

    def fetch(self):
        """Everything once, for flags are told later without asking; then only who they are."""
        unknown = [i for i, m in enumerate(self.model.messages) if m.uid is None or m.flags is None]
        positions = unknown or self.some(10)
        if not positions:
            return
        items = self.random.choice((b"(UID EMAILID)", b"(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))
        if unknown:
            items = self.random.choice((b"(UID FLAGS)", b"(FLAGS UID EMAILID)"))
        meant = [self.model.messages[i] for i in positions]
        a = self.run(b"FETCH %s %s" % (self.name(positions, False), items), False, (b"OK", b"NO"))
        if a.status == b"OK":
            assert all(m in self.model.answered for m in meant), "FETCH left some out"
        else:
            assert a.code == b"EXPUNGEISSUED", a

    def search(self):
        keys = self.random.choice((b"ALL", b"SEEN", b"UNFLAGGED", b"KEYWORD Red", b"SUBJECT m1"))
        n = len(self.model.messages)
        self.run(b"SEARCH " + keys, False)
        found = self.model.searched
        assert found is not None and found == sorted(set(found)), found
        assert not found or 1 <= found[0] <= found[-1] <= len(self.model.messages), (found, n)
        if keys == b"ALL":
            assert set(range(1, n + 1)) >= set(i for i in found if i <= n)

    def idle(self):
        tag = self.c.start(b"IDLE")
        self.model.may_expunge = True
        end = time.monotonic() + self.random.uniform(0, 0.4)
        with contextlib.suppress(TimeoutError):
            while time.monotonic() < end:
                self.c.s.settimeout(max(0.001, end - time.monotonic()))
                r = self.c.response()
                if r[0] != b"+":
                    self.model.take(r)
        self.c.s.settimeout(30)
        self.c.send(b"DONE\r\n")
        a = self.c.finish(tag, lambda r: r[0] == b"+" or self.model.take(r))
        assert a.status == b"OK", a

    def status(self):
        mailbox = self.random.choice(MAILBOXES)
        # Asking for HIGHESTMODSEQ turns CONDSTORE on (RFC 7162 section 3.1).
        highest = b"HIGHESTMODSEQ " if self.has_modseqs() else b""
        a = self.run(b"STATUS %s (MESSAGES UNSEEN %sUIDNEXT)" % (mailbox, highest), True)
        figures = pairs(a.of(b"STATUS")[0][1])
        assert int(figures[b"UNSEEN"]) <= int(figures[b"MESSAGES"])
        if highest:
            self.risen(mailbox, int(figures[b"HIGHESTMODSEQ"]), int(figures[b"UIDNEXT"]))

    def risen(self, mailbox, *figures):
        """HIGHESTMODSEQ and UIDNEXT never fall."""
        before = self.figures.get(mailbox, (0, 0))
        assert figures[0] >= before[0] and figures[1] >= before[1], (mailbox, before, figures)
        self.figures[mailbox] = figures

    def step(self):
        full = len(self.model.messages) > SIZE
        acts = {self.noop: 3, self.append: 1 if full else 6, self.store: 6, self.store_own: 2,
                self.fetch: 8, self.search: 2, self.idle: 2, self.status: 1,
                self.copy: 1 if full else 3, self.move: 2, self.delete: 5 if full else 2,
                self.expunge: 2, self.uid_expunge: 2}
        act, = self.random.choices(list(acts), list(acts.values()))
        if self.random.random() < 0.02:
            self.select(self.random.choice(MAILBOXES))
        act()

    def work(self, barrier):
        try:
            until = time.monotonic() + SECONDS
            n = 0
            while time.monotonic() < until and not self.shared.stop.is_set():
                self.step()
                n += 1
            with self.shared.lock:
                self.shared.commands += n
            barrier.wait(60)
            self.noop()
        except Exception as e:  # the first is told, the others only follow from it
            self.shared.errors.append((self.kind, self.model and self.model.mailbox, e))
            self.shared.stop.set()
            barrier.abort()


def truth(server, mailbox):
    """What a new session sees: [(UID, flags, MODSEQ, size)]."""
    c = Imap(server, "stress@example.org")
    a = c.ok(b"SELECT " + mailbox)
    n = a.of(b"EXISTS")[0][0]
    rows = []
    for i, (number, items) in enumerate(
            c.ok(b"FETCH 1:* (UID FLAGS MODSEQ RFC822.SIZE)").of(b"FETCH") if n else []):
        assert number == i + 1
        items = pairs(items)
        rows.append((int(items[b"UID"]), frozenset(items[b"FLAGS"]) - {rb"\Recent"},
                     int(items[b"MODSEQ"][0]), int(items[b"RFC822.SIZE"])))
    assert len(rows) == n and [r[0] for r in rows] == sorted({r[0] for r in rows})
    figures = pairs(c.ok(b"STATUS %s (MESSAGES UNSEEN DELETED SIZE UIDNEXT HIGHESTMODSEQ)" %
                         mailbox).of(b"STATUS")[0][1])
    figures = {k.decode(): int(v) for k, v in figures.items()}
    c.logout()
    assert figures["MESSAGES"] == n
    assert figures["UNSEEN"] == sum(rb"\Seen" not in r[1] for r in rows)
    assert figures["DELETED"] == sum(rb"\Deleted" in r[1] for r in rows)
    assert figures["SIZE"] == sum(r[3] for r in rows)
    assert figures["UIDNEXT"] > max((r[0] for r in rows), default=0)
    assert figures["HIGHESTMODSEQ"] >= max((r[2] for r in rows), default=0)
    return rows, figures


def compare(client, rows):
    """How many flags of the client's model were compared."""
    model = client.model
    assert len(model.messages) == len(rows)
    compared = 0
    for m, (uid, flags, modseq, _) in zip(model.messages, rows):
        assert m.uid in (None, uid)
        if m.flags is not None:
            assert m.flags == flags, (client.kind, model.mailbox, uid)
            compared += 1
        if m.modseq is not None:
            assert m.modseq == modseq, (client.kind, model.mailbox, uid)
    return compared


def test_all_sessions_agree():
    server = make_server().start()
    server.add_account("stress@example.org")
    c = Imap(server, "stress@example.org")
    for mailbox in MAILBOXES[1:]:
        c.ok(b"CREATE " + mailbox)
    shared = Shared()
    clients = [Client(server, shared, i) for i in range(CLIENTS)]
    barrier = threading.Barrier(CLIENTS)
    threads = [threading.Thread(target=client.work, args=(barrier,)) for client in clients]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for kind, mailbox, e in shared.errors:
        if not isinstance(e, threading.BrokenBarrierError):
            raise RuntimeError(f"{kind} session on {mailbox}") from e
    assert shared.commands > 50 * SECONDS, "hardly anything was done"
    listed = json.loads(server.cli("--json", "mailbox", "list", "stress@example.org").stdout)
    listed = {m["name"]: m for m in listed["mailboxes"]}
    for mailbox in MAILBOXES:
        rows, figures = truth(server, mailbox)
        assert shared.kept[mailbox] == {r[0] for r in rows if KEEP in r[1]}
        assert all((mailbox, r[0]) in shared.made for r in rows), "messages from nowhere"
        for uid, flags, modseq, _ in rows:
            assert shared.flags_at.get((mailbox, uid, modseq), flags) == flags
        here = [client for client in clients if client.model.mailbox == mailbox]
        compared = sum(compare(client, rows) for client in here)
        assert not here or compared > len(rows) * len(here) / 4, "nearly nothing was known"
        told = listed[mailbox.decode()]
        assert (told["messages"], told["unseen"], told["octets"]) == \
            (figures["MESSAGES"], figures["UNSEEN"], figures["SIZE"])
    for client in clients:
        client.c.logout()
    c.logout()
    assert server.stop() == 0
    db = sqlite3.connect(server.data / "store" / "signet.db")
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
    finish(server)
