-- Runs of a single step that are drained: set before protocol.sql.
\set steps 1
