-- A low-water mark that moves leaves nothing in the way of those who read it.
-- breaking: no

-- A mark was one row that was changed: dozens of times a second while somebody holds a snapshot, and all its versions stay as long as that is held.
-- After ten minutes every claim and every fold walked over tens of thousands of them to read it. Now each move is a row of its own with a
-- higher number, the one before goes, and who reads begins with the highest.
alter table skein.low_water add column number bigint generated always as identity;
alter table skein.low_water drop constraint low_water_pkey;
alter table skein.low_water add primary key (kind, queue_id, number);
