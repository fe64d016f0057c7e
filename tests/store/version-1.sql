-- A store of version 1 with a finished and an unfinished run. Frozen: stores like it lie on disks.
PRAGMA application_id = 1701079924;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE contender (
            run INTEGER NOT NULL REFERENCES run (number) ON DELETE CASCADE,
            place INTEGER NOT NULL,
            model TEXT NOT NULL,
            target TEXT NOT NULL,
            precision TEXT NOT NULL,
            sha256 TEXT NOT NULL,
            facts TEXT NOT NULL,
            PRIMARY KEY (run, place)
        ) WITHOUT ROWID
        ;
INSERT INTO "contender" VALUES(1,0,'mobilenet','tflite','int8','0000000000000000000000000000000000000000000000000000000000000000','{"name":"mobilenet tflite-0","model":"mobilenet","target":"tflite","precision":"int8","sha256":"0000000000000000000000000000000000000000000000000000000000000000","bytes":2614000,"path":"build/mobilenet/0","runtime":"litert","delegate":null,"threads":1,"metric":null,"parity":{},"cost":{}}');
INSERT INTO "contender" VALUES(1,1,'mobilenet','tflite','int8','0000000000000000000000000000000000000000000000000000000000000001','{"name":"mobilenet tflite-1","model":"mobilenet","target":"tflite","precision":"int8","sha256":"0000000000000000000000000000000000000000000000000000000000000001","bytes":2614000,"path":"build/mobilenet/1","runtime":"litert","delegate":null,"threads":1,"metric":null,"parity":{},"cost":{}}');
INSERT INTO "contender" VALUES(2,0,'yolo','tflite','int8','0000000000000000000000000000000000000000000000000000000000000000','{"name":"yolo tflite-0","model":"yolo","target":"tflite","precision":"int8","sha256":"0000000000000000000000000000000000000000000000000000000000000000","bytes":2614000,"path":"build/yolo/0","runtime":"litert","delegate":null,"threads":1,"metric":null,"parity":{},"cost":{}}');
INSERT INTO "contender" VALUES(2,1,'yolo','tflite','int8','0000000000000000000000000000000000000000000000000000000000000001','{"name":"yolo tflite-1","model":"yolo","target":"tflite","precision":"int8","sha256":"0000000000000000000000000000000000000000000000000000000000000001","bytes":2614000,"path":"build/yolo/1","runtime":"litert","delegate":null,"threads":1,"metric":null,"parity":{},"cost":{}}');
CREATE TABLE pass (
            run INTEGER NOT NULL,
            contender INTEGER NOT NULL,
            name TEXT NOT NULL,
            document TEXT NOT NULL,
            PRIMARY KEY (run, contender, name),
            FOREIGN KEY (run, contender) REFERENCES contender (run, place) ON DELETE CASCADE
        );
INSERT INTO "pass" VALUES(1,1,'memory','{"peak_bytes":31457280}');
CREATE TABLE run (
            number INTEGER PRIMARY KEY AUTOINCREMENT,  -- a deleted run's number is not given again
            key TEXT NOT NULL,
            command TEXT NOT NULL,
            device TEXT NOT NULL,
            started TEXT NOT NULL,
            finished TEXT,
            owner TEXT,
            facts TEXT NOT NULL
        );
INSERT INTO "run" VALUES(1,'3cbe296cbe2451af817be9066399488de53ac2a919023880c4f8c228a716f0a2','profile','local-cpu','2026-11-21T23:17:28Z','2026-11-21T23:18:40Z',NULL,'{"format":2,"key":"3cbe296cbe2451af817be9066399488de53ac2a919023880c4f8c228a716f0a2","command":"profile","device":"local-cpu","started":"2026-11-21T23:17:28Z","rules":{"rounds":15,"name":"mobilenet"},"environment":{"cpu_model":"synthetic"}}');
INSERT INTO "run" VALUES(2,'325293c392aa01749775b39d239265a1d4227b8297c808d86269cf48c86256ba','profile','local-cpu','2026-11-22T08:00:00Z',NULL,NULL,'{"format":2,"key":"325293c392aa01749775b39d239265a1d4227b8297c808d86269cf48c86256ba","command":"profile","device":"local-cpu","started":"2026-11-22T08:00:00Z","rules":{"rounds":15,"name":"yolo"},"environment":{"cpu_model":"synthetic"}}');
CREATE TABLE turn (
            number INTEGER PRIMARY KEY,
            run INTEGER NOT NULL,
            contender INTEGER NOT NULL,
            round INTEGER NOT NULL,
            calls INTEGER NOT NULL,
            facts TEXT NOT NULL,
            samples BLOB NOT NULL,
            UNIQUE (run, round, contender),
            FOREIGN KEY (run, contender) REFERENCES contender (run, place) ON DELETE CASCADE
        );
