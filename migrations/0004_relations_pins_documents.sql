-- What a package asks for and answers to, by name: one row for each alternative of a relation. position is that
-- of the relation among those of the package, text is the whole relation as the package's tools print it.
CREATE TABLE package_relations (
  package TEXT NOT NULL REFERENCES packages (id),
  position BIGINT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (package, position, name)
);
CREATE INDEX package_relations_by_name ON package_relations (name, kind);

-- A generation that somebody named: it is kept whatever its age.
CREATE TABLE pins (
  channel TEXT NOT NULL REFERENCES channels (id),
  name TEXT NOT NULL,
  generation BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  PRIMARY KEY (channel, name)
);

-- What a yum channel publishes beside its packages: updateinfo, comps, modules. Temporal, as its packages are.
CREATE TABLE channel_documents (
  channel TEXT NOT NULL REFERENCES channels (id),
  kind TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  added_in BIGINT NOT NULL,
  removed_in BIGINT,
  PRIMARY KEY (channel, kind, added_in)
);
CREATE TABLE documents (
  sha256 TEXT NOT NULL PRIMARY KEY,
  body TEXT NOT NULL
);
-- sha256 is empty when the document goes.
CREATE TABLE pending_documents (
  id TEXT NOT NULL PRIMARY KEY,
  channel TEXT NOT NULL REFERENCES channels (id),
  kind TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  event TEXT NOT NULL
);
CREATE INDEX pending_documents_by_channel ON pending_documents (channel, id);

-- options is JSON: what may change of a channel at any time and has no column (registry/channel-options.ts).
-- deleted_at: an ephemeral channel that has expired; its name may come back and its history goes on.
ALTER TABLE channels ADD COLUMN options TEXT NOT NULL DEFAULT '{}';
ALTER TABLE channels ADD COLUMN deleted_at BIGINT;
-- ephemeral is JSON: which channels an upload may create by itself, empty for none.
ALTER TABLE repositories ADD COLUMN ephemeral TEXT NOT NULL DEFAULT '';
-- When the files of a package, or of a generation, were collected. The rows stay.
ALTER TABLE packages ADD COLUMN collected_at BIGINT;
ALTER TABLE generations ADD COLUMN collected_at BIGINT;
CREATE INDEX generations_by_age ON generations (collected_at, committed_at);
