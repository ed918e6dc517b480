"""The tables of a store, version by version; a version that has been released never changes."""

from __future__ import annotations

from typing import Final

APPLICATION_ID: Final = 0x66706C74
"""Marks a SQLite file as a store of fishplate: `fplt` in ASCII."""

_FIRST: Final = """
CREATE TABLE run (
  id TEXT PRIMARY KEY,            -- time-ordered
  agent TEXT NOT NULL,            -- name
  release TEXT NOT NULL,          -- version and fingerprint
  units TEXT NOT NULL,            -- digest of a document: its agents, their releases and effects
  plan TEXT,                      -- digest of a document: the plan that the run goes on under
  input BLOB NOT NULL,            -- JSON
  principal BLOB NOT NULL,        -- JSON
  trace_id TEXT NOT NULL,         -- 32 hex digits; the run's randomness is drawn from it
  started_ms INTEGER NOT NULL,    -- wall clock
  state TEXT NOT NULL,
  ended_ms INTEGER,
  outcome BLOB,                   -- JSON: output or error, reasons of degradation
  attention TEXT,                 -- why somebody has to decide: a stable word
  explanation TEXT,               -- the same in words, as they were found when it was written
  left_ns INTEGER,                -- working time left when the run began to wait
  recoveries INTEGER NOT NULL DEFAULT 0,
  given_up INTEGER NOT NULL DEFAULT 0,  -- somebody asked it to end
  protocol INTEGER NOT NULL       -- of the walker's keys
) WITHOUT ROWID;
CREATE INDEX run_state ON run (state, id);

CREATE TABLE start_key (
  tenant TEXT NOT NULL, principal TEXT NOT NULL, agent TEXT NOT NULL, key TEXT NOT NULL,
  digest TEXT NOT NULL,           -- SHA-256 of the input
  run TEXT NOT NULL,
  PRIMARY KEY (tenant, principal, agent, key)
) WITHOUT ROWID;

CREATE TABLE step (
  run TEXT NOT NULL,
  n INTEGER NOT NULL,             -- order in which the steps ended, from 1
  key TEXT NOT NULL,              -- path of the step
  kind TEXT NOT NULL,             -- value, failure, now; dropped: what is below counts no more
  arguments TEXT,                 -- SHA-256 of what a body called it with; NULL for a plan's step
  data BLOB NOT NULL,             -- JSON; or, if is_large, the digest of a document
  is_large INTEGER NOT NULL,
  reasons BLOB,                   -- JSON: why the value is degraded
  ended_ms INTEGER NOT NULL,
  PRIMARY KEY (run, n)
) WITHOUT ROWID;

CREATE TABLE wait (                 -- what runs wait for, and how those waits ended
  run TEXT NOT NULL,
  key TEXT NOT NULL,              -- path of the step
  kind TEXT NOT NULL,             -- signal, approval, sleep
  name TEXT NOT NULL,             -- of the signal, or of the agent that is to be approved
  contract TEXT NOT NULL,         -- fingerprint of what the signal carries
  roles TEXT NOT NULL,            -- JSON: who may decide
  digest TEXT NOT NULL,           -- SHA-256 of the arguments that are to be approved
  arguments BLOB NOT NULL,        -- JSON of them
  schema BLOB NOT NULL,           -- JSON: of what the signal carries
  since_ms INTEGER NOT NULL,      -- wall clock
  due_ms INTEGER,                 -- wall clock; NULL: never
  answer BLOB,                    -- JSON; NULL: none yet
  answered_ms INTEGER,
  PRIMARY KEY (run, key)
) WITHOUT ROWID;
CREATE INDEX wait_due ON wait (due_ms) WHERE answer IS NULL AND due_ms IS NOT NULL;

CREATE TABLE signal (               -- sent before anything waited for them
  run TEXT NOT NULL,
  n INTEGER NOT NULL,             -- order in which they came
  name TEXT NOT NULL,
  contracts TEXT NOT NULL,        -- JSON: fingerprints of what it may be carried to
  answer BLOB NOT NULL,           -- JSON: what the wait is answered with
  PRIMARY KEY (run, n)
) WITHOUT ROWID;

CREATE TABLE effect (               -- what has been done to the outside world, or may have been
  key TEXT PRIMARY KEY,           -- the idempotency key that goes out
  tenant TEXT NOT NULL,
  tool TEXT NOT NULL,
  effect TEXT NOT NULL,           -- the word that the tool declares
  run TEXT NOT NULL,
  call TEXT NOT NULL,             -- path of the call in the run
  business_key TEXT,              -- NULL: none declared, or released
  fingerprint TEXT NOT NULL,      -- SHA-256 of tool, contract and arguments
  arguments BLOB NOT NULL,        -- JSON
  state TEXT NOT NULL,
  owner TEXT NOT NULL,            -- boot id of the process that drives it
  fence INTEGER NOT NULL,         -- grows with every owner
  lease_until_ms INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  first_dispatch_ms INTEGER,
  last_dispatch_ms INTEGER,
  completed INTEGER,              -- order of completion within the store
  outcome BLOB,                   -- JSON: the result, or the error
  late_outcome BLOB,              -- what a former owner reported after it had been replaced
  release_business_ms INTEGER,    -- when the business key is free again
  undo_error BLOB,                -- JSON: why it could not be compensated
  undoes TEXT,                    -- key of the effect that this one compensates
  lookups INTEGER NOT NULL DEFAULT 0,   -- how often it was asked what became of it
  updated_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX effect_business ON effect (tenant, tool, business_key)
  WHERE business_key IS NOT NULL AND state NOT IN ('failed', 'compensated');
CREATE INDEX effect_run ON effect (run, completed);
CREATE INDEX effect_undoes ON effect (undoes) WHERE undoes IS NOT NULL;
CREATE INDEX effect_completed ON effect (completed) WHERE completed IS NOT NULL;
CREATE INDEX effect_release ON effect (release_business_ms) WHERE business_key IS NOT NULL;
CREATE INDEX effect_open ON effect (state)
  WHERE state NOT IN ('succeeded', 'failed', 'compensated');

CREATE TABLE audit (                -- who decided what; each row seals the one before it
  n INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  principal TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,          -- what it was decided about
  details BLOB NOT NULL,          -- JSON
  seal TEXT NOT NULL              -- SHA-256 over the row and the seal before it
);

CREATE TABLE inbox (                -- what other processes ask of the one that drives the store
  n INTEGER PRIMARY KEY AUTOINCREMENT,  -- order in which the requests came
  at_ms INTEGER NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,          -- what is to be changed
  body BLOB NOT NULL,             -- JSON: who asks, why, and what belongs to the action
  answered_ms INTEGER,
  answer BLOB                     -- JSON: what was done, or the error
);
CREATE INDEX inbox_open ON inbox (n) WHERE answered_ms IS NULL;

CREATE TABLE document (            -- what is large or shared, by SHA-256 of its bytes
  digest TEXT PRIMARY KEY,
  data BLOB NOT NULL
) WITHOUT ROWID;
"""

MIGRATIONS: Final = (_FIRST,)
"""What brings a store from each version to the next; its version is how many were applied."""
