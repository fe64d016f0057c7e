"""The store's tables, and how a file of an earlier version gets them.

A file says in SQLite's `application_id` that it is a store, and in `user_version` which version.
What is searched for has columns, everything else is in JSON documents (`facts`), and a turn's raw
samples are one blob (`edgekit.store.encoding`).
"""

from __future__ import annotations

# "edkt" in ASCII.
APPLICATION = 0x65646B74

# History: 1 runs, contenders, turns, passes; 2 evaluations, and contenders are found by digest
# without a look at each.
STEPS = (
    (
        """
        CREATE TABLE run (
            number INTEGER PRIMARY KEY AUTOINCREMENT,  -- a deleted run's number is not given again
            key TEXT NOT NULL,
            command TEXT NOT NULL,
            device TEXT NOT NULL,
            started TEXT NOT NULL,
            finished TEXT,
            owner TEXT,
            facts TEXT NOT NULL
        )
        """,
        "CREATE INDEX run_by_key ON run (key) WHERE finished IS NULL",
        "CREATE INDEX run_by_time ON run (started, number)",
        """
        CREATE TABLE contender (
            run INTEGER NOT NULL REFERENCES run (number) ON DELETE CASCADE,
            place INTEGER NOT NULL,
            model TEXT NOT NULL,
            target TEXT NOT NULL,
            precision TEXT NOT NULL,
            sha256 TEXT NOT NULL,
            facts TEXT NOT NULL,
            PRIMARY KEY (run, place)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE turn (
            number INTEGER PRIMARY KEY,
            run INTEGER NOT NULL,
            contender INTEGER NOT NULL,
            round INTEGER NOT NULL,
            calls INTEGER NOT NULL,
            facts TEXT NOT NULL,
            samples BLOB NOT NULL,
            UNIQUE (run, round, contender),
            FOREIGN KEY (run, contender) REFERENCES contender (run, place) ON DELETE CASCADE
        )
        """,
        """
        CREATE TABLE pass (
            run INTEGER NOT NULL,
            contender INTEGER NOT NULL,
            name TEXT NOT NULL,
            document TEXT NOT NULL,
            PRIMARY KEY (run, contender, name),
            FOREIGN KEY (run, contender) REFERENCES contender (run, place) ON DELETE CASCADE
        )
        """,
    ),
    (
        """
        CREATE TABLE evaluation (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            sha256 TEXT NOT NULL,
            model TEXT NOT NULL,
            target TEXT NOT NULL,
            precision TEXT NOT NULL,
            dataset TEXT NOT NULL,
            split TEXT NOT NULL,
            sample_digest TEXT NOT NULL,
            started TEXT NOT NULL,
            facts TEXT NOT NULL,
            hits BLOB
        )
        """,
        "CREATE INDEX evaluation_by_artifact ON evaluation (sha256, sample_digest)",
        "CREATE INDEX contender_by_artifact ON contender (sha256)",
        "CREATE INDEX turn_by_contender ON turn (run, contender)",
    ),
)

VERSION = len(STEPS)
