-- Who is told of what happens in a repository. kinds of events are separated by spaces, empty for all; the secret
-- is what deliveries are signed with, so it has to be kept as it is.
CREATE TABLE webhooks (
  id TEXT NOT NULL PRIMARY KEY,
  repository TEXT NOT NULL REFERENCES repositories (name),
  url TEXT NOT NULL,
  secret TEXT NOT NULL,
  kinds TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL
);
CREATE INDEX webhooks_by_repository ON webhooks (repository);

-- What is to be told, in the transaction of what it tells of, and how that went. next_at is when it is to be tried,
-- and null once it arrived or was given up.
CREATE TABLE deliveries (
  id TEXT NOT NULL PRIMARY KEY,
  webhook TEXT NOT NULL REFERENCES webhooks (id),
  kind TEXT NOT NULL,
  body TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  attempts BIGINT NOT NULL,
  next_at BIGINT,
  tried_at BIGINT,
  status BIGINT,
  answer TEXT NOT NULL
);
CREATE INDEX deliveries_by_webhook ON deliveries (webhook, id);
CREATE INDEX deliveries_due ON deliveries (next_at);
