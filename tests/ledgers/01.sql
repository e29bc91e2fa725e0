BEGIN TRANSACTION;
CREATE TABLE contacts (
    file INTEGER NOT NULL REFERENCES files (id), row INTEGER NOT NULL, contact TEXT NOT NULL,
    PRIMARY KEY (file, row)
) STRICT;
INSERT INTO "contacts" VALUES(2,0,'{"leader": "赵某", "leader_phone": "0812-0000001", "name": "钱某", "office": "办公室", "phone": "0812-0000002", "remark": "", "unit": "U02"}');
CREATE TABLE entries (
    file INTEGER NOT NULL REFERENCES files (id), item TEXT NOT NULL, sheet TEXT NOT NULL,
    cells TEXT NOT NULL, answers TEXT NOT NULL,
    PRIMARY KEY (file, item)
) STRICT;
INSERT INTO "entries" VALUES(1,'T01','工作推进情况','{"progress": "G6"}','{"progress": "开展巡护12次。"}');
CREATE TABLE files (
    id INTEGER PRIMARY KEY, sha256 TEXT NOT NULL, name TEXT NOT NULL, size INTEGER NOT NULL,
    changed_ns INTEGER NOT NULL, received TEXT NOT NULL, verdict TEXT NOT NULL,
    kind TEXT, unit TEXT, period TEXT, revision INTEGER, reason TEXT NOT NULL DEFAULT '',
    header TEXT NOT NULL DEFAULT '{}',
    UNIQUE (sha256, name, changed_ns)
) STRICT;
INSERT INTO "files" VALUES(1,'0000000000000000000000000000000000000000000000000000000000000001','a.xlsx',18366,1,'2024-06-20T09:00:00+08:00','accepted','return','U02','2024Q2',1,'','{"filler": "赵某"}');
INSERT INTO "files" VALUES(2,'0000000000000000000000000000000000000000000000000000000000000002','b.xlsx',18366,1,'2024-06-20T09:00:00+08:00','accepted','contacts','U02','2024Q2',1,'','{}');
INSERT INTO "files" VALUES(3,'0000000000000000000000000000000000000000000000000000000000000003','c.pdf',18366,1,'2024-06-20T09:00:00+08:00','held',NULL,NULL,NULL,NULL,'这是 PDF 文件','{}');
CREATE TABLE findings (
    file INTEGER NOT NULL REFERENCES files (id), row INTEGER NOT NULL, finding TEXT NOT NULL,
    PRIMARY KEY (file, row)
) STRICT;
INSERT INTO "findings" VALUES(1,0,'{"about": "progress", "cell": "G6", "code": "REQUIRED_BLANK", "item": "T01", "message": "“工作开展情况”没有填写。", "severity": "ERROR", "sheet": "工作推进情况"}');
CREATE TABLE forms (
    kind TEXT NOT NULL, unit TEXT NOT NULL, period TEXT NOT NULL, form_id TEXT NOT NULL,
    version INTEGER NOT NULL, issued TEXT, file TEXT NOT NULL,
    PRIMARY KEY (kind, unit, period)
) STRICT;
INSERT INTO "forms" VALUES('return','U02','2024Q2','59eed868',1,'2024-06-20T09:00:00+08:00','2024Q2/forms/市林业局.xlsx');
INSERT INTO "forms" VALUES('contacts','U02','2024Q2','6a01bc22',1,NULL,'2024Q2/forms/联系人.xlsx');
CREATE INDEX files_by_period ON files (period, kind, unit);
COMMIT;
PRAGMA user_version = 1;
