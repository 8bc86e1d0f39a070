-- From 0.1.0 to 0.2.0: everything that a fresh 0.2.0 has and 0.1.0 had not, in the same words.
-- What users and their tables may depend on is replaced where it stands, never dropped.

-- It runs SQL, and whoever calls it may have somebody else's operators in the way.
alter function s2s.worker_status() set search_path to pg_catalog, pg_temp;
