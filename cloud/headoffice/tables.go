package headoffice

// leanIndexes is the SQL of the sixth version: one index lists all promises of a
// store and the open ones, where two were written for each, and the request of a
// promise is found by what the promise says.
const leanIndexes = `
DROP INDEX promise_request_of;
DROP INDEX promise_open;
DROP INDEX promise_directive;
CREATE INDEX promise_directive ON promise (store, timeline, directive, finished_at);
`

// tables is the SQL of the first version. Every row of a store has the store
// first in its key, so that the same rows can live on engines that are split
// by store. The CHECKs repeat in SQL what the rules refuse in Go.
const tables = `
CREATE TABLE office (
  id INTEGER PRIMARY KEY CHECK (id = 1), now INTEGER NOT NULL, timeline INTEGER NOT NULL,
  next_sku INTEGER NOT NULL, catalogue INTEGER NOT NULL, keys BLOB NOT NULL
) STRICT;
INSERT INTO office (id, now, timeline, next_sku, catalogue, keys) VALUES (1, 0, 1, 1, 0, x'');

CREATE TABLE store (
  store INTEGER PRIMARY KEY, info BLOB NOT NULL, policy BLOB NOT NULL,
  epoch_timeline INTEGER NOT NULL, epoch_counter INTEGER NOT NULL, node BLOB NOT NULL,
  session INTEGER NOT NULL, connected INTEGER NOT NULL, member TEXT NOT NULL,
  session_at INTEGER NOT NULL,
  seq INTEGER NOT NULL, hash BLOB NOT NULL, applied_at INTEGER NOT NULL,
  timeline INTEGER NOT NULL, directive INTEGER NOT NULL, directive_hash BLOB NOT NULL,
  acked INTEGER NOT NULL, keys_version INTEGER NOT NULL,
  boot_count INTEGER NOT NULL, boot_id BLOB NOT NULL, build TEXT NOT NULL,
  catalogue INTEGER NOT NULL, backlog INTEGER NOT NULL, quarantined INTEGER NOT NULL,
  CHECK (connected IN (0, 1) AND quarantined IN (0, 1) AND acked <= directive)
) STRICT;

CREATE TABLE node (
  store INTEGER NOT NULL, epoch_timeline INTEGER NOT NULL, epoch_counter INTEGER NOT NULL,
  node BLOB NOT NULL, hardware TEXT NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (store, epoch_timeline, epoch_counter)
) STRICT, WITHOUT ROWID;
CREATE TABLE invitation (
  store INTEGER NOT NULL, secret_hash BLOB NOT NULL, expires_at INTEGER NOT NULL,
  used_at INTEGER NOT NULL, csr_hash BLOB NOT NULL, epoch_timeline INTEGER NOT NULL,
  epoch_counter INTEGER NOT NULL,
  PRIMARY KEY (store, secret_hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE product (
  sku INTEGER PRIMARY KEY, gtin TEXT NOT NULL UNIQUE CHECK (length(gtin) = 14),
  version INTEGER NOT NULL, retired INTEGER NOT NULL, category TEXT NOT NULL,
  name TEXT NOT NULL, row BLOB NOT NULL
) STRICT;
CREATE INDEX product_version ON product (version, sku);
CREATE INDEX product_category ON product (category, name, sku);
CREATE INDEX product_name ON product (name, sku);
CREATE VIRTUAL TABLE local_search USING fts5 (
  name, names, brand, category, gtin,
  tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3'
);

CREATE TABLE quota (
  store INTEGER NOT NULL, timeline INTEGER NOT NULL, sku INTEGER NOT NULL,
  granted INTEGER NOT NULL, returned INTEGER NOT NULL, assigned INTEGER NOT NULL,
  held INTEGER NOT NULL,
  PRIMARY KEY (store, timeline, sku),
  CHECK (granted >= 0 AND returned >= 0 AND assigned >= 0 AND held >= 0),
  CHECK (granted - returned - assigned - held >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE hold (
  store INTEGER NOT NULL, hold BLOB NOT NULL, timeline INTEGER NOT NULL,
  made_at INTEGER NOT NULL, deadline INTEGER NOT NULL, state INTEGER NOT NULL,
  reservation BLOB NOT NULL,
  PRIMARY KEY (store, hold)
) STRICT, WITHOUT ROWID;
CREATE INDEX hold_due ON hold (deadline, store, hold) WHERE state = 1;
CREATE INDEX hold_old ON hold (deadline, store, hold) WHERE state <> 1;
CREATE TABLE hold_line (
  store INTEGER NOT NULL, hold BLOB NOT NULL, line INTEGER NOT NULL, sku INTEGER NOT NULL,
  units INTEGER NOT NULL CHECK (units > 0),
  PRIMARY KEY (store, hold, line)
) STRICT, WITHOUT ROWID;

CREATE TABLE promise (
  store INTEGER NOT NULL, reservation BLOB NOT NULL, timeline INTEGER NOT NULL,
  directive INTEGER NOT NULL, reserve BLOB NOT NULL, confirmed_at INTEGER NOT NULL,
  cancel_at INTEGER NOT NULL, released INTEGER NOT NULL, finished_at INTEGER NOT NULL,
  PRIMARY KEY (store, reservation)
) STRICT, WITHOUT ROWID;
CREATE INDEX promise_id ON promise (reservation, store);
CREATE UNIQUE INDEX promise_directive ON promise (store, timeline, directive);
CREATE INDEX promise_open ON promise (store, timeline, directive) WHERE finished_at = 0;
CREATE INDEX promise_old ON promise (finished_at, store, reservation) WHERE finished_at > 0;

CREATE TABLE directive (
  store INTEGER NOT NULL, timeline INTEGER NOT NULL, directive INTEGER NOT NULL,
  at INTEGER NOT NULL, data BLOB NOT NULL, hash BLOB NOT NULL,
  PRIMARY KEY (store, timeline, directive)
) STRICT, WITHOUT ROWID;
CREATE INDEX directive_at ON directive (at, store, timeline, directive);

CREATE TABLE archive (
  store INTEGER NOT NULL, seq INTEGER NOT NULL, data BLOB NOT NULL, hash BLOB NOT NULL,
  PRIMARY KEY (store, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE batch (
  store INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (store, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX batch_at ON batch (at, store, seq);
CREATE TABLE anomaly (
  store INTEGER NOT NULL, seq INTEGER NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL,
  code TEXT NOT NULL, what TEXT NOT NULL,
  PRIMARY KEY (store, seq, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX anomaly_at ON anomaly (at, store, seq, number);
`
