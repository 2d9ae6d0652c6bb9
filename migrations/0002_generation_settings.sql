-- settings is JSON: what of the channel's settings the generation was published with. A head whose settings are
-- not those of its channel is published anew.
ALTER TABLE generations ADD COLUMN settings TEXT NOT NULL DEFAULT '';
