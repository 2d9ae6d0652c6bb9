-- How often a package was fetched on a day, and nothing of who fetched it. day is days since 1970-01-01 in UTC.
CREATE TABLE downloads (
  package TEXT NOT NULL REFERENCES packages (id),
  day BIGINT NOT NULL,
  count BIGINT NOT NULL,
  PRIMARY KEY (package, day)
);
