-- SQLite knows nothing of how selective an index is and takes the one with the most columns of a query: with fewer
-- here, it went through all packages of a repository instead of looking one digest up, and through all members of
-- a channel instead of looking some names up.
DROP INDEX packages_by_uploaded_sha256;
CREATE INDEX packages_by_uploaded_sha256 ON packages (uploaded_sha256, repository, format, distribution);
CREATE INDEX packages_by_name ON packages (name);
DROP INDEX channel_packages_by_package;
CREATE INDEX channel_packages_by_package ON channel_packages (package, channel, removed_in);
