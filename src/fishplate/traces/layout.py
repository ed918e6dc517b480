"""The tables of a trace store, version by version; a version that has been released never changes.

Spans stand together: a block holds those that one batch brought. A row for each span would cost
many times as much, and whoever looks at a run wants all of its own. What is looked for
stands beside them: a row for each run, and roll-ups of what each agent took.
"""

from __future__ import annotations

from typing import Final

from fishplate.core.sqlite_file import Layout

_ROLLUP: Final = """
CREATE TABLE rollup_{slot} (        -- what steps took, by agent, release and {slot}
  slot INTEGER NOT NULL,          -- {slot}s since 1970
  kind TEXT NOT NULL,
  agent TEXT NOT NULL,
  release TEXT NOT NULL,
  tenant TEXT NOT NULL,
  bucket INTEGER NOT NULL,        -- of the duration: floor(4 * log2(microseconds))
  count INTEGER NOT NULL,
  errors INTEGER NOT NULL,
  degraded INTEGER NOT NULL,
  model_calls INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  cost_nanos INTEGER NOT NULL,
  unpriced INTEGER NOT NULL,
  PRIMARY KEY (slot, kind, agent, release, tenant, bucket)
) WITHOUT ROWID;
"""
_FIRST: Final = f"""
CREATE TABLE run (
  id TEXT PRIMARY KEY,            -- time-ordered
  trace_id TEXT NOT NULL,         -- 32 hex digits; the caller's if it was started in its trace
  caller_span TEXT,               -- 16 hex digits: the span of another process that it stands below
  agent TEXT NOT NULL,
  release TEXT NOT NULL,          -- version and fingerprint; empty until it has ended
  tenant TEXT NOT NULL,
  principal TEXT NOT NULL,
  state TEXT NOT NULL,
  started_ns INTEGER NOT NULL,    -- wall clock
  duration_ns INTEGER,            -- NULL: it has not ended
  error TEXT,                     -- code
  spans INTEGER NOT NULL,
  model_calls INTEGER NOT NULL,   -- leaves that read and write tokens; replayed ones are not among
  input_tokens INTEGER NOT NULL,  -- of those leaves
  output_tokens INTEGER NOT NULL,
  cost_nanos INTEGER NOT NULL,    -- of the leaves that have a price
  unpriced INTEGER NOT NULL       -- leaves whose price nobody knows
) WITHOUT ROWID;
CREATE INDEX run_wrong ON run (state, id) WHERE state NOT IN ('succeeded', 'running');
CREATE INDEX run_trace ON run (trace_id);

CREATE TABLE segment (
  n INTEGER PRIMARY KEY,          -- in the order in which they were written
  run TEXT NOT NULL,
  spans BLOB NOT NULL,            -- JSON: see traces.parts
  content BLOB                    -- JSON: list of values that the spans point into
);
CREATE INDEX segment_run ON segment (run);

{"".join(_ROLLUP.format(slot=slot) for slot in ("minute", "hour"))}
CREATE TABLE loss (               -- spans that are not here
  n INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  dropped INTEGER NOT NULL,       -- the queue was full
  lost INTEGER NOT NULL           -- the file could not be written
);
"""

