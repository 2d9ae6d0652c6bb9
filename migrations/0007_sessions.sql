-- Who is signed in with a browser. sha256 is of the cookie, which is never kept; what a session may do is what its
-- token may do. client is what the browser said of itself.
CREATE TABLE sessions (
  sha256 TEXT NOT NULL PRIMARY KEY,
  token TEXT NOT NULL REFERENCES tokens (id),
  client TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  last_used_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_token ON sessions (token);
