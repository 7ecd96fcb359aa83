-- SPDX-License-Identifier: GPL-2.0-or-later
-- The database of a repaved with schema 1, as `sqlite3 repave.db .dump` wrote it; test: control/test/store-test.c.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO settings VALUES('assignment_number','{"last":4}');
INSERT INTO settings VALUES('default_assignment','{"app":"","app_target":"","config":{},"mirrors":[],"number":0,"os":"minimal","os_target":"","verify":"full","wipe":false}');
CREATE TABLE nodes (id TEXT PRIMARY KEY, enrolled INTEGER NOT NULL, address TEXT NOT NULL, stage1_version TEXT NOT NULL, inventory TEXT NOT NULL, slots TEXT NOT NULL, assignment TEXT NOT NULL);
INSERT INTO nodes VALUES('5e70a7e0-0000-4000-8000-000000000001',1795284106,'127.0.0.1','test','{"cpus":1,"disks":[{"name":"vda","size_bytes":8589934592}],"firmware":"bios","macs":["52:54:00:00:01:01"],"memory_bytes":536870912,"product":"q35","serial":"S1","uuid":"5e70a7e0-0000-4000-8000-000000000001","vendor":"QEMU"}','{"C0":null,"C1":null,"D0":null,"D1":null}','{"app":"web","app_target":"app/web/debian/1.22.img.zst","config":{"files":{"site.conf":"server=1\n"},"hostname":"web1"},"mirrors":[],"number":2,"os":"debian","os_target":"os/debian/12.1.img.zst","verify":"full","wipe":false}');
INSERT INTO nodes VALUES('5e70a7e0-0000-4000-8000-000000000002',1795284108,'127.0.0.1','test','{"cpus":1,"disks":[{"name":"vda","size_bytes":8589934592}],"firmware":"bios","macs":["52:54:00:00:01:01"],"memory_bytes":536870912,"product":"q35","serial":"S2","uuid":"5e70a7e0-0000-4000-8000-000000000002","vendor":"QEMU"}','{"C0":null,"C1":null,"D0":null,"D1":null}','{"app":"","app_target":"","config":{},"mirrors":[],"number":3,"os":"minimal","os_target":"os/minimal/1.0.img.zst","verify":"full","wipe":false}');
INSERT INTO nodes VALUES('5e70a7e0-0000-4000-8000-000000000003',1795284108,'127.0.0.1','test','{"cpus":1,"disks":[{"name":"vda","size_bytes":8589934592}],"firmware":"bios","macs":["52:54:00:00:01:01"],"memory_bytes":536870912,"product":"q35","serial":"S3","uuid":"5e70a7e0-0000-4000-8000-000000000003","vendor":"QEMU"}','{"C0":null,"C1":null,"D0":null,"D1":null}','{"app":"","app_target":"","config":{},"mirrors":[],"number":4,"os":"minimal","os_target":"os/minimal/1.0.img.zst","verify":"full","wipe":false}');
CREATE TABLE boots (sequence INTEGER PRIMARY KEY AUTOINCREMENT, node TEXT NOT NULL REFERENCES nodes(id), nonce TEXT NOT NULL, started INTEGER NOT NULL, updated INTEGER NOT NULL, assignment INTEGER NOT NULL, os_target TEXT NOT NULL, app_target TEXT NOT NULL, event TEXT NOT NULL, stage TEXT NOT NULL, error TEXT NOT NULL, stages TEXT NOT NULL, images TEXT NOT NULL, UNIQUE (node, nonce));
INSERT INTO boots VALUES(1,'5e70a7e0-0000-4000-8000-000000000001','10101010101010101010101010101010',1795284106,1795284106,1,'os/minimal/1.0.img.zst','','kexec','boot','','[{"name":"identify","seconds":0.02}]','[]');
INSERT INTO boots VALUES(3,'5e70a7e0-0000-4000-8000-000000000001','11111111111111111111111111111111',1795284107,1795284107,2,'os/debian/12.1.img.zst','app/web/debian/1.22.img.zst','kexec','boot','','[{"name":"identify","seconds":0.02}]','[]');
INSERT INTO boots VALUES(5,'5e70a7e0-0000-4000-8000-000000000002','20202020202020202020202020202020',1795284108,1795284108,3,'os/minimal/1.0.img.zst','','kexec','boot','','[{"name":"identify","seconds":0.02}]','[]');
INSERT INTO boots VALUES(7,'5e70a7e0-0000-4000-8000-000000000002','21212121212121212121212121212121',1795284108,1795284108,3,'os/minimal/1.0.img.zst','','kexec','boot','','[{"name":"identify","seconds":0.02}]','[]');
INSERT INTO boots VALUES(9,'5e70a7e0-0000-4000-8000-000000000003','30303030303030303030303030303030',1795284108,1795284108,4,'os/minimal/1.0.img.zst','','kexec','boot','','[{"name":"identify","seconds":0.02}]','[]');
INSERT INTO boots VALUES(11,'5e70a7e0-0000-4000-8000-000000000003','31313131313131313131313131313131',1795284108,1795284109,4,'os/minimal/1.0.img.zst','','kexec','boot','','[{"name":"identify","seconds":0.02}]','[]');
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('boots',12);
CREATE INDEX boots_by_node ON boots (node, sequence);
COMMIT;
PRAGMA user_version=1;
