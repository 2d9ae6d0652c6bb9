-- signing is what happens to the signatures of rpm packages: always, unsigned-only, require or never.
-- producer_keys is a JSON array of armoured public keys, whose signatures the middle two accept.
ALTER TABLE repositories ADD COLUMN signing TEXT NOT NULL DEFAULT 'always';
ALTER TABLE repositories ADD COLUMN producer_keys TEXT NOT NULL DEFAULT '[]';
