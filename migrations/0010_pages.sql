-- What the pages ask for. Prefixes are looked for between two bounds: on PostgreSQL the database has the
-- collation C, which orders by code point as SQLite does.

-- name is that of the package: a page of a channel is then a run of one index.
ALTER TABLE channel_packages ADD COLUMN name TEXT NOT NULL DEFAULT '';
UPDATE channel_packages SET name = (SELECT name FROM packages WHERE packages.id = channel_packages.package);
DROP INDEX channel_packages_by_removal;
CREATE INDEX channel_packages_by_removal ON channel_packages (channel, removed_in, name, package, component, added_in);

-- As wide: SQLite would else take the one above, which has every column of such a query, and read all members.
DROP INDEX channel_packages_by_package;
CREATE INDEX channel_packages_by_package ON channel_packages (package, channel, removed_in, component);

CREATE INDEX packages_of_repository ON packages (repository, name, id);
CREATE INDEX packages_by_core_sha256 ON packages (core_sha256);
CREATE INDEX generations_by_time ON generations (channel, committed_at, number);
CREATE INDEX events_by_kind ON events (repository, kind, id);
CREATE INDEX uploads_by_commit ON uploads (commit_id);

-- By kind first: the pages look for what is provided, by the start of its name.
DROP INDEX package_relations_by_name;
CREATE INDEX package_relations_by_name ON package_relations (kind, name);

-- Which package ships a file: one row for a path and a package's name, whatever the number of its versions.
-- folder and basename make the path; package is the last upload that has it. Directories are left out.
CREATE TABLE file_names (
  repository TEXT NOT NULL,
  folder TEXT NOT NULL,
  basename TEXT NOT NULL,
  name TEXT NOT NULL,
  package TEXT NOT NULL REFERENCES packages (id),
  PRIMARY KEY (repository, folder, basename, name)
);
CREATE INDEX file_names_by_basename ON file_names (repository, basename);
CREATE INDEX file_names_by_package ON file_names (package);
-- rtrim takes every character but the slash from the end: what is left is the folder with its slash.
INSERT INTO file_names (repository, folder, basename, name, package)
  SELECT package.repository,
    rtrim(file.path, replace(file.path, '/', '')),
    substr(file.path, length(rtrim(file.path, replace(file.path, '/', ''))) + 1),
    package.name,
    max(package.id)
  FROM package_files AS file
  JOIN packages AS package ON package.id = file.package
  WHERE file.type <> 'directory'
  GROUP BY 1, 2, 3, 4;