# Sums were of one currency, which nobody had written down: ISO 4217 calls that XXX.
_SECOND_ROLLUP: Final = """
CREATE TABLE next_{slot} (          -- what steps took and spent, by all that sums are asked for by
  slot INTEGER NOT NULL,          -- {slot}s since 1970
  kind TEXT NOT NULL,
  agent TEXT NOT NULL,
  release TEXT NOT NULL,
  tenant TEXT NOT NULL,
  step TEXT NOT NULL,             -- path without its numbers; empty of what has spent nothing
  model TEXT NOT NULL,            -- name; likewise, and of a call that asks none
  currency TEXT NOT NULL,         -- of its cost; empty if that is nothing or unknown
  bucket INTEGER NOT NULL,        -- of the duration: floor(4 * log2(microseconds))
  count INTEGER NOT NULL,
  errors INTEGER NOT NULL,
  degraded INTEGER NOT NULL,
  model_calls INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  cost_nanos INTEGER NOT NULL,
  unpriced INTEGER NOT NULL,
  PRIMARY KEY (slot, kind, agent, release, tenant, step, model, currency, bucket)
) WITHOUT ROWID;
INSERT INTO next_{slot} SELECT
  slot, kind, agent, release, tenant, '', '', iif(cost_nanos, 'XXX', ''), bucket, count, errors,
  degraded, model_calls, input_tokens, output_tokens, cost_nanos, unpriced FROM rollup_{slot};
DROP TABLE rollup_{slot};
ALTER TABLE next_{slot} RENAME TO rollup_{slot};
"""
_SECOND: Final = f"""
CREATE TABLE run_cost (             -- of the leaves that have a price; no row where none has
  run TEXT NOT NULL,
  currency TEXT NOT NULL,
  cost_nanos INTEGER NOT NULL,
  PRIMARY KEY (run, currency)
) WITHOUT ROWID;
INSERT INTO run_cost SELECT id, 'XXX', cost_nanos FROM run WHERE cost_nanos != 0;
ALTER TABLE run DROP COLUMN cost_nanos;

{"".join(_SECOND_ROLLUP.format(slot=slot) for slot in ("minute", "hour"))}
"""  # noqa: S608 -- our own words

# Most runs are whole and do not wait: what is otherwise stands apart, and costs them nothing.
_THIRD: Final = """
CREATE TABLE run_gap (              -- no row where nothing is missing
  run TEXT PRIMARY KEY,
  spans INTEGER NOT NULL,         -- dropped or lost on their way
  contents INTEGER NOT NULL       -- likewise, inputs and outputs of so many calls
) WITHOUT ROWID;
CREATE TABLE run_wait (             -- for what a run waits, or waited last
  run TEXT NOT NULL,
  step TEXT NOT NULL,             -- path
  kind TEXT NOT NULL,             -- approval, signal or sleep
  name TEXT NOT NULL,             -- of the agent or the signal
  roles TEXT NOT NULL,            -- JSON: who may decide
  since_ms INTEGER NOT NULL,      -- since 1970
  due_ms INTEGER,                 -- NULL: never
  PRIMARY KEY (run, step)
) WITHOUT ROWID;
"""

# From here on a segment may be a flat list, which what reads the third cannot read.
_FOURTH: Final = ""

# A trace id of ours tells when its run began, and runs are in the order of that: only those of
# callers have to be looked up. An index of all took a tenth of the time of writing a run.
_FIFTH: Final = """
DROP INDEX run_trace;
CREATE INDEX run_called ON run (trace_id) WHERE caller_span IS NOT NULL;
"""

# A row for each run and batch took more room and a third of the time of writing it. A block is of
# all runs of a batch; the rows of segments that are there already are read as they are.
_SIXTH: Final = """
CREATE TABLE block (
  n INTEGER PRIMARY KEY,
  last_run TEXT NOT NULL,         -- the highest id of a run in it; it is taken out with that run
  spans BLOB NOT NULL,            -- JSON: see traces.blocks
  content BLOB                    -- JSON of inputs and outputs, one after another
);
CREATE INDEX block_last ON block (last_run);
CREATE TABLE run_block (            -- where spans of a run stand beside its first block
  run TEXT NOT NULL,
  block INTEGER NOT NULL,
  PRIMARY KEY (run, block)
) WITHOUT ROWID;
ALTER TABLE run ADD COLUMN block INTEGER;  -- where its first spans stand; NULL: as above
"""

LAYOUT: Final = Layout(
    application_id=0x66706C73,  # `fpls` in ASCII
    migrations=(_FIRST, _SECOND, _THIRD, _FOURTH, _FIFTH, _SIXTH),
    auto_vacuum="incremental",
)
