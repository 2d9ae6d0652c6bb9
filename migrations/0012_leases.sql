-- What one of several nodes does alone. renewals counts on while its holder lives: who sees it stand still for long
-- takes the lease over. wanted: another one waits.
CREATE TABLE leases (
  name TEXT NOT NULL PRIMARY KEY,
  holder TEXT NOT NULL,
  renewals BIGINT NOT NULL,
  wanted BIGINT NOT NULL
);