INSERT INTO "turn" VALUES(1,1,0,0,6,'{"contender":0,"round":0,"position":0,"cpu":0,"started_s":0.0,"measurement":{"load_ns":40000000,"first_ns":5000000,"peak_rss_bytes":32505856,"placement":{"ops":66,"delegated":66,"partitions":1,"executors":{"XNNPACK":66},"evidence":"delegates of the interpreter","left_out":{}},"environment":{"cpu_model":"synthetic","affinity":[0],"load_1min":0.5}}}',X'785EAB562A4ECC2DC8492D8ECF2B56B28A36D3318ED5514A4ECCC941E1179422739372F293B341AA8D740C81AACB138B724B0B200A8C0C8006D472791E9D1639B5BEED6AFE2DF94A3E3E7E3E01FE7C9952CD27F57FD79FCFF36A11E0E717E017107562FC7648AA80A3C52C5C9E8F0FA8849F99B9010BF0C70284B0000003B83DCC');
INSERT INTO "turn" VALUES(2,1,1,0,6,'{"contender":1,"round":0,"position":1,"cpu":0,"started_s":0.0,"measurement":{"load_ns":40000000,"first_ns":5000000,"peak_rss_bytes":32505856,"placement":{"ops":66,"delegated":66,"partitions":1,"executors":{"XNNPACK":66},"evidence":"delegates of the interpreter","left_out":{}},"environment":{"cpu_model":"synthetic","affinity":[0],"load_1min":0.5}}}',X'785EAB562A4ECC2DC8492D8ECF2B56B28A36D3318ED5514A4ECCC941E1179422739372F293B341AA8D740C81AACB138B724B0B200A8C0C8006D4726D0CC9FDAEB8FA74497BE73C7F3E017E205CDD2038A9B3D529277B27A3173F3F1F50A8C1EF76F76B1EDB52B72FFF270305808899B9010BF0C70284B0000072EE3F7E');
INSERT INTO "turn" VALUES(3,1,0,1,6,'{"contender":0,"round":1,"position":0,"cpu":0,"started_s":1.0,"measurement":{"load_ns":40000000,"first_ns":5000000,"peak_rss_bytes":32505856,"placement":{"ops":66,"delegated":66,"partitions":1,"executors":{"XNNPACK":66},"evidence":"delegates of the interpreter","left_out":{}},"environment":{"cpu_model":"synthetic","affinity":[0],"load_1min":0.5}}}',X'785EAB562A4ECC2DC8492D8ECF2B56B28A36D3318ED5514A4ECCC941E1179422739372F293B341AA8D740C81AACB138B724B0B200A8C0C8006D472DD6F5A57E9B1B9ACF2C3B1F941FC027C7C02FCBF761D50DDF9D5FBC0A30FCBBFF1038100DF4AD190D0D73F3C6E6DDC54748A9F8F8F8F9F8F99B9010BF0C70284B000002E7C444C');
INSERT INTO "turn" VALUES(4,1,1,1,6,'{"contender":1,"round":1,"position":1,"cpu":0,"started_s":1.0,"measurement":{"load_ns":40000000,"first_ns":5000000,"peak_rss_bytes":32505856,"placement":{"ops":66,"delegated":66,"partitions":1,"executors":{"XNNPACK":66},"evidence":"delegates of the interpreter","left_out":{}},"environment":{"cpu_model":"synthetic","affinity":[0],"load_1min":0.5}}}',X'785EAB562A4ECC2DC8492D8ECF2B56B28A36D3318ED5514A4ECCC941E1179422739372F293B341AA8D740C81AACB138B724B0B200A8C0C8006D472B9C95FDF9D1578AAB7E725DF157E3E7E3E01FE9F894F5E38ADFDDCAE36E7EF01201728D4D4E97628816367E1E223EFEA406AF87899991BB0007F2C40080B000071C2424B');
INSERT INTO "turn" VALUES(5,2,0,0,6,'{"contender":0,"round":0,"position":0,"cpu":0,"started_s":0.0,"measurement":{"load_ns":40000000,"first_ns":5000000,"peak_rss_bytes":32505856,"placement":{"ops":66,"delegated":66,"partitions":1,"executors":{"XNNPACK":66},"evidence":"delegates of the interpreter","left_out":{}},"environment":{"cpu_model":"synthetic","affinity":[0],"load_1min":0.5}}}',X'785EAB562A4ECC2DC8492D8ECF2B56B28A36D3318ED5514A4ECCC941E1179422739372F293B341AA8D740C81AACB138B724B0B200A8C0C8006D472EDF9585250ADFA2F7AEB8D8739FC82FC7C7CFC9B23FDFF33EC7EF099FDC4E91C013E015E7EFE82ECD879DAACF7A2E2826B5EF3F10BF0F1F13133376001FE588010160000277F410F');
CREATE INDEX run_by_key ON run (key) WHERE finished IS NULL;
CREATE INDEX run_by_time ON run (started, number);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('run',2);
COMMIT;
