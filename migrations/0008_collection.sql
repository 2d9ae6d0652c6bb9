-- When the bytes of a package were last uploaded: a package that no channel holds is kept for a while after it.
ALTER TABLE packages ADD COLUMN staged_at BIGINT NOT NULL DEFAULT 0;
UPDATE packages SET staged_at = created_at;
CREATE INDEX packages_by_staging ON packages (repository, collected_at, staged_at, id);
CREATE INDEX generations_by_collection ON generations (channel, collected_at, number, committed_at);

-- An ephemeral channel expires at expires_at unless something is uploaded, which moves that on to expires_after_ms
-- later. Both are null for a channel that stays.
ALTER TABLE channels ADD COLUMN expires_at BIGINT;
ALTER TABLE channels ADD COLUMN expires_after_ms BIGINT;

-- retention is JSON: what leaves the channels by itself that say nothing of their own; empty for nothing.
ALTER TABLE repositories ADD COLUMN retention TEXT NOT NULL DEFAULT '';
