-- One key may sign for several repositories: an organisation with a key of its own puts it into each.
CREATE TABLE signing_keys_by_repository_and_fingerprint (
  repository TEXT NOT NULL REFERENCES repositories (name),
  fingerprint TEXT NOT NULL,
  state TEXT NOT NULL,
  public_key TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (repository, fingerprint)
);
INSERT INTO signing_keys_by_repository_and_fingerprint
  SELECT repository, fingerprint, state, public_key, created_at FROM signing_keys;
DROP TABLE signing_keys;
ALTER TABLE signing_keys_by_repository_and_fingerprint RENAME TO signing_keys;
