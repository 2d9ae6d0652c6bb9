-- Portable SQL: TEXT for names, digests and JSON; BIGINT for times (milliseconds since 1970), sizes and
-- generation numbers. The same file serves SQLite and PostgreSQL. Statements end with a semicolon at a
-- line's end.

CREATE TABLE repositories (
  name TEXT NOT NULL PRIMARY KEY,
  description TEXT NOT NULL,
  origin TEXT NOT NULL,
  visibility TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

-- id is `repository/name`. head is the generation being served, 0 before the first.
-- components and architectures are separated by spaces; architectures only ever grows.
CREATE TABLE channels (
  id TEXT NOT NULL PRIMARY KEY,
  repository TEXT NOT NULL REFERENCES repositories (name),
  name TEXT NOT NULL,
  format TEXT NOT NULL,
  distribution TEXT NOT NULL,
  origin TEXT NOT NULL,
  label TEXT NOT NULL,
  description TEXT NOT NULL,
  components TEXT NOT NULL,
  architectures TEXT NOT NULL,
  head BIGINT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX channels_by_name ON channels (repository, name);

-- One uploaded artifact. The identity maps to one digest for ever, so rows are never deleted.
-- path is the key of its file in the store; facts is JSON (formats/package.ts) without the file list;
-- signature_header is the one the package came with (base64), from which the uploaded rpm can be rebuilt.
CREATE TABLE packages (
  id TEXT NOT NULL PRIMARY KEY,
  repository TEXT NOT NULL REFERENCES repositories (name),
  format TEXT NOT NULL,
  distribution TEXT NOT NULL,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  architecture TEXT NOT NULL,
  filename TEXT NOT NULL,
  path TEXT NOT NULL,
  size_bytes BIGINT NOT NULL,
  sha256 TEXT NOT NULL,
  uploaded_size_bytes BIGINT NOT NULL,
  uploaded_sha256 TEXT NOT NULL,
  core_sha256 TEXT NOT NULL,
  signed_by TEXT,
  source_name TEXT,
  source_version TEXT,
  summary TEXT NOT NULL,
  facts TEXT NOT NULL,
  signature_header TEXT,
  created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX packages_by_identity
  ON packages (repository, format, distribution, name, version, architecture);
CREATE UNIQUE INDEX packages_by_path ON packages (path);
CREATE INDEX packages_by_uploaded_sha256 ON packages (uploaded_sha256);
CREATE INDEX packages_by_sha256 ON packages (sha256);

CREATE TABLE package_files (
  package TEXT NOT NULL REFERENCES packages (id),
  position BIGINT NOT NULL,
  path TEXT NOT NULL,
  type TEXT NOT NULL,
  size_bytes BIGINT NOT NULL,
  mode BIGINT NOT NULL,
  target TEXT,
  PRIMARY KEY (package, position)
);

-- A package's ready index entry of one kind: its stanza, its primary fragment, …
CREATE TABLE entries (
  package TEXT NOT NULL REFERENCES packages (id),
  kind TEXT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (package, kind)
);

-- Temporal membership: generation n has what was added_in <= n and not removed_in <= n.
CREATE TABLE channel_packages (
  channel TEXT NOT NULL REFERENCES channels (id),
  package TEXT NOT NULL REFERENCES packages (id),
  component TEXT NOT NULL,
  added_in BIGINT NOT NULL,
  removed_in BIGINT,
  PRIMARY KEY (channel, package, component, added_in)
);
CREATE INDEX channel_packages_by_removal ON channel_packages (channel, removed_in);
CREATE INDEX channel_packages_by_package ON channel_packages (package);

-- What has been asked for and is not yet published, in the order of its ids.
CREATE TABLE pending_changes (
  id TEXT NOT NULL PRIMARY KEY,
  channel TEXT NOT NULL REFERENCES channels (id),
  action TEXT NOT NULL,
  package TEXT NOT NULL REFERENCES packages (id),
  component TEXT NOT NULL,
  event TEXT NOT NULL
);
CREATE INDEX pending_changes_by_channel ON pending_changes (channel, id);

-- date is the Date of the Release in seconds; pointers is JSON: which immutable file each pointer shows;
-- indexes is JSON: each index of the generation with the digests and sizes of its files.
CREATE TABLE generations (
  channel TEXT NOT NULL REFERENCES channels (id),
  number BIGINT NOT NULL,
  date BIGINT NOT NULL,
  signed_at BIGINT NOT NULL,
  committed_at BIGINT NOT NULL,
  cause TEXT NOT NULL,
  actor TEXT NOT NULL,
  added BIGINT NOT NULL,
  removed BIGINT NOT NULL,
  packages BIGINT NOT NULL,
  pointers TEXT NOT NULL,
  indexes TEXT NOT NULL,
  PRIMARY KEY (channel, number)
);

-- Everything that was done to a repository and by whom. detail is JSON.
CREATE TABLE events (
  id TEXT NOT NULL PRIMARY KEY,
  at BIGINT NOT NULL,
  repository TEXT NOT NULL,
  channel TEXT,
  generation BIGINT,
  package TEXT,
  kind TEXT NOT NULL,
  actor TEXT NOT NULL,
  token TEXT,
  detail TEXT NOT NULL
);
CREATE INDEX events_by_repository ON events (repository, id);
CREATE INDEX events_by_package ON events (package, id);
CREATE INDEX events_by_channel ON events (repository, channel, id);

-- An upload as its uploader declared it; the event of the same id says who, when and where to.
CREATE TABLE uploads (
  event TEXT NOT NULL PRIMARY KEY REFERENCES events (id),
  package TEXT NOT NULL REFERENCES packages (id),
  filename TEXT NOT NULL,
  client TEXT NOT NULL,
  uploaded_sha256 TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  source TEXT,
  commit_id TEXT,
  ref TEXT,
  run TEXT,
  builder TEXT
);
CREATE INDEX uploads_by_package ON uploads (package, event);

-- sha256 is of the token's text; the token itself is never kept.
CREATE TABLE tokens (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  scope TEXT NOT NULL,
  repositories TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  expires_at BIGINT,
  revoked_at BIGINT,
  last_used_at BIGINT
);
CREATE UNIQUE INDEX tokens_by_sha256 ON tokens (sha256);

-- The public halves of the signing keys; the private ones are files outside the catalog.
CREATE TABLE signing_keys (
  fingerprint TEXT NOT NULL PRIMARY KEY,
  repository TEXT NOT NULL REFERENCES repositories (name),
  state TEXT NOT NULL,
  public_key TEXT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX signing_keys_by_repository ON signing_keys (repository, created_at);
